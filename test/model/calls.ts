import { decideFailure } from "../../src/queue/failure.ts";
import { nextState, type OrderEvent } from "../../src/queue/states.ts";
import type { OrderChange, OrderSet } from "../../src/store/order-records.ts";
import type { OrderRow } from "../../src/store/orders/row.ts";
import { cancelled, type Rules } from "./rules.ts";
import { type Applied, maxRetries, type Moved, type Outcome, type Truth, type World } from "./world.ts";

const backoff = { base: 1, factor: 1, cap: 1, floor: 1, jitter: 0 };

/** Sends an event to an order as it was seen: legal by the table there, guarded by fence and state in the store. */
export function change(
  rules: Rules,
  world: World,
  seen: OrderRow,
  event: OrderEvent,
  set: OrderSet,
  guard: Pick<OrderChange, "leaseOver" | "unlessCancelled"> = {},
): Applied {
  const to = nextState(seen.id, seen.state, event);
  const one = { id: seen.id, fence: seen.fence, from: [seen.state], to, event, set, ...guard };
  return rules.apply(world.orders, { do: "change", changes: [one] }, world.now);
}

/** What the queue writes when the work of an attempt has ended. */
export function ending(
  { state, attempt }: OrderRow,
  outcome: Outcome,
  now: number,
): { readonly event: OrderEvent; readonly set: OrderSet } {
  const running = state === "RUNNING" ? 1 : 0;
  switch (outcome) {
    case "completed":
      return { event: "completed", set: { result: null, endedAt: now, error: null } };
    case "cancelled":
      return { event: "cancelled", set: { endedAt: now, error: cancelled, sandbox: null } };
    case "released":
      return { event: "released", set: { attempt: attempt - running, runAt: now, sandbox: null } };
    case "fails":
    case "fails for good": {
      const counted = attempt + 1 - running;
      const failed = { class: outcome === "fails" ? "retryable" : "fatal" } as const;
      const { event, runAt } = decideFailure(
        failed,
        { state, attempt: counted, maxRetries },
        backoff,
        now,
        () => 0,
      );
      const set = { attempt: counted, error: { code: "Error", message: "" }, sandbox: null };
      return { event, set: runAt === undefined ? { ...set, endedAt: now } : { ...set, runAt } };
    }
  }
}

/** The world after a call, its truth kept up. `told`: the worker that lost its claim had told that it lives. */
export function recorded(world: World, { orders, moved }: Applied, told = false): World {
  const truth = world.truth.map((known, at) =>
    moved
      .filter(({ id }) => id === world.orders[at]?.id)
      .reduce((before, one) => happened(before, one, told), known),
  );
  return { ...world, orders, truth };
}

function happened(truth: Truth, { event, from }: Moved, told: boolean): Truth {
  switch (event) {
    case "claimed":
      return { ...truth, claims: truth.claims + 1 };
    case "retry-scheduled":
    case "failed":
    case "exhausted":
      return { ...truth, failures: truth.failures + 1 };
    case "lost":
    case "poisoned":
      return from === "RUNNING" && !told ? { ...truth, crashes: truth.crashes + 1 } : truth;
    case "completed":
      return { ...truth, completions: truth.completions + 1 };
    case "requeued":
      return from === "FAILED" ? { ...truth, failures: 0, crashes: 0 } : truth;
    default:
      return truth;
  }
}
