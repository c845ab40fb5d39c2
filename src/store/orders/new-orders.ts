import { canonicalForm, CutoverError } from "../../core/index.ts";
import type { SubmittedOrder } from "../order-events.ts";
import type { NewOrder } from "../order-records.ts";
import { findCycles } from "./cycle.ts";
import { cancelByStore, tellFollowers } from "./followers.ts";
import { placed } from "./move.ts";
import { isFinished, type OrderRow, submittedRow } from "./row.ts";
import { noTurn } from "./turns.ts";
import { whyUnfit, withoutUnfit } from "./unfit.ts";
import type { View } from "./view.ts";

export interface Stored {
  readonly id: string;
  readonly fresh: boolean;
}

/** What an order that cannot begin is refused with, or, taken from the inbox, cancelled with, or dropped where its id is taken. */
export type Refuse = (order: NewOrder, error: CutoverError) => void;

/** @param refuse told of an order that can never begin; when it returns, the order is stored and cancelled */
export function storeOrders(view: View, orders: readonly NewOrder[], refuse: Refuse): readonly Stored[] {
  const fresh: { readonly order: NewOrder; readonly row: OrderRow; readonly takenFrom?: string }[] = [];
  const idOf = new Map<string, string>();
  const unable = new Map<string, CutoverError>();
  const stored = orders.map((given): Stored => {
    const unfit = unfitError(given);
    const order = unfit === undefined ? given : withoutUnfit(given);
    const holder = order.uniqueKey === null ? undefined : view.holder(order.queue, order.uniqueKey);
    const expired = holder !== undefined && holder.uniqueUntil !== null && holder.uniqueUntil <= view.now;
    const known = view.row(order.id) ?? (expired ? undefined : holder);
    idOf.set(order.id, known?.id ?? order.id);
    if (known !== undefined && known.queue !== order.queue) refuse(order, takenError(order, known));
    if (known !== undefined) return { id: known.id, fresh: false };
    if (unfit !== undefined) {
      refuse(given, unfit);
      unable.set(order.id, unfit);
    }
    if (expired) view.put({ ...holder, uniqueKey: null, uniqueUntil: null });
    const row = submittedRow(submitted(view, order));
    view.put(row);
    fresh.push({ order, row, ...(expired ? { takenFrom: holder.id } : {}) });
    return { id: order.id, fresh: true };
  });
  const waiting = fresh.some(({ order }) => order.after.length > 0);
  if (waiting) {
    for (const ring of findCycles(
      fresh.map(({ order }) => order),
      idOf,
    ))
      for (const id of ring) unable.set(id, cycleError(ring));
    for (const { order } of fresh) {
      const error = unable.get(order.id);
      if (error !== undefined) refuse(order, error);
    }
  }
  for (const { order, row, takenFrom } of fresh) {
    const error = unable.get(order.id);
    const leaders = error === undefined && waiting ? leadersOf(view, order, idOf, refuse) : { ids: [] };
    const entry = submittedEntry(order, row, leaders.ids);
    for (const id of leaders.ids) {
      const leader = view.row(id);
      if (leader !== undefined && !leader.followed) view.put({ ...leader, followed: true });
      view.link(id, row.id);
    }
    // `followed` may have been set meanwhile, by an order of this call that waits for this one.
    const blockedBy = leaders.ids.length;
    const last = view.row(row.id) ?? row;
    const ready = placed(last.blockedBy === blockedBy ? last : { ...last, blockedBy }, view.now);
    view.put(ready);
    const concerns = takenFrom === undefined ? leaders.ids : [...leaders.ids, takenFrom];
    view.tell(row.queue, { type: "orders.submitted", entry }, concerns);
    const failed = error ?? leaders.error;
    if (failed !== undefined) {
      const message = `work order ${row.id} was cancelled when it was taken up: ${failed.message}`;
      tellFollowers(view, cancelByStore(view, ready, { code: "CUTOVER_ORDER_CANCELLED", message }));
    }
  }
  return stored;
}

