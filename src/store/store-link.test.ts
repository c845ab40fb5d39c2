import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type CutoverError, type LinkedDoor, type RouteState, systemClock } from "../core/index.ts";
import { createRollout, type Rollout } from "../rollout/index.ts";
import { ManualClock } from "../testing/index.ts";
import { livingDeclarations, openSqliteStore, RouteFeed, type Store, storeLink } from "./index.ts";

let folder: string;
let store: Store;
let rollout: Rollout | undefined;
const open = (): Promise<Store> => openSqliteStore({ path: join(folder, "work.db"), clock: systemClock });
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cutover-link-"));
  store = await open();
});
afterEach(async () => {
  await rollout?.close();
  rollout = undefined;
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const sides = { old: (id: string) => `old ${id}`, new: (id: string) => `new ${id}`, key: (id: string) => id };
const complete = { route: "r", epoch: 0, stage: "complete", share: 100, by: "ann" } as const;

async function until(what: () => boolean | Promise<boolean>, within = 5_000): Promise<number> {
  const start = performance.now();
  while (!(await what())) {
    if (performance.now() - start > within) throw new Error(`not within ${within} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - start;
}

test("a door beside an open store starts with its stages and follows its changes at once", async () => {
  await store.routes.set(complete);
  rollout = createRollout({ link: storeLink(store), flush: 20 });
  const fn = rollout.route("r", sides);
  await until(() => fn("x") === "new x");
  await store.routes.set({ ...complete, epoch: 1, stage: "off", share: 0 });
  expect(fn("x")).toBe("old x");
});

test("a change that another connection of the same file makes reaches the door", async () => {
  await store.routes.set(complete);
  rollout = createRollout({ link: storeLink(store), flush: 20 });
  const fn = rollout.route("r", sides);
  await until(() => fn("x") === "new x");
  await using other = await open();
  await other.routes.set({ ...complete, epoch: 1, stage: "off", share: 0 });
  expect(await until(() => fn("x") === "old x")).toBeLessThan(2_000);
});

test("what the door measures lies in the store, and close() waits for the last of it", async () => {
  await store.routes.set(complete);
  const link = storeLink(store);
  rollout = createRollout({ link, flush: "1h" });
  const fn = rollout.route("r", { ...sides, operations: ["a"] });
  await until(() => fn("x") === "new x");
  await rollout.close();
  const stored = await store.routes.intervals({ route: "r", since: 0 });
  expect(stored.reduce((sum, interval) => sum + interval.new.calls, 0)).toBe(1);
  expect(link.declarations("r")).toEqual([
    expect.objectContaining({ route: "r", operations: ["a"], door: rollout.name }),
  ]);
  expect(link.declarations("other")).toEqual([]);
});

test("a route that the record does not know is written into it once, so that other processes can set it", async () => {
  rollout = createRollout({ link: storeLink(store), name: "shop" });
  const fn = rollout.route("r", sides);
  await until(async () => (await store.routes.list()).length === 1);
  await using other = await open();
  await until(async () => (await livingDeclarations(other, "r")).length === 1);
  expect((await livingDeclarations(other))[0]).toMatchObject({ route: "r", door: "shop" });
  await other.routes.set({ ...complete, epoch: 1 });
  await until(() => fn("x") === "new x");
  await rollout.close();
  rollout = createRollout({ link: storeLink(store) });
  rollout.route("r", sides);
  await rollout.close();
  expect((await store.routes.changes("r")).map(({ by, after }) => [by, after.stage])).toEqual([
    ["door shop", "off"],
    ["ann", "complete"],
  ]);
});

test("while the store takes nothing, the measurements are kept and the trouble is told once", async () => {
  const errors: CutoverError[] = [];
  let broken = true;
  const taken: string[] = [];
  const routes = {
    ...store.routes,
    get: () => Promise.resolve({}),
    declare: () => Promise.resolve(),
    recordIntervals: (intervals: readonly { readonly id: string }[]): Promise<number> => {
      if (broken) return Promise.reject(new Error("the server went away"));
      taken.push(...intervals.map(({ id }) => id));
      return Promise.resolve(intervals.length);
    },
  };
  const failing = new Proxy(store, {
    get: (target, name) => (name === "routes" ? routes : Reflect.get(target, name, target)),
  });
  rollout = createRollout({
    link: storeLink(failing, { onError: (error) => errors.push(error) }),
    flush: 10,
  });
  const fn = rollout.route("r", sides);
  fn("x");
  await until(() => errors.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 60));
  fn("x");
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(errors.map(({ code }) => code)).toEqual(["CUTOVER_STORE_UNAVAILABLE"]);
  broken = false;
  fn("x");
  await until(() => taken.length >= 3);
  expect(new Set(taken).size).toBe(taken.length);
});

test("a feed looks again after a look that failed, tells each state once, and stops with its last listener", async () => {
  const clock = new ManualClock();
  let looks = 0;
  let answer: readonly RouteState[] | Error = new Error("gone");
  const listed = new Proxy(store, {
    get: (target, name) =>
      name === "routes"
        ? {
            list: () => {
              looks++;
              return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
            },
          }
        : Reflect.get(target, name, target),
  });
  const told: number[] = [];
  const end = new RouteFeed(listed, { clock, lookMs: 100 }).subscribe(({ epoch }) => told.push(epoch));
  await clock.advance(100);
  expect(told).toEqual([]);
  answer = [{ route: "r", stage: "off", share: 0, epoch: 4, salt: "s" }];
  await clock.advance(300);
  expect(told).toEqual([4]);
  // An older state of the same store, as a look that began earlier may bring it.
  answer = [{ route: "r", stage: "off", share: 0, epoch: 3, salt: "s" }];
  await clock.advance(100);
  expect(told).toEqual([4]);
  end();
  const before = looks;
  await clock.advance(1_000);
  expect([looks, clock.pending]).toEqual([before, 0]);
});

test("a door that hears of a store may not be brought down by an error hook that throws", async () => {
  const link = storeLink(store, {
    onError: () => {
      throw new Error("the hook is broken");
    },
  });
  const door: LinkedDoor = { name: "d", apply: () => {}, declarations: () => [] };
  link.open(door);
  await store.close();
  link.send([{ id: "1" } as never], []);
  await link.close();
  store = await open();
});
