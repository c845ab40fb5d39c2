import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { newOrder, starting } from "../../testing/store-contract/tools.ts";
import type { Store } from "../index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
  await (await openPostgresStore({ url: server.url(), schema: "s" })).close();
  await becomeStandby();
});
afterAll(() => server.stop());

/** It has no primary to follow, and waits to be promoted. */
async function becomeStandby(): Promise<void> {
  await server.halt();
  writeFileSync(join(server.folder, "data/standby.signal"), "");
  await server.start();
}

/** Time that passes only while something is waited for. */
async function passing<T>(timers: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = (): void => void (isOver = true);
  work.then(over, over);
  while (!isOver) {
    await timers.advance(5);
    await pause(1);
  }
  return work;
}

async function open(): Promise<{ store: Store; timers: ManualClock }> {
  const timers = new ManualClock();
  return { store: await openPostgresStore({ url: server.url(), schema: "s", timers }), timers };
}

test("a standby that was never a primary for this process is told of after seconds, and read from", async () => {
  const { store, timers } = await open();
  const since = timers.monotonic();
  const refused = Promise.all([
    expect(store.orders.submit([newOrder("a")])).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /expected a server that takes writes.*tried for 2 s/,
      remedy: /primary/,
    }),
    expect(store.orders.claim("q", "w", starting(1), 60_000)).rejects.toThrow(/takes writes/),
  ]);
  await passing(timers, refused);
  expect(timers.monotonic() - since).toBeLessThan(5_000);
  expect(await passing(timers, store.orders.get("a"))).toBeUndefined();
  await passing(timers, store.close());
});

test("a standby that is promoted meanwhile, or took writes before, is waited for", async () => {
  const { store, timers } = await open();
  const first = store.orders.submit([newOrder("b")]);
  await server.query("SELECT pg_promote()");
  expect(await passing(timers, first)).toMatchObject([{ fresh: true }]);
  await becomeStandby();
  const since = timers.monotonic();
  let isOver = false;
  const second = store.orders.submit([newOrder("c")]).finally(() => (isOver = true));
  while (timers.monotonic() - since < 10_000) {
    await timers.advance(20);
    await pause(1);
  }
  expect(isOver).toBe(false);
  await server.query("SELECT pg_promote()");
  expect(await passing(timers, second)).toMatchObject([{ fresh: true }]);
  await passing(timers, store.close());
});
