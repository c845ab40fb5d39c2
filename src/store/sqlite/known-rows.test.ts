import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { Capacity, NewOrder } from "../order-records.ts";
import type { Store } from "../store.ts";
import { openSqliteStore } from "./open.ts";

const order = (id: string): NewOrder => ({
  id,
  queue: "q",
  kind: "noop",
  payload: { list: [1] },
  priority: 0,
  memory: 1,
  slots: 1,
  tags: [],
  maxRetries: 3,
  timeoutMs: 1_000,
  tenant: "",
  limitKey: null,
  runAt: 0,
  uniqueKey: null,
  uniqueUntil: null,
  after: [],
  ifAfterFails: "cancel",
  createdAt: 0,
  carrier: { trace: "x" },
});
const room: Capacity = { slots: 9, memory: 9, max: 9, kinds: ["noop"], starts: ["noop"], tags: [] };

const spoil = (value: unknown): void => {
  if (typeof value === "object" && value !== null) Object.assign(value, { list: "spoilt", trace: "spoilt" });
};

async function opened(): Promise<{ readonly path: string; readonly open: () => Promise<Store> }> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-known-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "a.db");
  const clock = new ManualClock();
  return {
    path,
    open: async () => {
      const store = await openSqliteStore({ path, clock });
      onTestFinished(() => store.close());
      return store;
    },
  };
}

test("what another process does to a claimed order is seen at once", async () => {
  const { open } = await opened();
  const [one, two] = [await open(), await open()];
  await one.orders.submit([order("a"), order("b")]);
  const held = await one.orders.claim("q", "one", room, 1_000);
  expect(held.map(({ id }) => id)).toEqual(["a", "b"]);
  await two.orders.requestCancel("a", "not wanted any more");
  const change = { id: "a", fence: 1, from: ["RUNNING"], to: "WAITING_RETRY", event: "lost" } as const;
  await expect(one.orders.change([change])).resolves.toMatchObject([{ cancelRequested: true }]);
  await two.orders.change([{ ...change, id: "b" }]);
  await expect(one.orders.change([{ ...change, id: "b" }])).rejects.toMatchObject({
    code: "CUTOVER_LEASE_LOST",
  });
});

test("what submitters and work do to their objects changes no order", async () => {
  const { open } = await opened();
  const store = await open();
  const given = order("a");
  const [stored] = await store.orders.submit([given]);
  spoil(given.payload);
  spoil(stored?.order.payload);
  const [first] = await store.orders.claim("q", "w", room, 1_000);
  expect(first?.payload).toEqual({ list: [1] });
  spoil(first?.payload);
  spoil(first?.carrier);
  const back = { id: "a", fence: 1, from: ["RUNNING"], to: "PENDING", event: "released" } as const;
  await store.orders.change([back]);
  const [second] = await store.orders.claim("q", "w", room, 1_000);
  expect(second).toMatchObject({ payload: { list: [1] }, carrier: { trace: "x" }, fence: 2 });
});

test("a renewed lease and a commit that failed are not remembered otherwise than they are", async () => {
  const { open, path } = await opened();
  const store = await open();
  await store.orders.submit([order("a")]);
  await store.orders.claim("q", "w", room, 1_000);
  await store.orders.renew([{ id: "a", fence: 1 }], 90_000);
  const until = (await store.orders.get("a"))?.leaseUntil;
  const step = { id: "a", fence: 1, from: ["RUNNING"], to: "RUNNING", event: "progressed" } as const;
  const [moved] = await store.orders.change([{ ...step, set: { progress: { done: 1 } } }]);
  expect(moved?.leaseUntil).toBe(until);
  const spoiler = new DatabaseSync(path);
  spoiler.exec("CREATE TRIGGER no BEFORE UPDATE ON orders BEGIN SELECT RAISE(ABORT, 'no'); END");
  await expect(store.orders.change([{ ...step, to: "COMPLETED", event: "completed" }])).rejects.toThrow();
  spoiler.exec("DROP TRIGGER no");
  spoiler.close();
  const [ended] = await store.orders.change([{ ...step, to: "COMPLETED", event: "completed" }]);
  expect(ended).toMatchObject({ state: "COMPLETED", progress: { done: 1 } });
});
