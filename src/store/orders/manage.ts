import { canonicalJson } from "../../core/index.ts";
import type { OrderLimit, QueueConfig } from "../order-records.ts";
import { isInInbox, takeUpInbox } from "./inbox.ts";
import { arrivalUnder } from "./line-limit.ts";
import type { OrderJob } from "./order-io.ts";
import { isFinished, type OrderRow } from "./row.ts";
import { noTurn } from "./turns.ts";
import { limitIn, type View, waitsForRate } from "./view.ts";

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
  const turn = row.turn === noTurn ? noTurn : view.nextTurn(row.queue, priority, row.tenant);
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
  if (change.limits !== undefined) changeLimits(view, queue, before, config);
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

/**
 * Of keys whose limit is another now, those that have not begun are let in anew, and what has begun of late counts under the
 * new rate. Nothing happens to the others: a worker may say at every start what holds already.
 */
function changeLimits(view: View, queue: string, before: QueueConfig, after: QueueConfig): void {
  for (const [key, rows] of rowsByKey(view, queue)) {
    const [old, limit] = [limitIn(before, key), limitIn(after, key)];
    if (canonicalJson(old) === canonicalJson(limit)) continue;
    const state = view.limitKey(queue, key);
    view.setLimitKey({ ...state, arrivalAt: arrivalUnder(limit, old, state.arrivalAt, view.now) });
    for (const row of rows)
      if (row.waits === "room" || waitsForRate(row)) view.put({ ...row, waits: "limit", dueAt: null });
    view.unsettle(queue, key);
  }
}

/** Loaded orders of each limit key that is known, also of those that have none. */
function rowsByKey(view: View, queue: string): ReadonlyMap<string, readonly OrderRow[]> {
  const byKey = new Map<string, OrderRow[]>();
  for (const known of [view.gathered.limitKeys, view.limitKeys])
    for (const state of known.values()) if (state.queue === queue) byKey.set(state.key, []);
  for (const row of view.rows.values()) {
    if (row.queue !== queue || row.limitKey === null) continue;
    const rows = byKey.get(row.limitKey);
    if (rows === undefined) byKey.set(row.limitKey, [row]);
    else rows.push(row);
  }
  return byKey;
}
