import { describe, expect, test } from "vitest";
import { failing, refused, replacing, unanswered } from "../../test/queue/failing-store.ts";
import { gate, open } from "../../test/queue/manual-queue.ts";
import { CutoverError, sleep } from "../core/index.ts";
import type { OrderStore } from "../store/index.ts";
import { openQueue } from "./index.ts";

const manual = { stagger: 0, random: () => 0 };
const room = { slots: 1, memory: 1_000, max: 1, tags: [] };

describe("a claim", () => {
  test("is kept by heartbeats for as long as the work takes", async () => {
    const { queue, store, clock, pass } = await open({ lease: "15s", workerId: "one" });
    const door = gate<string>();
    queue.work("job", door.work);
    const { id } = await queue.submit("job");
    await pass(0);
    const other = await openQueue({ store }, { clock, workerId: "two", stagger: 0, slots: 4 });
    other.work("job", door.work);
    for (let i = 0; i < 24; i++) await pass(5_000);
    expect(door.started).toBe(1);
    door.finish("after two minutes");
    await pass(0);
    expect(await queue.get(id)).toMatchObject({
      state: "COMPLETED",
      attempt: 1,
      fence: 1,
      result: "after two minutes",
    });
    await other.stop();
  });

  test("that cannot be renewed is given up before it ends; another worker goes on, a late result is refused", async () => {
    const { store, clock, pass } = await open();
    let away = false;
    const cut = failing(store, () => (away ? ["renew", "change", "claim", "orphans", "seen"] : []));
    const first = await openQueue({ store: cut }, { clock, workerId: "one", lease: "15s", stagger: 0 });
    const aborted: number[] = [];
    const late = gate<string>();
    first.work("job", (_, { signal }) => {
      signal.addEventListener("abort", () => aborted.push(clock.now()));
      return late.work();
    });
    const { id } = await first.submit("job");
    const begin = clock.now();
    await pass(0);
    away = true;
    const second = await openQueue({ store }, { clock, workerId: "two", stagger: 0 });
    const mine: number[] = [];
    second.work("job", (_, { fence }) => {
      mine.push(clock.now());
      return { by: "two", fence };
    });
    for (let i = 0; i < 60; i++) await pass(1_000);
    // Two heartbeats (5 s, 10 s) failed: the work was asked to end before its lease did, and only then taken over.
    expect(aborted).toEqual([begin + 10_000]);
    expect(mine).toHaveLength(1);
    expect(mine[0]).toBeGreaterThan(begin + 15_000);
    away = false;
    late.finish("by one, too late");
    await pass(0);
    expect(await second.get(id)).toMatchObject({
      state: "COMPLETED",
      result: { by: "two", fence: 2 },
      attempt: 1,
      crashes: 1,
    });
    expect((await first.metrics()).late).toBe(1);
    expect((await second.timeline(id)).map(({ event }) => event)).toEqual([
      "submitted",
      "claimed",
      "started",
      "lost",
      "retry-due",
      "claimed",
      "started",
      "completed",
    ]);
    await first.stop();
    await second.stop();
  });

  test("whose heartbeat hangs in the store is given up before it ends, as one whose heartbeat fails", async () => {
    const { store, clock, pass } = await open();
    const hung = failing(store, () => ["renew"], unanswered);
    const queue = await openQueue({ store: hung }, { clock, lease: "15s", ...manual });
    const aborted: number[] = [];
    queue.work("job", (_, { signal }) => {
      signal.addEventListener("abort", () => aborted.push(clock.now()));
      return unanswered();
    });
    const begin = clock.now();
    await queue.submit("job");
    for (let i = 0; i < 15; i++) await pass(1_000);
    expect(aborted).toEqual([begin + 10_000]);
    const stopping = queue.stop();
    await clock.advance(60_000);
    await stopping;
  });

  test.each([
    ["claim", 6_000, 11_000],
    ["renew", 4_000, 15_000],
  ] as const)(
    "counts from when the store was asked, not from its answer: a slow %s",
    async (slow, ms, end) => {
      const { store, clock, pass } = await open();
      const calls = { claim: 0, renew: 0 };
      const answerSlowly = async <T>(answer: Promise<T>): Promise<T> => {
        await sleep(clock, ms);
        return answer;
      };
      const answered = async <T>(name: "claim" | "renew", ask: () => Promise<T>): Promise<T> => {
        const isFirst = calls[name]++ === 0;
        // One heartbeat comes through at most.
        if (name === "renew" && !(isFirst && slow === "renew")) return refused();
        const answer = ask();
        return name === slow && isFirst ? answerSlowly(answer) : answer;
      };
      const late = replacing(store, (own) => ({
        claim: (...given) => answered("claim", () => own.claim(...given)),
        renew: (...given) => answered("renew", () => own.renew(...given)),
      }));
      const queue = await openQueue({ store: late }, { clock, lease: "15s", ...manual });
      const aborted: number[] = [];
      const begin = clock.now();
      await queue.submit("job");
      queue.work("job", (_, { signal }) => {
        signal.addEventListener("abort", () => aborted.push(clock.now() - begin));
        return unanswered();
      });
      for (let i = 0; i < 20; i++) await pass(1_000);
      expect(aborted).toEqual([end]);
      const stopping = queue.stop();
      await clock.advance(60_000);
      await stopping;
    },
  );

  test("that a heartbeat finds lost ends the work, which somebody else may have begun again", async () => {
    const { queue, store, clock, pass } = await open({ lease: "15s", slots: 1 });
    const aborted: number[] = [];
    const begin = clock.now();
    queue.work("job", (_, { signal }) => {
      signal.addEventListener("abort", () => aborted.push(clock.now() - begin));
      return unanswered();
    });
    const { id } = await queue.submit("job");
    await pass(1_000);
    await store.orders.change([{ id, fence: 1, from: ["RUNNING"], to: "PENDING", event: "released" }]);
    await store.orders.claim(
      "default",
      "elsewhere:1:1",
      { ...room, kinds: ["job"], starts: ["job"] },
      60_000,
    );
    expect(await queue.get(id)).toMatchObject({ state: "RUNNING", fence: 2 });
    expect(aborted).toEqual([]);
    await pass(4_000);
    expect(aborted).toEqual([5_000]);
    await pass(10_000);
    expect(await queue.get(id)).toMatchObject({ state: "RUNNING", fence: 2, worker: "elsewhere:1:1" });
  });

  test("whose lease ran out is not made anew here beside work that is still being ended", async () => {
    const { store, clock, pass } = await open();
    let away = true;
    const cut = failing(store, () => (away ? ["renew"] : []));
    const queue = await openQueue({ store: cut }, { clock, lease: "15s", workerId: "one", ...manual });
    let running = 0;
    let most = 0;
    const ending = Promise.withResolvers<void>();
    queue.work("job", {
      provider: "stubborn",
      prepare: (order) => {
        most = Math.max(most, ++running);
        return Promise.resolve({
          run: () => (order.fence === 1 ? unanswered() : Promise.resolve("again")),
          cancel: () => ending.promise.then(() => void running--),
          cleanup: () => Promise.resolve(),
        });
      },
      findOrphan: () => undefined,
    });
    const { id } = await queue.submit("job");
    // Asked to end after two thirds of the lease; what a dead worker left is looked for each 15 s.
    for (let i = 0; i < 9; i++) await pass(5_000);
    expect(await queue.get(id)).toMatchObject({ state: "RUNNING", fence: 1, worker: "one" });
    away = false;
    ending.resolve();
    for (let i = 0; i < 4; i++) await pass(5_000);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", fence: 2, result: "again", crashes: 0 });
    expect(most).toBe(1);
    await queue.stop();
  });

  test("keeps a result while the store is away for a moment, and writes it when it is back", async () => {
    const { store, clock, pass } = await open();
    let away = false;
    const cut = failing(store, () => (away ? ["change"] : []));
    const queue = await openQueue({ store: cut }, { clock, lease: "15s", stagger: 0 });
    const door = gate<string>();
    queue.work("job", door.work);
    const { id } = await queue.submit("job");
    await pass(0);
    away = true;
    door.finish("worth keeping");
    await pass(3_000);
    expect((await queue.get(id))?.state).toBe("RUNNING");
    away = false;
    await pass(3_000);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", result: "worth keeping", attempt: 1 });
    await queue.stop();
  });

  test("of a store that refuses or does not answer: health says so soon, with the figures of before", async () => {
    const { store, clock, pass } = await open();
    let counts: (() => ReturnType<OrderStore["counts"]>) | undefined;
    const cut = replacing(store, () => (counts === undefined ? {} : { counts }));
    const queue = await openQueue({ store: cut }, { clock, stagger: 0 });
    await queue.submit("job");
    expect((await queue.health()).depth.unfinished).toBe(1);
    counts = () => Promise.reject(new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "it is away" }));
    expect(await queue.health()).toMatchObject({
      status: "critical",
      reasons: [
        { code: "store", message: expect.stringContaining("it is away") },
        { code: "no-worker" },
        { code: "no-handlers" },
      ],
      depth: { unfinished: 1 },
    });
    counts = unanswered;
    const asked = queue.health();
    await pass(2_000);
    expect((await asked).reasons[0]).toEqual({
      code: "store",
      message: "work cannot be claimed: the store did not answer within 2.0 s",
    });
    counts = undefined;
    expect((await queue.health()).reasons.map(({ code }) => code)).toEqual(["no-worker", "no-handlers"]);
    await queue.stop();
  });

  test("cannot be made while the store is away, health says so, and work goes on when it is back", async () => {
    const { store, clock, pass } = await open();
    let away = true;
    const queue = await openQueue(
      { store: failing(store, () => (away ? ["claim"] : [])) },
      { clock, stagger: 0 },
    );
    queue.work("job", () => null);
    const { id } = await queue.submit("job");
    await pass(2_000);
    expect(await queue.health()).toMatchObject({
      status: "critical",
      reasons: [{ code: "store", message: expect.stringContaining("the disk is away") }],
    });
    away = false;
    await pass(1_000);
    expect((await queue.get(id))?.state).toBe("COMPLETED");
    expect((await queue.health()).reasons.map(({ code }) => code)).not.toContain("store");
    await queue.stop();
  });
});
