import type { OrderState } from "../../store/index.ts";
import { OrderModel } from "../order-model.ts";
import { type ContractCase, newOrder, seededRandom, starting, type StoreCase } from "./tools.ts";

const priorities = [0, 0, 0, 5];
const tenants = ["", "a", "b"];
const tagSets = [[], [], [], ["gpu"], ["gpu", "x86"]];
const moves: Readonly<Partial<Record<OrderState, readonly OrderState[]>>> = {
  PENDING: ["CANCELLED"],
  PREPARING: ["RUNNING", "PENDING", "FAILED"],
  RUNNING: ["COMPLETED", "COMPLETED", "FAILED", "WAITING_RETRY", "PENDING"],
  WAITING_RETRY: ["CANCELLED"],
  FAILED: ["PENDING"],
};

/** Makes random calls, several at once, and holds every answer and every row against the model. */
export async function walkWithModel(
  { store, clock }: StoreCase,
  random: () => number,
  turns: number,
  same: (found: unknown, expected: unknown) => void,
): Promise<void> {
  const model = new OrderModel(() => clock.now());
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const upTo = (most: number): number => Math.floor(random() * (most + 1));
  let made = 0;
  await store.orders.configure(
    "q",
    { limits: { "*": { concurrency: 2 } }, weights: { a: 2 } },
    "walk",
    "begin",
  );
  model.concurrency = 2;
  model.weights.set("a", 2);

  const someId = (): string => `o${String(Math.max(0, made - upTo(12))).padStart(5, "0")}`;
  const order = (): ReturnType<typeof newOrder> =>
    newOrder(random() < 0.05 ? someId() : `o${String(++made).padStart(5, "0")}`, {
      kind: pick(["hash", "hash", "paint"]),
      priority: pick(priorities),
      tenant: pick(tenants),
      tags: pick(tagSets),
      limitKey: random() < 0.4 ? pick(["k", "l"]) : null,
      slots: 1 + upTo(2),
      memory: upTo(3) * 2 ** 30,
      runAt: random() < 0.2 ? clock.now() + upTo(30) : 0,
      uniqueKey: random() < 0.2 ? pick(["u", "v"]) : null,
      uniqueUntil: random() < 0.5 ? clock.now() + upTo(40) : null,
      after: random() < 0.2 ? Array.from({ length: 1 + upTo(1) }, someId) : [],
      ifAfterFails: pick(["cancel", "run"]),
      createdAt: upTo(3),
    });
  const code = (error: unknown): string => (error as { code?: string }).code ?? String(error);

  /** Makes a call, and says what the model thinks of it. */
  const call = (): readonly [Promise<unknown>, unknown] => {
    const choice = random();
    if (choice < 0.35) {
      const orders = Array.from({ length: 1 + upTo(3) }, order);
      const answer = store.orders
        .submit(orders, { depthLimit: 30 })
        .then((stored) => stored.map((one) => [one.order.id, one.fresh]), code);
      return [answer, model.submit(orders, 30)];
    }
    if (choice < 0.6) {
      const room = starting(upTo(4), {
        slots: 1 + upTo(5),
        memory: upTo(8) * 2 ** 30,
        kinds: pick([["hash"], ["hash", "paint"]]),
        tags: pick([[], ["gpu"], ["gpu", "x86"]]),
      });
      const answer = store.orders.claim("q", "w", room, 1_000).then((taken) => taken.map(({ id }) => id));
      return [answer, model.claim(room)];
    }
    if (choice < 0.9) {
      const known = [...model.orders.values()].filter(({ state }) => moves[state] !== undefined);
      const one = known.length === 0 ? undefined : pick(known);
      const to = one === undefined ? "CANCELLED" : pick(moves[one.state] ?? []);
      const stale = random() < 0.1 ? 1 : 0;
      const set = {
        runAt: clock.now() + upTo(20),
        ...(to === "RUNNING" ? { attempt: (one?.attempt ?? 0) + 1 } : {}),
      };
      const from = [one?.state ?? "PENDING"];
      const change = {
        id: one?.id ?? "none",
        fence: (one?.fence ?? 0) - stale,
        from,
        to,
        event: "moved",
        set,
      };
      return [store.orders.change([change]).then(() => undefined, code), model.change(change)];
    }
    if (choice < 0.94) {
      const [id, priority] = [someId(), pick([0, 1, 5, 9])];
      return [store.orders.setPriority(id, priority).then(() => undefined), model.setPriority(id, priority)];
    }
    if (choice < 0.97) {
      const id = someId();
      return [store.orders.requestCancel(id, "asked").then(() => undefined), model.requestCancel(id)];
    }
    const paused = random() < 0.3;
    model.paused = paused;
    return [store.orders.configure("q", { paused }, "walk", "").then(() => undefined), undefined];
  };

  for (let turn = 0; turn < turns; turn++) {
    const calls = Array.from({ length: 1 + upTo(4) }, call);
    same(
      await Promise.all(calls.map(([answer]) => answer)),
      calls.map(([, expected]) => expected),
    );
    if (random() < 0.5) await clock.advance(upTo(10));
    const stored = await store.orders.list({ queue: "q", limit: 10_000 });
    same(
      stored.map((one) => [
        one.id,
        one.state,
        one.waits,
        one.blockedBy,
        one.fence,
        one.attempt,
        one.priority,
        one.uniqueKey,
      ]),
      [...model.orders.values()]
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((one) => [
          one.id,
          one.state,
          model.waits(one),
          one.blockers.size,
          one.fence,
          one.attempt,
          one.priority,
          one.uniqueKey,
        ]),
    );
  }
}

export function modelContract({ describe, expect, withStore }: ContractCase): void {
  describe("random calls", () => {
    for (const seed of [11, 12, 13]) {
      withStore(`are answered as by a model that looks at everything (history ${seed})`, async (given) => {
        await walkWithModel(given, seededRandom(seed), 80, (found, expected) =>
          expect(found).toEqual(expected),
        );
        const { store } = given;
        expect(await store.events.verify()).toMatchObject({ whole: true });
        // Nothing is taken, but what is due by now is told so; then the events alone give the same rows.
        for (let n = 0; n < 3; n++) await store.orders.claim("q", "w", starting(0), 1_000);
        const rows = await store.orders.list({ queue: "q", limit: 10_000 });
        await store.rebuild();
        expect(await store.orders.list({ queue: "q", limit: 10_000 })).toEqual(rows);
        expect(await store.events.verify()).toMatchObject({ whole: true });
      });
    }
  });
}
