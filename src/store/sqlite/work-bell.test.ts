import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { type Log, silentLog } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import { claimIds, newOrder } from "../../testing/store-contract/tools.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-bell-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a worker hears of orders that another store, or a caller's own transaction, committed to its file", async () => {
  const path = join(folder, "a.db");
  const clock = new ManualClock();
  await using store = await openSqliteStore({ path, clock });
  await using other = await openSqliteStore({ path, clock });
  const rung: string[] = [];
  const stop = store.orders.onWork((queue) => rung.push(queue));
  expect(await claimIds(store, 1)).toEqual([]);
  await clock.advance(1_000);
  expect(rung).toEqual([]);
  await other.orders.submit([newOrder("a")]);
  await clock.advance(50);
  expect(rung).toEqual(["q"]);
  await clock.advance(1_000);
  expect(rung).toEqual(["q"]);
  const caller = new DatabaseSync(path);
  caller.exec("BEGIN IMMEDIATE");
  await store.orders.submitWithin(caller, [newOrder("b")]);
  await clock.advance(1_000);
  expect(rung).toEqual(["q"]);
  caller.exec("COMMIT");
  caller.close();
  await clock.advance(50);
  expect(rung).toEqual(["q", "q"]);
  expect((await claimIds(store, 5)).sort()).toEqual(["a", "b"]);
  stop();
  expect(clock.pending).toBe(0);
});

test("a listener for work that throws harms neither the store nor the others", async () => {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => errors.push(message) };
  await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock(), log });
  const rung: string[] = [];
  store.orders.onWork(() => {
    throw new Error("mine");
  });
  store.orders.onWork((queue) => rung.push(queue));
  await store.orders.submit([newOrder("a")]);
  expect([rung, errors]).toEqual([["q"], ["a listener for new work threw"]]);
});
