import { CutoverError } from "../core/index.ts";
import type { OrderCounts, OrderState } from "../store/index.ts";
import { invalid } from "./settings.ts";

/**
 * What can happen to a work order. Persisted words: each stands as `event` in the record of a transition.
 * `claimed`, `retry-due` and `due` are sent by the store itself, the others by the queue.
 * Their meaning is in `docs/spec/work-order.md`, which a test holds against this table.
 */
export type OrderEvent =
  | "claimed"
  | "started"
  | "attached"
  | "progressed"
  | "completed"
  | "retry-scheduled"
  | "failed"
  | "exhausted"
  | "lost"
  | "poisoned"
  | "released"
  | "cancelled"
  | "retry-due"
  | "requeued"
  | "due";

type Row = Readonly<Record<OrderEvent, OrderState | null>>;

const nothing: Row = {
  claimed: null,
  started: null,
  attached: null,
  progressed: null,
  completed: null,
  "retry-scheduled": null,
  failed: null,
  exhausted: null,
  lost: null,
  poisoned: null,
  released: null,
  cancelled: null,
  "retry-due": null,
  requeued: null,
  due: null,
};

/** State before × event → state after; `null` is illegal. Total: a new state or event does not compile without its cells. */
export const orderTransitions: Readonly<Record<OrderState, Row>> = {
  PENDING: { ...nothing, claimed: "PREPARING", failed: "FAILED", cancelled: "CANCELLED", due: "PENDING" },
  PREPARING: {
    ...nothing,
    started: "RUNNING",
    "retry-scheduled": "WAITING_RETRY",
    failed: "FAILED",
    exhausted: "FAILED",
    lost: "WAITING_RETRY",
    released: "PENDING",
    cancelled: "CANCELLED",
  },
  RUNNING: {
    ...nothing,
    attached: "RUNNING",
    progressed: "RUNNING",
    completed: "COMPLETED",
    "retry-scheduled": "WAITING_RETRY",
    failed: "FAILED",
    exhausted: "FAILED",
    lost: "WAITING_RETRY",
    poisoned: "FAILED",
    released: "PENDING",
    cancelled: "CANCELLED",
  },
  WAITING_RETRY: {
    ...nothing,
    "retry-due": "PENDING",
    cancelled: "CANCELLED",
    requeued: "PENDING",
  },
  COMPLETED: nothing,
  FAILED: { ...nothing, requeued: "PENDING" },
  // Only with the order that it waited for; `requeue` looks at that.
  CANCELLED: { ...nothing, requeued: "PENDING" },
};

export const orderStates: readonly OrderState[] = Object.keys(orderTransitions) as OrderState[];
export const orderEvents: readonly OrderEvent[] = Object.keys(nothing) as OrderEvent[];

/** States in which an order still wants something to be done. */
export const unfinishedStates: readonly OrderState[] = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY"];

/** How many orders are not finished. */
export function unfinished(counts: OrderCounts): number {
  return unfinishedStates.reduce((sum, state) => sum + counts[state], 0);
}

/** @throws CUTOVER_QUEUE_INVALID when a state is named that is none of `allowed` */
export function refuseUnknownStates(
  states: readonly OrderState[] | undefined,
  allowed: readonly OrderState[],
): void {
  if (states === undefined) return;
  if (!Array.isArray(states)) throw invalid("states", `a list of ${allowed.join(", ")}`, states);
  for (const state of states)
    if (!allowed.includes(state)) throw invalid("states", allowed.join(", "), state);
}

export function isFinished(state: OrderState): boolean {
  return !unfinishedStates.includes(state);
}

/** Events that are legal in `state`, in the order of the table. */
export function legalEvents(state: OrderState): readonly OrderEvent[] {
  return orderEvents.filter((event) => orderTransitions[state][event] !== null);
}

/**
 * The state that `event` leads to.
 * @throws CUTOVER_QUEUE_ILLEGAL_TRANSITION with `details.legal`, the events the state does take.
 */
export function nextState(id: string, state: OrderState, event: OrderEvent): OrderState {
  const next = orderTransitions[state][event];
  if (next !== null) return next;
  const legal = legalEvents(state);
  throw new CutoverError("CUTOVER_QUEUE_ILLEGAL_TRANSITION", {
    message:
      `work order ${id} is ${state}, which does not take "${event}"; ` +
      (legal.length > 0 ? `legal here: ${legal.join(", ")}` : "nothing can happen to it any more"),
    details: { id, state, event, legal },
    ...remedyFor(state, event),
  });
}

/** What a person who asked for it can do instead. */
function remedyFor(state: OrderState, event: OrderEvent): { readonly remedy?: string } {
  if (legalEvents(state).length === 0)
    return { remedy: "submit it again, as a new order, if it is still wanted" };
  if (event !== "requeued") return {};
  return { remedy: state === "PENDING" ? "it waits for a worker already" : "wait for its end, or cancel it" };
}
