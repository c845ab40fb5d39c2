import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { type Log, silentLog } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import type { RoutesFile } from "../routes-file.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-routes-file-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("routes.json shows every change as soon as its call resolves", async () => {
  const routesFile = join(folder, "routes.json");
  const clock = new ManualClock();
  await using store = await openSqliteStore({ path: ":memory:", clock, routesFile });
  const read = (): RoutesFile => JSON.parse(readFileSync(routesFile, "utf8")) as RoutesFile;
  expect(read()).toEqual({ savedAt: clock.now(), routes: [] });
  await clock.advance(5_000);
  const state = await store.routes.set({ route: "q", epoch: 0, stage: "live", share: 12.5, by: "ana" });
  expect(read()).toEqual({ savedAt: clock.now(), routes: [state] });
  await clock.advance(5_000);
  await store.routes.set({ route: "q", epoch: 0, stage: "off", share: 0, by: "ana" }).catch(() => {});
  expect(read().savedAt).toBe(clock.now() - 5_000);
  expect(readdirSync(folder)).toEqual(["routes.json"]);
});

test("a routes file that cannot be written is reported, harms no change, and is written when it can be", async () => {
  const place = join(folder, "later");
  const routesFile = join(place, "routes.json");
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (message) => errors.push(message) };
  await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock(), routesFile, log });
  await store.routes.set({ route: "q", epoch: 0, stage: "live", share: 1, by: "ana" });
  expect(errors).toEqual(["routes file not written", "routes file not written"]);
  mkdirSync(place);
  await store.orders.configure("q", { paused: true }, "ana", "any commit will do");
  expect(JSON.parse(readFileSync(routesFile, "utf8"))).toHaveProperty("routes", await store.routes.list());
});

test("a start leaves a routes file that tells the truth as it is, and mends one that does not", async () => {
  const [path, routesFile] = [join(folder, "kept.db"), join(folder, "kept.json")];
  const clock = new ManualClock();
  const first = await openSqliteStore({ path, clock, routesFile });
  await first.routes.set({ route: "q", epoch: 0, stage: "live", share: 5, by: "ana" });
  await first.close();
  const written = readFileSync(routesFile, "utf8");
  await clock.advance(5_000);
  await using second = await openSqliteStore({ path, clock, routesFile });
  expect(readFileSync(routesFile, "utf8")).toBe(written);
  for (const damage of ["", '{"routes":[]}', "null"]) {
    writeFileSync(routesFile, damage);
    await using _third = await openSqliteStore({ path, clock, routesFile });
    expect(JSON.parse(readFileSync(routesFile, "utf8"))).toHaveProperty("routes", await second.routes.list());
  }
});
