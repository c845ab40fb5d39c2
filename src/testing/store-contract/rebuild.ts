import type { OrderRecord, OrderState, Store } from "../../store/index.ts";
import { type ContractCase, created, newOrder, refusal, seededRandom, stepMoved } from "./tools.ts";

const steps = ["a", "b", "c"];
const stepStates = ["PENDING", "RUNNING", "DONE", "FAILED", "ROLLING_BACK", "ROLLED_BACK"];
const orderStates: readonly OrderState[] = ["PENDING", "RUNNING", "WAITING_RETRY", "COMPLETED", "FAILED"];

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
    counts: await store.orders.counts("q"),
  };
}

/** A random history, many of whose calls are refused: it knows too little to be always right. */
async function live(store: Store, random: () => number, turns: number, now: () => number): Promise<void> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const known: OrderRecord[] = [];
  for (let turn = 0; turn < turns; turn++) {
    const run = `r${Math.floor(random() * 3)}`;
    const step = pick(steps);
    const choice = Math.floor(random() * 12);
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
        const more = { priority: turn % 3, tenant: step, runAt: turn % 2 === 0 ? 0 : now() + 50 };
        for (const { order } of await store.orders.submit([newOrder(`o${turn}`, more)])) known.push(order);
      },
      async () => {
        const room = { slots: 2, memory: 2 ** 40, max: 2, kinds: ["hash"] };
        known.push(...(await store.orders.claim("q", step, room, 1_000, now())));
      },
      async () => {
        const order = known.length === 0 ? undefined : pick(known);
        if (order === undefined) return;
        if (random() < 0.2) await store.orders.requestCancel(order.id, now(), "because");
        if (random() < 0.2) await store.orders.setPriority(order.id, turn % 4);
        if (random() < 0.2) await store.orders.renew([order], now() + 9_000);
        const set = {
          runAt: now() + 10,
          attempt: turn,
          result: { turn },
          error: { code: "E", message: "m" },
        };
        const change = {
          id: order.id,
          fence: order.fence,
          from: [order.state],
          to: pick(orderStates),
          event: "x",
          set,
        };
        known.push(...(await store.orders.change([change], now())));
      },
    ];
    await refusal((calls[choice] as () => Promise<unknown>)());
  }
}

export function rebuildContract({ describe, expect, withStore }: ContractCase): void {
  describe("rebuilding", () => {
    for (const seed of [1, 2, 3]) {
      withStore(
        `all rows come out of the events again (random history ${seed})`,
        async ({ store, clock }) => {
          await live(store, seededRandom(seed), 300, () => clock.now());
          const before = await rows(store);
          const events = await store.events.count();
          expect(events > 100).toBe(true);
          expect(await store.rebuild()).toEqual({ events });
          expect(await rows(store)).toEqual(before);
          expect(await store.events.verify()).toMatchObject({ whole: true, events });
          await live(store, seededRandom(seed + 100), 100, () => clock.now());
          const counted = await store.orders.counts("q");
          const listed = await store.orders.list({ queue: "q", limit: 1_000 });
          expect(counted.PENDING).toBe(listed.filter(({ state }) => state === "PENDING").length);
        },
      );
    }
  });
}
