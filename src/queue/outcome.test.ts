import { describe, expect, test } from "vitest";
import { failing, replacing } from "../../test/queue/failing-store.ts";
import { gate, type Opened, open, settle } from "../../test/queue/manual-queue.ts";
import { CutoverError } from "../core/index.ts";
import type { Store } from "../store/index.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

const everything = ["renew", "change", "claim", "orphans", "seen"] as const;

interface Working extends Omit<Opened, "queue"> {
  readonly queue: Queue;
  readonly door: ReturnType<typeof gate<string>>;
  readonly id: string;
}

/** An order at work on a queue whose store is what `cut` makes of it. */
async function working(cut: (store: Store) => Store, options: QueueOptions = {}): Promise<Working> {
  const opened = await open();
  const { store, clock, pass } = opened;
  const queue = await openQueue({ store: cut(store) }, { clock, lease: "15s", stagger: 0, ...options });
  const door = gate<string>();
  queue.work("job", door.work);
  const { id } = await queue.submit("job");
  await pass(0);
  return { ...opened, queue, door, id };
}

describe("the outcome of work that has ended", () => {
  test("waits for a store that is away for longer than the lease, and is recorded once it is back", async () => {
    let away = false;
    const warnings: string[] = [];
    const { queue, door, id, pass } = await working(
      (store) => failing(store, () => (away ? everything : [])),
      {
        log: {
          debug() {},
          info() {},
          warn: (message) => warnings.push(message),
          error: (message) => warnings.push(message),
        },
      },
    );
    away = true;
    door.finish("worth keeping");
    for (let i = 0; i < 120; i++) await pass(1_000);
    expect((await queue.get(id))?.state).toBe("RUNNING");
    away = false;
    for (let i = 0; i < 5; i++) await pass(1_000);
    expect(await queue.get(id)).toMatchObject({
      state: "COMPLETED",
      result: "worth keeping",
      attempt: 1,
      fence: 1,
      crashes: 0,
    });
    expect(door.started).toBe(1);
    // Now and then, not with every try.
    expect(warnings.filter((message) => message.startsWith("writing to the store"))).toHaveLength(4);
    await queue.stop();
  });

  test("is refused after it when another worker took the order meanwhile", async () => {
    let away = false;
    const {
      store,
      clock,
      pass,
      queue: first,
      door,
      id,
    } = await working((cut) => failing(cut, () => (away ? everything : [])), { workerId: "one" });
    away = true;
    door.finish("by one");
    const second = await openQueue({ store }, { clock, workerId: "two", stagger: 0 });
    second.work("job", () => "by two");
    for (let i = 0; i < 60; i++) await pass(1_000);
    away = false;
    for (let i = 0; i < 5; i++) await pass(1_000);
    expect(await second.get(id)).toMatchObject({ state: "COMPLETED", result: "by two", fence: 2 });
    expect((await first.metrics()).late).toBe(1);
    await first.stop();
    await second.stop();
  });

  test("does not keep a queue that stops for longer than the lease", async () => {
    let away = false;
    const { store, queue, door, id, pass } = await working((cut) =>
      failing(cut, () => (away ? everything : [])),
    );
    away = true;
    door.finish("given up");
    for (let i = 0; i < 60; i++) await pass(1_000);
    let stopped = false;
    const stopping = queue.stop().then(() => (stopped = true));
    for (let i = 0; i < 3; i++) await pass(1_000);
    expect(stopped).toBe(true);
    await stopping;
    expect(await store.orders.get(id)).toMatchObject({ state: "RUNNING", result: null });
  });

  test("that was stored although the answer was an error is not told as refused", async () => {
    let torn = false;
    const { queue, door, id, pass } = await working((store) => tearing(store, () => torn));
    torn = true;
    door.finish("stored at once");
    await settle();
    torn = false;
    await pass(3_000);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED", result: "stored at once", attempt: 1 });
    expect(await queue.metrics()).toMatchObject({ late: 0, events: { completed: 1 } });
    await queue.stop();
  });
});

/** The same store, whose answers to changes are lost while told to. */
const tearing = (store: Store, torn: () => boolean): Store =>
  replacing(store, (own) =>
    torn()
      ? {
          change: async (...changes) => {
            await own.change(...changes);
            throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", { message: "the answer was lost" });
          },
        }
      : {},
  );
