import fc from "fast-check";
import { expect, test } from "vitest";
import { isCutoverError } from "../core/index.ts";
import { openSqliteStore, type OrderState, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { fatal, openQueue, type Queue } from "./index.ts";
import { isFinished, nextState } from "./states.ts";
import { orderTimeline } from "./timeline.ts";

type Move =
  | {
      readonly do: "submit";
      readonly end: "ok" | "fail" | "fatal" | "flaky" | "slow" | "deaf";
      readonly priority: number;
    }
  | { readonly do: "cancel" | "retry"; readonly which: number }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "pause" | "resume" | "restart" };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("submit" as const),
      end: fc.constantFrom(
        "ok" as const,
        "fail" as const,
        "fatal" as const,
        "flaky" as const,
        "slow" as const,
        "deaf" as const,
      ),
      priority: fc.integer({ min: -2, max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "retry" as const), which: fc.nat(9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("pass" as const),
      ms: fc.constantFrom(0, 10, 700, 5_000, 20_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom("pause" as const, "resume" as const, "restart" as const) }),
  },
);

function openWalked(clock: ManualClock, store: Store): Promise<Queue> {
  return openQueue(
    { store },
    {
      clock,
      slots: 2,
      stagger: 0,
      grace: "1s",
      retries: 2,
      backoff: { base: "1s" },
      memory: { read: () => ({ limit: 1, used: 0, source: "test" }) },
    },
  );
}

class Walk {
  readonly clock: ManualClock;
  readonly ids: string[] = [];
  /** Fences under which the work of each order returned a value; the fence is the value. */
  readonly returned = new Map<string, Set<unknown>>();
  readonly #store: Store;
  #queue: Queue;

  private constructor(clock: ManualClock, store: Store, queue: Queue) {
    this.clock = clock;
    this.#store = store;
    this.#queue = queue;
    this.#work();
  }

  static async start(): Promise<Walk> {
    const clock = new ManualClock();
    const store = await openSqliteStore({ path: ":memory:", clock });
    return new Walk(clock, store, await openWalked(clock, store));
  }

  #work(): void {
    const { clock } = this;
    this.#queue.work<{ end: string }>("job", async ({ payload, id }, { signal, attempt, fence }) => {
      if (payload.end === "fail" || (payload.end === "flaky" && attempt === 1)) throw new Error("fails");
      if (payload.end === "fatal") throw fatal("fails for good");
      if (payload.end === "slow" || payload.end === "deaf") {
        await new Promise<void>((resolve, reject) => {
          const timer = clock.after(3_000, resolve);
          if (payload.end === "slow") {
            signal.addEventListener("abort", () => {
              timer.cancel();
              reject(signal.reason);
            });
          }
        });
      }
      const values = this.returned.get(id) ?? new Set();
      this.returned.set(id, values.add(fence));
      return fence;
    });
  }

  async take(step: Move): Promise<void> {
    const id = this.ids[("which" in step ? step.which : 0) % Math.max(1, this.ids.length)];
    try {
      if (step.do === "submit") {
        const order = await this.#queue.submit(
          "job",
          { end: step.end },
          { priority: step.priority, timeout: "2s" },
        );
        this.ids.push(order.id);
      } else if (step.do === "cancel" && id !== undefined) await this.#queue.cancel(id, "walk");
      else if (step.do === "retry" && id !== undefined) await this.#queue.retry(id);
      else if (step.do === "pass") await this.#pass(step.ms);
      else if (step.do === "pause") await this.#queue.pause();
      else if (step.do === "resume") await this.#queue.resume();
      else if (step.do === "restart") {
        const stopping = this.#queue.stop();
        await this.#pass(2_000);
        await stopping;
        this.#queue = await openWalked(this.clock, this.#store);
        this.#work();
      }
    } catch (error) {
      // A person may ask for what is not possible (any more); the queue says so and nothing has changed.
      const refusals = ["CUTOVER_QUEUE_ILLEGAL_TRANSITION", "CUTOVER_LEASE_LOST"];
      if (!isCutoverError(error) || !refusals.includes(error.code)) throw error;
    }
  }

  async #pass(ms: number): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
    await this.clock.advance(ms);
  }

  /** Lets everything come to its end and checks the record. */
  async end(): Promise<void> {
    await this.#queue.resume();
    for (let i = 0; i < 60; i++) await this.#pass(2_000);
    for (const id of this.ids) {
      const order = await this.#store.orders.get(id);
      expect(order && isFinished(order.state)).toBe(true);
      let at: OrderState = "PENDING";
      let fence = 0;
      for (const entry of await orderTimeline(this.#store, id)) {
        if (entry.from === null) continue;
        expect(entry.from).toBe(at);
        expect(nextState(id, at, entry.event as never)).toBe(entry.to);
        if (entry.event === "claimed") expect(entry.fence).toBe(++fence);
        at = entry.to ?? at;
      }
      expect(order?.state).toBe(at);
      // A result is one that the work returned under the fence that completed the order.
      if (at === "COMPLETED") expect(this.returned.get(id)?.has(order?.result)).toBe(true);
      if (at === "COMPLETED") expect(order?.result).toBe(fence);
      else expect(order?.result).toBe(null);
    }
    expect(await this.#store.events.verify()).toMatchObject({ whole: true });
    const before = await this.#store.orders.counts("default");
    await this.#store.rebuild();
    expect(await this.#store.orders.counts("default")).toEqual(before);
    await this.#queue.stop();
    await this.#store.close();
    expect(this.clock.pending).toBe(0);
  }
}

test("whatever people do in whatever order, every order ends in a legal way and its result counts once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 1, maxLength: 25 }), async (moves) => {
      const walk = await Walk.start();
      for (const step of moves) await walk.take(step);
      await walk.end();
    }),
    { numRuns: 40, endOnFailure: true },
  );
}, 180_000);
