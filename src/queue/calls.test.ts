import { expect, onTestFinished, test } from "vitest";
import { open, settle } from "../../test/queue/manual-queue.ts";
import type { OrderStore, Store } from "../store/index.ts";
import { openSqliteStore } from "../store/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

/** A store that answers nothing while `silent`; `asked` names what it was asked for meanwhile. */
function silenced(store: Store): { readonly store: Store; silent: boolean; readonly asked: string[] } {
  const state = { silent: false, asked: [] as string[] };
  const part = <T extends object>(of: T): T =>
    new Proxy(of, {
      get(target, name) {
        const member = Reflect.get(target, name) as (...given: readonly unknown[]) => unknown;
        return (...given: readonly unknown[]): unknown => {
          if (!state.silent) return Reflect.apply(member, target, given);
          state.asked.push(String(name));
          return new Promise(() => {});
        };
      },
    });
  const [orders, events] = [part<OrderStore>(store.orders), part(store.events)];
  const around = new Proxy(store, {
    get: (target, name: keyof Store) =>
      name === "orders" ? orders : name === "events" ? events : target[name],
  });
  return Object.assign(state, { store: around });
}

interface Silent {
  readonly queue: Queue;
  readonly clock: ManualClock;
  readonly store: Store;
  readonly state: { silent: boolean; readonly asked: string[] };
}

/** A queue over a store that can fall silent. */
async function openSilent(options: QueueOptions): Promise<Silent> {
  const clock = new ManualClock();
  const store = await openSqliteStore({ path: ":memory:", clock });
  const state = silenced(store);
  const queue = await openQueue({ store: state.store }, { clock, stagger: 0, poll: "1h", ...options });
  onTestFinished(async () => {
    state.silent = false;
    await queue.stop();
    await store.close();
    expect(clock.pending).toBe(0);
  });
  return { queue, clock, store, state };
}

type Call = (queue: Queue, signal?: AbortSignal) => Promise<unknown>;
const withSignal = (signal: AbortSignal | undefined): { readonly signal?: AbortSignal } =>
  signal === undefined ? {} : { signal };

const ended: readonly (readonly [string, "read" | "write", Call])[] = [
  ["submit", "write", (queue, signal) => queue.submit("k", 1, { id: "new", ...withSignal(signal) })],
  ["submitAll", "write", (queue, signal) => queue.submitAll([{ kind: "k" }], withSignal(signal))],
  ["get", "read", (queue, signal) => queue.get("o", withSignal(signal))],
  ["list", "read", (queue, signal) => queue.list(withSignal(signal))],
  ["counts", "read", (queue, signal) => queue.counts(withSignal(signal))],
  ["cancel", "read", (queue, signal) => queue.cancel("o", "late", withSignal(signal))],
  ["cancelAll", "read", (queue, signal) => queue.cancelAll({ reason: "late", ...withSignal(signal) })],
  ["retry", "read", (queue, signal) => queue.retry("o", "again", withSignal(signal))],
  ["deadLetters", "read", (queue, signal) => queue.deadLetters(withSignal(signal))],
  ["resubmit", "read", (queue, signal) => queue.resubmit(withSignal(signal))],
  ["resubmit of ids", "read", (queue, signal) => queue.resubmit({ ids: ["o"], ...withSignal(signal) })],
  ["prune", "write", (queue, signal) => queue.prune({ olderThan: 0, ...withSignal(signal) })],
];
const limited: typeof ended = [
  ...ended,
  ["a submit of what is too large here", "read", (queue) => queue.submit("k", 1, { needs: { slots: 99 } })],
  ["setPriority", "read", (queue) => queue.setPriority("o", 1)],
  ["pause", "write", (queue) => queue.pause()],
  ["resume", "write", (queue) => queue.resume()],
  ["config", "read", (queue) => queue.config()],
  ["configure", "write", (queue) => queue.configure({ weights: { a: 2 } })],
  ["schedule", "read", (queue) => queue.schedule("s", { every: "1h" }, "k")],
  ["unschedule", "read", (queue) => queue.unschedule("s")],
  ["schedules", "read", (queue) => queue.schedules()],
  ["metrics", "read", (queue) => queue.metrics()],
  ["workers", "read", (queue) => queue.workers()],
  ["timeline", "read", (queue) => queue.timeline("o")],
  ["history", "read", (queue) => queue.history("o")],
  ["recoverFromAudit", "read", (queue) => queue.recoverFromAudit({ since: 0 })],
];

