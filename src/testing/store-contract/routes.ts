import type { Interval, MismatchSample } from "../../core/index.ts";
import { type ContractCase, created, refusal } from "./tools.ts";

const side = { calls: 10, errors: 0, latency: [[12, 10]] } as const;

function interval(id: string, route: string, to: number): Interval {
  return {
    id,
    route,
    door: "host:1",
    epoch: 1,
    stage: "live" as const,
    share: 10,
    from: to - 1_000,
    to,
    old: side,
    new: side,
    shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
    compared: 0,
    mismatches: 0,
    failedOver: 0,
    operations: {},
  };
}

export function routeContract({ describe, expect, withStore }: ContractCase): void {
  describe("routes", () => {
    withStore("a route changes only from the epoch that was seen, and keeps its salt", async ({ store }) => {
      const set = { route: "queue.submit", stage: "shadow", share: 0, by: "ana" } as const;
      const first = await store.routes.set({ ...set, epoch: 0 });
      const second = await store.routes.set({ ...set, epoch: 1, stage: "live", share: 12.5, reason: "go" });
      expect([first.epoch, second.epoch]).toEqual([1, 2]);
      expect(second).toEqual({
        route: "queue.submit",
        stage: "live",
        share: 12.5,
        epoch: 2,
        salt: first.salt,
      });
      expect(await refusal(store.routes.set({ ...set, epoch: 1 }))).toBe("CUTOVER_ROUTE_EPOCH");
      expect(await store.routes.get("queue.submit")).toEqual(second);
      expect(await store.routes.list()).toEqual([second]);
      expect(await store.routes.get("other")).toBe(undefined);
      const changes = await store.routes.changes("queue.submit");
      expect(changes.map((change) => [change.before, change.after, change.reason])).toEqual([
        [null, first, undefined],
        [first, second, "go"],
      ]);
    });

    withStore("of two changes made at once from the same epoch one is refused", async ({ store }) => {
      const set = { route: "a", epoch: 0, stage: "live", by: "x" } as const;
      const outcomes = await Promise.all([
        refusal(store.routes.set({ ...set, share: 10 })),
        refusal(store.routes.set({ ...set, share: 20 })),
      ]);
      expect(outcomes).toEqual(["nothing thrown", "CUTOVER_ROUTE_EPOCH"]);
      expect(await store.routes.get("a")).toMatchObject({ share: 10, epoch: 1 });
    });

    withStore("a change for a run belongs to the run and checks its fence", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      const { fence } = await store.runs.claim("r1", "a", 10_000);
      const set = { route: "a", epoch: 0, stage: "live", share: 10, by: "engine" } as const;
      expect(await refusal(store.routes.set(set, { id: "r1", fence: fence - 1 }))).toBe("CUTOVER_LEASE_LOST");
      expect(await store.routes.get("a")).toBe(undefined);
      await store.routes.set(set, { id: "r1", fence });
      const events = await store.events.read({ stream: "run:r1", limit: 10 });
      expect(events.at(-1)?.type).toBe("route.changed");
      expect((await store.routes.changes("a")).length).toBe(1);
    });

    withStore("a share outside 0 to 100 and an unknown stage are refused", async ({ store }) => {
      const set = { route: "a", epoch: 0, stage: "live", share: 10, by: "x" } as const;
      for (const share of [-1, 100.1, Number.NaN]) {
        expect(await refusal(store.routes.set({ ...set, share }))).toBe("CUTOVER_SHARE_INVALID");
      }
      expect(await refusal(store.routes.set({ ...set, stage: "half" as "live" }))).toBe(
        "CUTOVER_ROUTE_INVALID",
      );
      expect(await store.routes.list()).toEqual([]);
    });
  });

  describe("measurements of routes", () => {
    withStore(
      "an interval delivered twice counts once, and intervals come oldest first",
      async ({ store, clock }) => {
        const now = clock.now();
        expect(
          await store.routes.recordIntervals([interval("b", "r", now), interval("a", "r", now - 500)]),
        ).toBe(2);
        expect(await store.routes.recordIntervals([interval("b", "r", now), interval("c", "s", now)])).toBe(
          1,
        );
        const ids = async (query: { route?: string; since: number }): Promise<string[]> =>
          (await store.routes.intervals(query)).map((found) => found.id);
        expect(await ids({ route: "r", since: 0 })).toEqual(["a", "b"]);
        expect(await ids({ since: 0 })).toEqual(["a", "b", "c"]);
        expect(await ids({ since: now - 500 })).toEqual(["b", "c"]);
        expect((await store.routes.intervals({ route: "s", since: 0 }))[0]).toEqual(interval("c", "s", now));
      },
    );

    withStore("intervals older than a day are pruned and not stored again", async ({ store, clock }) => {
      const old = interval("old", "r", clock.now());
      await store.routes.recordIntervals([old]);
      await clock.advance(24 * 3_600_000 + 1);
      expect(await store.routes.recordIntervals([interval("new", "r", clock.now()), old])).toBe(1);
      expect((await store.routes.intervals({ since: 0 })).map((found) => found.id)).toEqual(["new"]);
    });

    withStore(
      "intervals are also given in the order in which they were stored, each once",
      async ({ store, clock }) => {
        const now = clock.now();
        await store.routes.recordIntervals([interval("a", "r", now), interval("x", "s", now)]);
        const query = { route: "r", since: now - 60_000 };
        const first = await store.routes.arrivals({ ...query, after: 0 });
        expect(first.intervals.map(({ id }) => id)).toEqual(["a"]);
        const late = [interval("late", "r", now - 30_000), interval("before", "r", now - 60_000)];
        await store.routes.recordIntervals([...late, interval("a", "r", now)]);
        const second = await store.routes.arrivals({ ...query, after: first.position });
        expect(second.intervals.map(({ id }) => id)).toEqual(["late"]);
        const none = await store.routes.arrivals({ ...query, after: second.position });
        expect(none).toEqual({ intervals: [], position: second.position });
      },
    );

    withStore(
      "a key that fails at several doors counts once in a period, and hashes are not kept",
      async ({ store, clock }) => {
        const now = clock.now();
        const period = Math.floor(now / 3_600_000);
        const failed = (
          id: string,
          old: readonly number[],
          fresh: readonly number[],
          its = period,
        ): Interval => ({
          ...interval(id, "r", now),
          firstErrors: { old: old.length, new: fresh.length, period: its, keys: { old, new: fresh } },
        });
        const most = Number.MAX_SAFE_INTEGER;
        const many = Array.from({ length: 234 }, (_, n) => 1_000 + n);
        await store.routes.recordIntervals([failed("a", [1, 2, most], [3])]);
        await store.routes.recordIntervals([
          failed("b", [2, most - 1, 4], [1, 3, 5]),
          failed("c", many, []),
          failed("d", [1_233], [999]),
          { ...failed("e", [1], []), route: "s" },
        ]);
        // Delivered again, an interval changes nothing, though all its keys are known by now.
        await store.routes.recordIntervals([failed("a", [1, 2, most], [3])]);
        const counts = async (): Promise<object> =>
          Object.fromEntries(
            (await store.routes.intervals({ since: 0 })).map(({ id, firstErrors }) => [id, firstErrors]),
          );
        expect(await counts()).toEqual({
          a: { old: 3, new: 1, period },
          b: { old: 2, new: 1, period },
          c: { old: 234, new: 0, period },
          d: { old: 0, new: 1, period },
          e: { old: 1, new: 0, period },
        });
        // The next hour counts keys anew; a door whose clock is years ahead counts nothing.
        await store.routes.recordIntervals([
          failed("f", [1], [], period + 1),
          failed("g", [1], [7], period + 9_000),
          failed("h", [1], [7], period - 3),
        ]);
        expect(await counts()).toMatchObject({
          f: { old: 1, new: 0, period: period + 1 },
          g: { old: 0, new: 0, period },
          h: { old: 0, new: 0, period: period - 3 },
        });
      },
    );

    withStore(
      "what doors declare is known to every process while it is repeated, once for doors that agree",
      async ({ store }) => {
        const declared = { route: "r", operations: ["get", "put"], stages: ["off", "live"] as const };
        const before = store.clock.now();
        await store.routes.declare([
          { ...declared, door: "one" },
          { ...declared, door: "two" },
          { ...declared, door: "three", never: { put: "personal" } },
          { ...declared, route: "s", door: "one", cohorts: ["free"], backlogLimit: 3 },
        ]);
        await store.routes.declare([{ ...declared, door: "four" }]);
        expect((await store.routes.declarations({ since: before })).length).toBe(3);
        const found = await store.routes.declarations({ route: "r", since: before });
        expect(found.map(({ never }) => never?.["put"] ?? "").toSorted()).toEqual(["", "personal"]);
        expect(found.every(({ stages }) => stages.join() === "off,live")).toBe(true);
        expect(await store.routes.declarations({ route: "s", since: before })).toEqual([
          { ...declared, route: "s", door: "one", cohorts: ["free"], backlogLimit: 3 },
        ]);
        expect(await store.routes.declarations({ since: store.clock.now() + 1_000 })).toEqual([]);
        expect(await store.routes.declarations({ route: "none", since: 0 })).toEqual([]);
        expect(await store.events.count()).toBe(0);
      },
    );

    withStore("only the newest 200 mismatches of a route are kept", async ({ store }) => {
      const sample = (route: string, n: number): MismatchSample => ({
        id: `${route}${n}`,
        route,
        door: "d",
        at: n,
        key: "k",
        operation: "submit",
        differences: [{ path: "total", old: "1", new: "2" }],
      });
      const many = Array.from({ length: 250 }, (_, n) => sample("r", n));
      await store.routes.recordMismatches([...many, sample("s", 1)]);
      await store.routes.recordMismatches([sample("r", 249)]);
      const kept = await store.routes.mismatches("r");
      expect([kept.length, kept[0]?.at, kept.at(-1)?.at]).toEqual([200, 249, 50]);
      expect(await store.routes.mismatches("s")).toEqual([sample("s", 1)]);
    });
  });
}
