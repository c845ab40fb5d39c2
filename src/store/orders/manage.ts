import type { OrderLimit, QueueConfig } from "../order-records.ts";
import { isInInbox, takeUpInbox } from "./inbox.ts";
import type { OrderJob } from "./order-io.ts";
import { isFinished, type OrderRow } from "./row.ts";
import { type View, waitsForRate } from "./view.ts";

/** An order by its id, also one that was submitted within another transaction and not taken up yet. */
function find(view: View, id: string): OrderRow | undefined {
  if (view.row(id) === undefined && isInInbox(view, id)) takeUpInbox(view);
  return view.row(id);
}

/** Marks an unfinished order, once. */
export function requestCancel(view: View, id: string, reason: string): void {
  const row = find(view, id);
  if (row === undefined || row.cancelRequested || isFinished(row.state)) return;
  view.put({ ...row, cancelRequested: true });
  view.tell(row.queue, { type: "orders.cancel-requested", entry: { id, reason } });
}

export function prioritise(view: View, id: string, priority: number): void {
  const row = find(view, id);
  if (row === undefined || row.priority === priority || isFinished(row.state)) return;
  const turn = view.nextTurn(row.queue, priority, row.tenant);
  view.put({ ...row, priority, turn });
  view.tell(row.queue, { type: "orders.prioritised", entry: { from: row.priority, id, to: priority, turn } });
  if (row.limitKey !== null) view.unsettle(row.queue, row.limitKey);
}

export function configure(view: View, job: Extract<OrderJob, { do: "configure" }>): QueueConfig {
  const { queue, change, by, reason } = job;
  const before = view.config(queue);
  const config: QueueConfig = {
    limits: merged<OrderLimit>(before.limits, change.limits),
    paused: change.paused ?? before.paused,
    weights: merged<number>(before.weights, change.weights),
  };
  if (change.limits !== undefined) beginLimitsAnew(view, queue, change.limits);
  view.configure(queue, config, by, reason);
  return config;
}

function merged<T>(
  before: Readonly<Record<string, T>>,
  change: Readonly<Record<string, T | null>> = {},
): Readonly<Record<string, T>> {
  const kept = Object.entries({ ...before, ...change }).filter(
    (entry): entry is [string, T] => entry[1] !== null,
  );
  return Object.fromEntries(kept);
}

/** Under a new limit those that have not begun are let in anew, and the rate counts from now. */
function beginLimitsAnew(view: View, queue: string, limits: Readonly<Record<string, unknown>>): void {
  const keys = new Set<string>();
  for (const row of view.rows.values()) {
    if (row.queue !== queue || row.limitKey === null) continue;
    if (!Object.hasOwn(limits, row.limitKey) && !Object.hasOwn(limits, "*")) continue;
    keys.add(row.limitKey);
    if (row.waits === "room" || waitsForRate(row)) view.put({ ...row, waits: "limit", dueAt: null });
  }
  for (const key of keys) {
    const state = view.limitKey(queue, key);
    view.setLimitKey({ ...state, arrivalAt: Math.min(state.arrivalAt, view.now) });
    view.unsettle(queue, key);
  }
}
