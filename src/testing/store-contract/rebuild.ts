import type { ManualClock } from "../manual-clock.ts";
import type { OrderRecord, OrderState, RunEvent, Store } from "../../store/index.ts";
import { type ContractCase, created, newOrder, refusal, seededRandom, starting, stepMoved } from "./tools.ts";

const steps = ["a", "b", "c"];
const stepStates = ["PENDING", "RUNNING", "DONE", "FAILED", "ROLLING_BACK", "ROLLED_BACK"];
/** Where an order may go from a state; claims are the store's. */
const moves: Readonly<Record<OrderState, readonly OrderState[]>> = {
  PENDING: ["FAILED", "CANCELLED"],
  PREPARING: ["RUNNING", "PENDING", "FAILED"],
  RUNNING: ["COMPLETED", "FAILED", "WAITING_RETRY", "PENDING", "CANCELLED", "RUNNING"],
  WAITING_RETRY: ["PENDING", "CANCELLED"],
  COMPLETED: [],
  FAILED: ["PENDING"],
  CANCELLED: ["PENDING"],
};

/** Everything that is computed from events, as the doors show it. */
async function rows(store: Store): Promise<unknown> {
  const runs = await store.runs.list();
  return {
    runs,
    perRun: await Promise.all(
      runs.map(async ({ id }) => [
        await store.runs.graph(id),
        await store.runs.phases(id),
        await store.runs.steps(id),
        await store.runs.evidence(id),
        await store.runs.verdicts(id),
        await store.runs.approvals(id),
        await store.runs.incidents(id),
      ]),
    ),
    routes: await store.routes.list(),
    changes: await Promise.all(["r0", "r1"].map((route) => store.routes.changes(route))),
    orders: await store.orders.list({ queue: "q", limit: 1_000 }),
    histories: await Promise.all(
      (await store.orders.list({ queue: "q", limit: 1_000 })).map(({ id }) => store.orders.history(id)),
    ),
    counts: await store.orders.counts("q"),
    config: await store.orders.config("q"),
  };
}

/** A random history, many of whose calls are refused: it knows too little to be always right. */
async function live(store: Store, random: () => number, turns: number, clock: ManualClock): Promise<void> {
  const now = (): number => clock.now();
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const known: OrderRecord[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const run = `r${Math.floor(random() * 3)}`;
    const step = pick(steps);
    const choice = Math.min(11, Math.floor(random() * 18));
    if (random() < 0.05) await clock.advance(20);
    const epoch = (await store.routes.get(run))?.epoch ?? 0;
    const calls: readonly (() => Promise<unknown>)[] = [
      () => store.runs.commit(run, [created]),
      () => store.runs.commit(run, [stepMoved(step, pick(stepStates), pick(stepStates), { attempt: turn })]),
      () =>
        store.runs.commit(run, [
          stepMoved(step, "PENDING", "RUNNING"),
          stepMoved(step, "RUNNING", "DONE", { result: turn }),
        ]),
      () =>
        store.runs.commit(run, [
          { type: "step.checkpoint", data: { step, attempt: turn, checkpoint: { turn } } },
        ]),
      () =>
        store.runs.commit(run, [
          { type: "evidence.recorded", data: { id: `e${turn % 5}`, name: "n", data: { turn } } },
        ]),
      () =>
        store.runs.commit(run, [
          { type: "approval.given", data: { phase: "p", by: step, reason: "", evidence: "x" } },
        ]),
      () =>
        store.runs.commit(run, [{ type: "approval.lapsed", data: { phase: "p", by: step, evidence: "x" } }]),
      () => store.runs.claim(run, step, 1_000, "same-machine"),
      () => store.routes.set({ route: run, epoch, stage: "live", share: turn % 101, by: step }),
      async () => {
        const leaders = known.filter(() => random() < 0.1).slice(0, 2);
        const more = {
          priority: turn % 3,
          tenant: step,
          tags: turn % 7 === 0 ? ["gpu"] : [],
          limitKey: turn % 4 === 0 ? "k" : null,
          runAt: turn % 2 === 0 ? 0 : now() + 50,
          uniqueKey: turn % 5 === 0 ? step : null,
          uniqueUntil: turn % 10 === 0 ? now() + 30 : null,
          after: leaders.map(({ id }) => id),
          ifAfterFails: random() < 0.5 ? ("cancel" as const) : ("run" as const),
        };
        for (const { order } of await store.orders.submit([newOrder(`o${turn}`, more)])) known.push(order);
      },
      async () => {
        known.push(...(await store.orders.claim("q", step, starting(2, { tags: ["gpu"] }), 1_000)));
      },
      async () => {
        const order = known.length === 0 ? undefined : pick(known);
        if (order === undefined) return;
        if (random() < 0.2) await store.orders.requestCancel(order.id, "because");
        if (random() < 0.2) await store.orders.setPriority(order.id, turn % 4);
        if (random() < 0.2) await store.orders.renew([order], 9_000);
        if (random() < 0.1) await store.orders.configure("q", { weights: { [step]: turn } }, step, "turn");
        const to = pick(moves[order.state]);
        if (to === undefined) return;
        const set = { runAt: now() + 10, result: { turn }, error: { code: "E", message: "m" } };
        const change = { id: order.id, fence: order.fence, from: [order.state], to, event: "x", set };
        known.push(...(await store.orders.change([change])));
      },
    ];
    await refusal((calls[choice] as () => Promise<unknown>)());
  }
}

