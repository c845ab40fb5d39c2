import { describe, expect, onTestFinished, test } from "vitest";
import { replacing } from "../../test/queue/failing-store.ts";
import { gate, open, type Opened, settle } from "../../test/queue/manual-queue.ts";
import { CutoverError } from "../core/index.ts";
import type { OrderRecord } from "../store/index.ts";
import { openQueue, type Sandbox } from "./index.ts";

/** Orders that run with a worker of another machine, their work in a sandbox named `shaky`. */
async function held(opened: Opened, count: number): Promise<readonly OrderRecord[]> {
  const { queue, store } = opened;
  await queue.submitAll(Array.from({ length: count }, () => ({ kind: "job" })));
  const room = { slots: count, memory: 1_000, max: count, kinds: ["job"], starts: ["job"], tags: [] };
  const orders = await store.orders.claim("default", "elsewhere:1:1", room, 15_000);
  return store.orders.change(
    orders.map(({ id, fence }, at) => ({
      id,
      fence,
      from: ["RUNNING"],
      to: "RUNNING",
      event: "attached",
      set: { sandbox: { provider: "shaky", at } },
    })),
  );
}

interface Shaky {
  readonly sandbox: Sandbox;
  readonly ended: unknown[];
  trouble: Error | undefined;
}

/** Finds work of every order; ending that of the first fails as long as there is trouble. */
function shaky(): Shaky {
  const made: Shaky = {
    ended: [],
    trouble: undefined,
    sandbox: {
      provider: "shaky",
      prepare: () =>
        Promise.resolve({
          run: () => Promise.resolve("done again"),
          cancel: () => Promise.resolve(),
          cleanup: () => Promise.resolve(),
        }),
      findOrphan: (order) => ({
        description: "something",
        end: () => {
          const at = order.sandbox?.["at"];
          if (at === 0 && made.trouble !== undefined) return Promise.reject(made.trouble);
          made.ended.push(at);
          return Promise.resolve();
        },
      }),
    },
  };
  return made;
}

describe("work that a dead worker left and that cannot be ended", () => {
  test.each([
    new CutoverError("CUTOVER_SANDBOX_UNAVAILABLE", { message: "the engine does not answer" }),
    new TypeError("the engine does not answer"),
  ])("holds back its own order alone, until it can be: %s", async (trouble) => {
    const opened = await open({ lease: "15s", workerId: "one" });
    const { queue, pass } = opened;
    const orders = await held(opened, 3);
    const ids = orders.map(({ id }) => id);
    const work = shaky();
    work.trouble = trouble;
    queue.work("job", work.sandbox);
    await pass(40_000);
    await pass(5_000);
    const states = async (): Promise<unknown[]> =>
      Promise.all(ids.map(async (id) => (await queue.get(id))?.state));
    expect(await states()).toEqual(["RUNNING", "COMPLETED", "COMPLETED"]);
    expect((await queue.health()).reasons).toMatchObject([
      { code: "orphans", message: /^1 orders .*: the engine does not answer$/ },
    ]);
    work.trouble = undefined;
    await pass(20_000);
    await pass(5_000);
    expect(await states()).toEqual(["COMPLETED", "COMPLETED", "COMPLETED"]);
    expect((await queue.health()).reasons).toEqual([]);
    expect(work.ended.toSorted((a, b) => Number(a) - Number(b))).toEqual([0, 1, 2]);
  });
});

test("an order whose lease was renewed after somebody found it lost stays with its worker", async () => {
  const opened = await open({ workerId: "one" });
  const { store, clock } = opened;
  const [order] = await held(opened, 1);
  const late = replacing(store, () => ({
    orphans: () => Promise.resolve(order === undefined ? [] : [order]),
  }));
  const queue = await openQueue({ store: late }, { clock, workerId: "two", stagger: 0 });
  onTestFinished(() => queue.stop());
  queue.work("job", shaky().sandbox);
  await settle();
  expect(await store.orders.get(order?.id ?? "")).toMatchObject({
    state: "RUNNING",
    worker: "elsewhere:1:1",
    fence: 1,
    crashes: 0,
  });
});

