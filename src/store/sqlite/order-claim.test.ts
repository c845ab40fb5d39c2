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

  override all<R>(sql: string, ...values: SQLInputValue[]): R[] {
    const rows = super.all<R>(sql, ...values);
    this.reads.push({ sql, rows: rows.length });
    return rows;
  }
}

const room: Capacity = { slots: 8, memory: 2 ** 31, max: 8, kinds: ["hash"] };

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
  maxRetries: 0,
  timeoutMs: 1,
  tenant: "",
  runAt: 0,
  uniqueKey: null,
  createdAt: n,
  ...more,
});

describe("a claim", () => {
  test("reads no row of a backlog that does not fit, however long it is", async () => {
    const { store, db } = open();
    await store.orders.submit(
      Array.from({ length: 5_000 }, (_, n) => order(n, { priority: 9, memory: 2 ** 36 })),
    );
    await store.orders.submit([order(9_999, {})]);
    db.reads.length = 0;
    const taken = await store.orders.claim("q", "w", room, 1_000, clock.now());
    expect(taken.map(({ id }) => id)).toEqual(["o9999"]);
    expect(db.reads.length).toBeLessThan(20);
    expect(db.reads.reduce((sum, read) => sum + read.rows, 0)).toBeLessThan(20);
  });

  test("finds everything it reads in an index, without sorting", async () => {
    const { store, db } = open();
    await store.orders.submit([
      order(1, {}),
      order(2, { runAt: clock.now() + 5 }),
      order(3, { tenant: "t" }),
    ]);
    db.reads.length = 0;
    expect((await store.orders.claim("q", "w", room, 1_000, clock.now() + 5)).length).toBe(3);
    const texts = new Set(db.reads.map((read) => read.sql).filter((sql) => /FROM order/.test(sql)));
    expect(texts.size).toBeGreaterThanOrEqual(3);
    for (const sql of texts) {
      const marks = Array.from({ length: sql.split("?").length - 1 }, () => 1);
      const plan = db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...marks);
      expect(plan.map((line) => line.detail).join("; ")).not.toMatch(/SCAN|TEMP B-TREE/);
    }
  });
});