/** What a hand with the database could do, and where that shows first. */
const forgeries: readonly (readonly [title: string, brokenAt: number, sql: string])[] = [
  ["an event was changed", 3, "UPDATE events SET at = at + 1 WHERE seq = 3"],
  ["a later event was changed", 230, "UPDATE events SET stream = 'queue:q2' WHERE seq = 230"],
  ["an event was removed", 4, "DELETE FROM events WHERE seq = 4"],
  ["the first one was removed", 1, "DELETE FROM events WHERE seq = 1"],
  ["the newest were removed", 241, "DELETE FROM events WHERE seq > 240"],
  [
    "the hash of an event was changed",
    5,
    "UPDATE events SET hash = (SELECT hash FROM events WHERE seq = 6) WHERE seq = 5",
  ],
];

/** More events than are replayed together. */
async function grow(store: Store): Promise<void> {
  await store.orders.submit([newOrder("o1"), newOrder("o2")]);
  await store.orders.claim("q", "w", starting(1), 1_000);
  const note = (n: number): RunEvent => ({ type: "note.added", data: { by: "ana", text: `note ${n}` } });
  await store.runs.commit("r0", [created, ...Array.from({ length: 240 }, (_, n) => note(n))]);
}

export function rebuildContract({ describe, expect, withStore, tamper }: ContractCase): void {
  describe("rebuilding", () => {
    for (const seed of [1, 2, 3]) {
      withStore(
        `all rows come out of the events again (random history ${seed})`,
        async ({ store, clock }) => {
          await store.orders.configure("q", { limits: { k: { concurrency: 2 } } }, "ana", "two");
          await live(store, seededRandom(seed), 500, clock);
          expect(await store.events.verify()).toMatchObject({ whole: true });
          // Nothing is taken, but what is due by now is told so.
          for (let n = 0; n < 5; n++) await store.orders.claim("q", "w", starting(0), 1_000);
          const before = await rows(store);
          const events = await store.events.count();
          expect(events > 100).toBe(true);
          expect(await store.rebuild()).toEqual({ events });
          expect(await rows(store)).toEqual(before);
          expect(await store.events.verify()).toMatchObject({ whole: true, events });
          await live(store, seededRandom(seed + 100), 100, clock);
          expect(await store.events.verify()).toMatchObject({ whole: true });
          const counted = await store.orders.counts("q");
          const listed = await store.orders.list({ queue: "q", limit: 1_000 });
          expect(counted.PENDING).toBe(listed.filter(({ state }) => state === "PENDING").length);
        },
      );
    }

    withStore("takes in what is committed with it", async ({ store }) => {
      await grow(store);
      const [, rebuilt, late] = await Promise.all([
        store.runs.commit("r1", [created]),
        store.rebuild(),
        store.runs.commit("r2", [created]),
      ]);
      expect(late.length).toBe(1);
      expect(rebuilt.events > 240).toBe(true);
      expect((await store.runs.list()).map(({ id }) => id).toSorted()).toEqual(["r0", "r1", "r2"]);
    });

    withStore("tells how far it is", async ({ store }) => {
      await grow(store);
      const events = await store.events.count();
      const told: unknown[] = [];
      await store.rebuild({ onProgress: (progress) => told.push(progress) });
      expect(told).toEqual([
        { done: 200, of: events },
        { done: events, of: events },
      ]);
    });

    if (tamper === undefined) return;
    for (const [title, brokenAt, sql] of forgeries) {
      withStore(`is refused where ${title}, and leaves the rows as they are`, async ({ store }) => {
        await grow(store);
        await tamper(store, sql);
        const before = await rows(store);
        const report = await store.events.verify();
        expect(report).toMatchObject({ whole: false, brokenAt });
        const broken = {
          code: "CUTOVER_AUDIT_BROKEN",
          place: `event ${brokenAt}`,
          details: { seq: brokenAt },
        };
        const [alone] = await Promise.allSettled([store.rebuild()]);
        expect(alone).toMatchObject({ status: "rejected", reason: broken });
        expect(await rows(store)).toEqual(before);
        const [rebuilt, other] = await Promise.allSettled([
          store.rebuild(),
          store.orders.submit([newOrder("beside")]),
        ]);
        expect(rebuilt).toMatchObject({ status: "rejected", reason: broken });
        expect(other).toMatchObject({ status: "fulfilled" });
        expect((await store.orders.history("beside")).length).toBe(1);
      });
    }
  });
}