test("an order whose end was asked for after somebody found it lost ends with the next look, and is not begun again", async () => {
  const opened = await open({ lease: "15s", workerId: "one" });
  const { store, clock, pass } = opened;
  const [order] = await held(opened, 1);
  const id = order?.id ?? "";
  await pass(16_000);
  const seen: OrderRecord[] = order === undefined ? [] : [order];
  await store.orders.requestCancel(id, "customer left");
  const late = replacing(store, () => ({ orphans: () => Promise.resolve(seen) }));
  const queue = await openQueue({ store: late }, { clock, lease: "15s", workerId: "two", stagger: 0 });
  onTestFinished(() => queue.stop());
  const work = shaky();
  queue.work("job", work.sandbox);
  await settle();
  expect(await queue.get(id)).toMatchObject({ state: "RUNNING", fence: 1, worker: "elsewhere:1:1" });
  seen.splice(0, 1, ...(await store.orders.orphans("default")));
  await pass(20_000);
  await pass(5_000);
  expect(await queue.get(id)).toMatchObject({
    state: "CANCELLED",
    fence: 1,
    error: { message: `work order ${id} was cancelled: customer left` },
  });
});

test.each([
  ["is gone for all that is known", false, 1],
  ["has told of itself since", true, 0],
])(
  "an order whose lease ran out at a worker that %s: counted as a crash or not",
  async (_, lives, crashes) => {
    const opened = await open({ lease: "15s", workerId: "one" });
    const { queue, store, pass } = opened;
    const [order] = await held(opened, 1);
    await pass(16_000);
    const kinds = ["job"];
    const told = {
      id: "elsewhere:1:1",
      queue: "default",
      kinds,
      tags: [],
      slots: 1,
      memory: null,
      staggerMs: null,
      startedAt: 0,
    };
    if (lives) await store.orders.seen(told);
    queue.work("job", shaky().sandbox);
    await pass(20_000);
    await pass(5_000);
    expect(await queue.get(order?.id ?? "")).toMatchObject({ state: "COMPLETED", crashes, attempt: 1 });
    const lost = (await queue.history(order?.id ?? "")).find(({ event }) => event === "lost");
    expect(lost?.note).toMatch(
      /^the lease of worker elsewhere:1:1 ran out; its something still ran and was ended$/,
    );
  },
);

test("an order whose end was asked for before its worker was lost says why it was", async () => {
  const opened = await open({ lease: "15s", workerId: "one" });
  const { queue, pass } = opened;
  const [order] = await held(opened, 1);
  const id = order?.id ?? "";
  await queue.cancel(id, "customer left");
  await pass(16_000);
  queue.work("job", shaky().sandbox);
  await pass(20_000);
  await pass(5_000);
  expect(await queue.get(id)).toMatchObject({
    state: "CANCELLED",
    error: { message: `work order ${id} was cancelled: customer left` },
  });
});

test("a running order says why it was cancelled, asked by another process or here, and so does its signal", async () => {
  const { queue, store, pass } = await open({ poll: "1m" });
  const door = gate<null>();
  const signals: AbortSignal[] = [];
  queue.work("job", (_, { signal }) => {
    signals.push(signal);
    return door.work();
  });
  const [elsewhere, here] = await queue.submitAll([{ kind: "job" }, { kind: "job" }]);
  await pass(0);
  await store.orders.requestCancel(elsewhere?.id ?? "", "customer left");
  await queue.cancel(here?.id ?? "", "too late");
  door.finish(null);
  door.finish(null);
  await pass(0);
  const messageOf = async (id = ""): Promise<unknown> => (await queue.get(id))?.error?.message;
  expect(await messageOf(elsewhere?.id)).toMatch(/was cancelled: customer left$/);
  expect(await messageOf(here?.id)).toMatch(/was cancelled: too late$/);
  expect(String(signals[1]?.reason)).toMatch(/was cancelled: too late$/);
});
