import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore, type OrderChange, type Store } from "../../src/store/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { newOrder } from "../model/shelf.ts";
import { effectsOf, Ledger, ledgerTime, note } from "./ledger.ts";
import { queueName } from "./plan.ts";
import type { Produced } from "./producer.ts";
import { judge } from "./verdict.ts";

const capacity = { slots: 1, memory: 1, max: 1, kinds: ["k"], starts: ["k"], tags: [] };

interface Done {
  readonly folder: string;
  readonly store: Store;
  readonly ledger: Ledger;
  readonly produced: Produced;
  readonly wrong: () => Promise<readonly string[]>;
  /** Does the next waiting order as the chaos' worker would; with `result` instead of its own. */
  readonly work: (n: number, result?: { n: number; fence: number }) => Promise<void>;
}

/** Two orders, the first of them done. */
async function done(): Promise<Done> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-verdict-"));
  const store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  const ledger = new Ledger(folder, "1");
  const ids = new Map([0, 1].map((n) => [n, `o${n}`]));
  const produced: Produced = { ids, cancelled: new Set(), prioritised: 0, again: 0, away: [] };
  await store.orders.submit([...ids.values()].map((id) => ({ ...newOrder(id), queue: queueName })));
  const work: Done["work"] = async (n, result) => {
    const [order] = await store.orders.claim(queueName, "w", capacity, 1_000);
    const { id = "", fence = 0 } = order ?? {};
    ledger.begin({ n, key: id, fence, attempt: 1 });
    ledger.effect(n, id, fence);
    ledger.end(n, fence, "done");
    const set = { result: { ...(result ?? { n, fence }) }, endedAt: 1 };
    await store.orders.change([{ id, fence, from: ["RUNNING"], to: "COMPLETED", event: "completed", set }]);
  };
  await work(0);
  return {
    folder,
    store,
    ledger,
    produced,
    work,
    wrong: async () => (await judge(store, folder, produced)).wrong,
  };
}

test("nothing is wrong with orders that were done once", async () => {
  const { work, wrong } = await done();
  await work(1);
  expect(await wrong()).toEqual([]);
});

test("an order that was acknowledged and is not there is lost", async () => {
  const { work, wrong, produced } = await done();
  await work(1);
  produced.ids.set(2, "o2");
  expect(await wrong()).toContain("o2: acknowledged, but lost");
});

test("an order that nobody did is stuck, one that was cancelled unasked is wrong too", async () => {
  const { wrong, store, produced } = await done();
  expect(await wrong()).toEqual(["o1: ended or stayed PENDING: null"]);
  const cancel: OrderChange = { id: "o1", fence: 0, from: ["PENDING"], to: "CANCELLED", event: "cancelled" };
  await store.orders.change([cancel]);
  expect(await wrong()).toEqual(["o1: ended or stayed CANCELLED: null"]);
  produced.cancelled.add(1);
  expect(await wrong()).toEqual([]);
});

test("an effect under two keys, and a result without an effect, are found", async () => {
  const { work, wrong, ledger, folder } = await done();
  await work(1);
  ledger.begin({ n: 1, key: "another key", fence: 2, attempt: 2 });
  ledger.effect(1, "another key", 2);
  ledger.end(1, 2, "done");
  rmSync(effectsOf(folder, 0), { recursive: true });
  expect(await wrong()).toEqual([
    "o0: COMPLETED without an effect",
    expect.stringMatching(/^o1: effects under the keys .*another key/),
  ]);
});

test("two attempts under one fence, and a result of another claim, are found", async () => {
  const { work, wrong, folder } = await done();
  await work(1, { n: 1, fence: 7 });
  note(folder, "2", { what: "begin", at: ledgerTime(), n: 0, key: "o0", fence: 1, attempt: 1 });
  expect(await wrong()).toEqual([
    "two attempts of 0 under fence 1",
    'o1: its result {"fence":7,"n":1} is not of its newest claim, 1',
  ]);
});

test("a result of an attempt that the ledger had shut out is found", async () => {
  const { work, wrong, ledger } = await done();
  ledger.begin({ n: 1, key: "o1", fence: 2, attempt: 1 });
  await work(1);
  expect(await wrong()).toEqual([
    "o1: COMPLETED without an effect",
    "o1: completed by an attempt that the ledger had shut out",
  ]);
});

test("a transition outside the table is found in the log", async () => {
  const { work, wrong, store } = await done();
  await work(1);
  const change = { id: "o1", fence: 1, from: ["COMPLETED"], to: "RUNNING" } as const;
  await store.orders.change([{ ...change, event: "started" }]);
  await store.orders.change([{ ...change, from: ["RUNNING"], to: "COMPLETED", event: "completed" }]);
  expect(await wrong()).toEqual([
    "o1: started led from COMPLETED (was COMPLETED) to RUNNING",
    "o1: completed 2 times",
  ]);
});
