import type { SQLInputValue } from "node:sqlite";
import { afterEach, describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/index.ts";
import type { Capacity, NewOrder } from "../order-records.ts";
import type { Store } from "../store.ts";
import { Connection } from "./connection.ts";
import { sqliteStore } from "./open.ts";
import { migrateSchema } from "./schema.ts";

const clock = new ManualClock();
const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

/** Remembers what is read through it. */
class WatchedConnection extends Connection {
  readonly reads: { readonly sql: string; readonly rows: number }[] = [];

  override get<R>(sql: string, ...values: SQLInputValue[]): R | undefined {
    const row = super.get<R>(sql, ...values);
    this.reads.push({ sql, rows: row === undefined ? 0 : 1 });
    return row;
  }

  override rows<R extends readonly unknown[]>(sql: string, ...values: SQLInputValue[]): R[] {
    const rows = super.rows<R>(sql, ...values);
    this.reads.push({ sql, rows: rows.length });
    return rows;
  }

  override all<R>(sql: string, ...values: SQLInputValue[]): R[] {
    const rows = super.all<R>(sql, ...values);
    this.reads.push({ sql, rows: rows.length });
    return rows;
  }
}

const room: Capacity = { slots: 8, memory: 2 ** 31, max: 8, kinds: ["hash"], starts: [], tags: [] };

function open(): { store: Store; db: WatchedConnection } {
  const db = new WatchedConnection(":memory:");
  migrateSchema(db, clock, ":memory:");
  const store = sqliteStore(db, { path: ":memory:", clock });
  opened.push(store);
  return { store, db };
}

const order = (n: number, more: Partial<NewOrder>): NewOrder => ({
  id: `o${n}`,
  queue: "q",
  kind: "hash",
  payload: null,
  priority: 0,
  memory: 2 ** 20,
  slots: 1,
  tags: [],
  maxRetries: 0,
  timeoutMs: 1,
  tenant: "",
  limitKey: null,
  runAt: 0,
  uniqueKey: null,
  uniqueUntil: null,
  after: [],
  ifAfterFails: "cancel",
  createdAt: n,
  carrier: null,
  ...more,
});

describe("the work orders of an SQLite store", () => {
  test("are claimed without reading a row of a backlog that does not fit, however long it is", async () => {
    const { store, db } = open();
    await store.orders.submit(
      Array.from({ length: 5_000 }, (_, n) => order(n, { priority: 9, memory: 2 ** 36 })),
    );
    await store.orders.submit([order(9_999, {})]);
    db.reads.length = 0;
    const taken = await store.orders.claim("q", "w", room, 1_000);
    expect(taken.map(({ id }) => id)).toEqual(["o9999"]);
    expect(db.reads.length).toBeLessThan(20);
    expect(db.reads.reduce((sum, read) => sum + read.rows, 0)).toBeLessThan(20);
  });

  test("are claimed without reading a row of a backlog that asks for other tags, or is beyond its limit", async () => {
    const { store, db } = open();
    await store.orders.configure("q", { limits: { "*": { concurrency: 1 } } }, "ana", "one each");
    const backlog = Array.from({ length: 5_000 }, (_, n) =>
      order(n, n % 2 === 0 ? { tags: [`t${n % 4}`], priority: 9 } : { limitKey: `k${n % 4}`, priority: 9 }),
    );
    await store.orders.submit(backlog);
    expect((await store.orders.claim("q", "w", room, 1_000)).length).toBe(2);
    await store.orders.submit([order(9_999, {})]);
    db.reads.length = 0;
    const taken = await store.orders.claim("q", "w", room, 1_000);
    expect(taken.map(({ id }) => id)).toEqual(["o9999"]);
    expect(db.reads.reduce((sum, read) => sum + read.rows, 0)).toBeLessThan(20);
  });

  test("are found in an index each time, without sorting", async () => {
    const { store, db } = open();
    await store.orders.configure(
      "q",
      { limits: { "*": { concurrency: 2, rate: { limit: 9, perMs: 9 } } } },
      "a",
      "",
    );
    db.reads.length = 0;
    await store.orders.submit([
      order(1, { limitKey: "k", uniqueKey: "u" }),
      order(2, { runAt: clock.now() + 5, limitKey: "k" }),
      order(3, { tenant: "t", tags: ["gpu"] }),
      order(4, { after: ["o1"] }),
    ]);
    await clock.advance(5);
    const taken = await store.orders.claim("q", "w", { ...room, tags: ["gpu"] }, 1_000);
    expect(taken.map(({ id }) => id).sort()).toEqual(["o1", "o2", "o3"]);
    const done = { from: ["PREPARING"], to: "COMPLETED", event: "completed" } as const;
    await store.orders.change(taken.map(({ id, fence }) => ({ id, fence, ...done })));
    await store.orders.configure("q", { limits: { "*": null } }, "a", "");
    await store.orders.waiting("q", 5);
    await store.orders.oldestDue("q");
    await store.orders.nextDue("q");
    await store.orders.holders("q");
    await store.orders.orphans("q", ["w"]);
    await store.orders.prune("q", clock.now() + 1, 5);
    for (const state of ["PENDING", "RUNNING", "WAITING_RETRY", "FAILED"] as const)
      await store.orders.list({ queue: "q", states: [state], limit: 5 });
    const texts = new Set(
      db.reads.map((read) => read.sql).filter((sql) => /FROM (json_each|orders)/.test(sql)),
    );
    expect(texts.size).toBeGreaterThanOrEqual(15);
    for (const sql of texts) {
      const marks = Array.from({ length: sql.split("?").length - 1 }, () => 1);
      const plan = db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...marks);
      const steps = plan.map((line) => line.detail).join("; ");
      // Orders held are as many as there are slots: those may be sorted.
      if (!steps.includes("orders_held"))
        expect(`${steps} ← ${sql}`).not.toMatch(/SCAN (?!wanted|\(subquery)|TEMP B-TREE/);
    }
  });
});
