import type { ErrorCode } from "../../core/index.ts";
import { CutoverError, hasCode } from "../../core/index.ts";
import type { Capacity, NewOrder, OrderRecord, RunEvent, Store } from "../../store/index.ts";
import type { ManualClock } from "../manual-clock.ts";

/** What the suites need of a test runner. */
export interface ContractTools {
  readonly describe: (name: string, body: () => void) => void;
  readonly test: (name: string, body: () => Promise<void>) => void;
  readonly expect: (value: unknown) => {
    toBe(expected: unknown): void;
    toEqual(expected: unknown): void;
    toMatchObject(expected: object): void;
  };
}

/**
 * Begins a transaction of somebody else on the store's database, by a connection of his own. What the tests of
 * `submitWithin` need; a store that no second connection can reach leaves it out.
 */
export type CallersTransaction = (store: Store) => Promise<{
  readonly connection: unknown;
  commit(): Promise<void>;
  rollback(): Promise<void>;
}>;

/**
 * Runs SQL on the store's database as somebody who has it in hand would: past the triggers that hold the events. A store
 * that no second connection can reach leaves it out.
 */
export type Tamper = (store: Store, sql: string) => Promise<void>;

/** What one test is given: an empty store and the clock it lives on. */
export interface StoreCase {
  readonly store: Store;
  readonly clock: ManualClock;
}

export interface ContractCase extends ContractTools {
  readonly withStore: (title: string, body: (given: StoreCase) => Promise<void>) => void;
  readonly callersTransaction: CallersTransaction | undefined;
  readonly tamper: Tamper | undefined;
}

/** The code a promise is refused with; `"nothing thrown"` when it is not. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    const code = (error as { code?: ErrorCode }).code;
    return code !== undefined && hasCode(error, code) ? code : `not a CutoverError: ${String(error)}`;
  }
  return "nothing thrown";
}

export const created: RunEvent = {
  type: "run.created",
  data: {
    migration: "work-order-queue",
    hash: "7c1e",
    source: "crossing.ts",
    by: "ana",
    graph: { phases: [{ name: "move", steps: ["backfill", "verify"] }] },
  },
};

export function stepMoved(
  step: string,
  from: string,
  to: string,
  more: { readonly attempt?: number; readonly result?: number } = {},
): RunEvent {
  const { attempt = 1, ...rest } = more;
  const moved = { from, to, event: "moved" } as { from: "PENDING"; to: "RUNNING"; event: string };
  return { type: "step.transition", data: { ...moved, step, phase: "move", attempt, ...rest } };
}

/** A work order with everything filled in; `id` is the only thing most tests care for. */
export function newOrder(id: string, more: Partial<NewOrder> = {}): NewOrder {
  return {
    id,
    queue: "q",
    kind: "hash",
    payload: { file: `${id}.txt` },
    priority: 0,
    memory: 64 * 2 ** 20,
    slots: 1,
    tags: [],
    maxRetries: 3,
    timeoutMs: 60_000,
    tenant: "",
    limitKey: null,
    runAt: 0,
    uniqueKey: null,
    uniqueUntil: null,
    after: [],
    ifAfterFails: "cancel",
    createdAt: 1_000,
    carrier: null,
    ...more,
  };
}

/** Room for two ordinary orders. */
export const roomForTwo: Capacity = {
  slots: 2,
  memory: 8 * 2 ** 30,
  max: 2,
  kinds: ["hash"],
  starts: [],
  tags: [],
};

/** Room for `max` orders, which begin at once. */
export function starting(max: number, more: Partial<Capacity> = {}): Capacity {
  return { slots: 1_000, memory: 2 ** 45, max, kinds: ["hash"], starts: ["hash"], tags: [], ...more };
}

/** Claims `max` orders and tells which. */
export async function claimIds(store: Store, max: number, more: Partial<Capacity> = {}): Promise<string[]> {
  return (await store.orders.claim("q", "w", starting(max, more), 10_000)).map(({ id }) => id);
}

/** Ends a running order. */
export async function end(
  store: Store,
  id: string,
  to: "COMPLETED" | "FAILED" | "CANCELLED" = "COMPLETED",
): Promise<OrderRecord> {
  const order = await store.orders.get(id);
  if (order === undefined) throw new CutoverError("CUTOVER_INTERNAL", { message: `no order ${id}` });
  const change = { id, fence: order.fence, from: [order.state], to, event: to.toLowerCase() };
  return (await store.orders.change([change]))[0] as OrderRecord;
}

/** Repeatable numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain), enough to shuffle tests. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