/** Unfinished orders that `order` waits for, by the ids they are stored under. */
function leadersOf(
  view: View,
  order: NewOrder,
  idOf: ReadonlyMap<string, string>,
  refuse: Refuse,
): { readonly ids: readonly string[]; readonly error?: CutoverError } {
  const ids: string[] = [];
  for (const id of new Set(order.after.map((name) => idOf.get(name) ?? name))) {
    const leader = view.row(id);
    let error: CutoverError | undefined;
    if (leader === undefined) error = unknownError(order, id);
    else if (!isFinished(leader.state)) ids.push(id);
    else if (leader.state !== "COMPLETED" && order.ifAfterFails === "cancel")
      error = failedError(order, leader);
    if (error === undefined) continue;
    refuse(order, error);
    return { ids: [], error };
  }
  return { ids };
}

function submitted(view: View, order: NewOrder): SubmittedOrder {
  // One that waits for its time alone comes to its line when it is due, lest it push back those that could begin now.
  const timed = order.after.length === 0 && order.runAt > view.now;
  const turn = timed ? noTurn : view.nextTurn(order.queue, order.priority, order.tenant);
  // Its text is made for the row and for the event.
  return { ...order, turn, payload: canonicalForm(order.payload), carrier: canonicalForm(order.carrier) };
}

/** The entry of the event; members in the order of canonical JSON, which then is plain JSON. */
function submittedEntry(order: NewOrder, row: OrderRow, after: readonly string[]): SubmittedOrder {
  return {
    after,
    carrier: row.carrier,
    createdAt: order.createdAt,
    id: order.id,
    ifAfterFails: order.ifAfterFails,
    kind: order.kind,
    limitKey: order.limitKey,
    maxRetries: order.maxRetries,
    memory: order.memory,
    payload: row.payload,
    priority: order.priority,
    queue: order.queue,
    runAt: order.runAt,
    slots: order.slots,
    tags: order.tags,
    tenant: order.tenant,
    timeoutMs: order.timeoutMs,
    turn: row.turn,
    uniqueKey: order.uniqueKey,
    uniqueUntil: order.uniqueUntil,
  };
}

function cycleError(ring: readonly string[]): CutoverError {
  const text = [...ring, ring[0] ?? ""].join(" → ");
  return new CutoverError("CUTOVER_QUEUE_CYCLE", {
    message: `expected work orders that do not wait for each other in a ring, found ${text}`,
    details: { ring: [...ring] },
    place: "after",
  });
}

function unknownError(order: NewOrder, id: string): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_UNKNOWN_ORDER", {
    message: `expected "after" of work order ${order.id} to name orders that are stored or submitted with it, found ${JSON.stringify(id)}`,
    details: { id: order.id, after: id },
    place: `order ${order.id}, after`,
  });
}

function takenError({ id, queue }: NewOrder, known: OrderRow): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `expected the id of a work order of queue ${queue} to be new in the store or known in this queue, found ${id}, which is an order of queue ${known.queue}`,
    details: { id, queue, found: known.queue },
    place: `order ${id}, id`,
    remedy: "put the name of the queue into the id, or give a key instead: keys count for one queue each",
  });
}

function unfitError(order: NewOrder): CutoverError | undefined {
  const unfit = whyUnfit(order);
  if (unfit === undefined) return undefined;
  const { field, expected, found } = unfit;
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `${field} of work order ${order.id}: expected ${expected}, found ${JSON.stringify(found.slice(0, 80))}`,
    details: { id: order.id, field },
    place: `order ${order.id}, ${field}`,
  });
}

function failedError(order: NewOrder, leader: OrderRow): CutoverError {
  return new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `expected "after" of work order ${order.id} to name orders that can still be completed, found ${leader.id}, which is ${leader.state}`,
    details: { id: order.id, after: leader.id, state: leader.state },
    place: `order ${order.id}, after`,
    remedy:
      'retry that order first, leave it out of "after", or let this one run all the same with ifAfterFails',
  });
}