test.each(limited)(
  "%s of a store that does not answer ends with callTimeout, and says what may be stored",
  async (_, ask, call) => {
    const { queue, clock, state } = await openSilent({ callTimeout: "2s" });
    await queue.submit("k", null, { id: "o" });
    state.silent = true;
    let settled = false;
    const work = call(queue).finally(() => (settled = true));
    const refused = expect(work).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      details: { waitedMs: 2_000 },
      message: ask === "write" ? /may be stored or not$/ : /found none$/,
    });
    await settle();
    await clock.advance(1_999);
    expect(settled).toBe(false);
    await clock.advance(1);
    await refused;
    expect(state.asked.length).toBe(1);
  },
);

test.each(ended)("%s ends when its signal aborts, with the reason", async (_, _ask, call) => {
  const { queue, state } = await openSilent({});
  await queue.submit("k", null, { id: "o" });
  state.silent = true;
  const controller = new AbortController();
  const refused = expect(call(queue, controller.signal)).rejects.toThrow("the client has gone");
  await settle();
  expect(state.asked.length).toBe(1);
  controller.abort(new Error("the client has gone"));
  await refused;
});

test.each(ended)("%s with a signal that has aborted asks the store for nothing", async (_, _ask, call) => {
  const { queue, store, state } = await openSilent({});
  await queue.submit("k", null, { id: "o" });
  state.silent = true;
  await expect(call(queue, AbortSignal.abort(new Error("gone before")))).rejects.toThrow("gone before");
  expect(state.asked).toEqual([]);
  expect(await store.orders.counts("default")).toMatchObject({ PENDING: 1, CANCELLED: 0 });
});

test.each(ended)("%s refuses what is no signal", async (_, _ask, call) => {
  const { queue } = await open();
  await expect(call(queue, new AbortController() as never)).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place: "signal",
    remedy: expect.stringContaining("controller.signal") as string,
  });
});

test("callTimeout is for each answer of a store, not for all that a call has to do", async () => {
  const { queue, clock, store } = await openSilent({ callTimeout: "1s" });
  const answers = [500, 500, 500, 7];
  store.orders.prune = async () => {
    await clock.advance(900);
    return answers.shift() ?? 0;
  };
  expect(await queue.prune({ olderThan: 0 })).toBe(1_507);
});

test("cancelAll whose signal aborts goes no further, also with what runs here", async () => {
  const controller = new AbortController();
  const { queue, store } = await openSilent({
    slots: 450,
    memoryPerSlot: 1,
    memory: { read: () => ({ limit: 450, used: 0, source: "test" }) },
    grace: 0,
  });
  let asked = 0;
  queue.work("k", (_, { signal }) => {
    signal.addEventListener("abort", () => asked++);
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(null)));
  });
  await queue.submitAll(Array.from({ length: 450 }, () => ({ kind: "k" })));
  await settle();
  const { RUNNING } = await queue.counts();
  expect(RUNNING).toBe(450);
  const cancel = store.orders.requestCancel.bind(store.orders);
  store.orders.requestCancel = (id, reason) => {
    controller.abort(new Error("enough"));
    return cancel(id, reason);
  };
  await expect(queue.cancelAll({ reason: "r", signal: controller.signal })).rejects.toThrow("enough");
  await settle();
  expect(asked).toBeLessThanOrEqual(200);
});

test("a store that answers in time leaves neither timer nor listener behind", async () => {
  const { queue, clock } = await openSilent({ callTimeout: "2s" });
  await queue.get("o");
  const before = clock.pending;
  const controller = new AbortController();
  const heard: string[] = [];
  const { signal } = controller;
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
  signal.addEventListener = (...given: Parameters<typeof add>) => (heard.push("on"), add(...given));
  signal.removeEventListener = (...given: Parameters<typeof remove>) => (heard.push("off"), remove(...given));
  await queue.submit("k", null, { id: "o", signal });
  await queue.cancel("o", "not wanted", { signal });
  expect(heard.filter((each) => each === "on").length).toBeGreaterThan(2);
  expect(heard.filter((each) => each === "off").length).toBe(heard.length / 2);
  expect(clock.pending).toBe(before);
});

test.each([
  ["callTimeout", 0],
  ["callTimeout", "soon"],
])("%s: %j is refused", async (option, value) => {
  await expect(openQueue("sqlite::memory:", { [option]: value } as never)).rejects.toMatchObject({
    code: "CUTOVER_QUEUE_INVALID",
    place: option,
  });
});
