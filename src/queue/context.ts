import { CutoverError, sleep } from "../core/index.ts";
import type { OrderChange, OrderRecord, Store } from "../store/index.ts";
import type { Meter } from "./metrics.ts";
import type { QueueSettings } from "./settings.ts";
import { nextState, type OrderEvent } from "./states.ts";
import type { Telemetry } from "./telemetry.ts";

/** What the parts of one open queue share. */
export interface QueueContext {
  readonly settings: QueueSettings;
  readonly store: Store;
  /** Name of this worker in the record. */
  readonly worker: string;
  readonly meter: Meter;
  /** Undefined when nobody asked for it. */
  readonly telemetry?: Telemetry | undefined;
}

/** What the store is to look at beside fence and state. */
export type Guard = Pick<OrderChange, "leaseOver" | "unlessCancelled">;

/**
 * Sends `event` to an order: checked against the state table here, guarded by state and fence in the store.
 * @throws CUTOVER_QUEUE_ILLEGAL_TRANSITION; CUTOVER_LEASE_LOST when the order moved on meanwhile; CUTOVER_ORDER_CANCELLED by its guard
 */
export async function sendEvent(
  context: QueueContext,
  order: OrderRecord,
  event: OrderEvent,
  set: NonNullable<OrderChange["set"]> = {},
  note?: string,
  guard: Guard = {},
): Promise<OrderRecord> {
  const { store, meter } = context;
  const to = nextState(order.id, order.state, event);
  const change: OrderChange = {
    id: order.id,
    fence: order.fence,
    worker: order.worker,
    from: [order.state],
    to,
    event,
    set,
    ...guard,
  };
  const [changed] = await store.orders.change([note === undefined ? change : { ...change, note }]);
  if (changed === undefined) {
    throw new CutoverError("CUTOVER_INTERNAL", {
      message: `the store accepted "${event}" for work order ${order.id} but returned no record`,
    });
  }
  meter.count(event);
  return changed;
}

/** A transition outside of an attempt: told to OpenTelemetry as well, where attempts tell by themselves. */
export async function sendOutside(
  context: QueueContext,
  order: OrderRecord,
  event: OrderEvent,
  set: NonNullable<OrderChange["set"]>,
  note?: string,
  guard: Guard = {},
): Promise<OrderRecord> {
  const changed = await sendEvent(context, order, event, set, note, guard);
  context.telemetry?.count(event, order.kind);
  return changed;
}

/** Between two lines of the log about one write that does not succeed. */
const tellEveryMs = 30_000;

/**
 * Runs `write` until it succeeds, with growing waits, for as long as `again` allows: a full disk or a store that is away
 * must not cost a result that is there already.
 */
export async function insist<T>(
  context: QueueContext,
  write: () => Promise<T>,
  again: (error: unknown) => boolean,
): Promise<T> {
  const { clock, log } = context.settings;
  let toldAt = Number.NEGATIVE_INFINITY;
  for (let wait = 50; ; wait = Math.min(2_000, wait * 2)) {
    try {
      return await write();
    } catch (error) {
      if (!again(error)) throw error;
      const now = clock.monotonic();
      if (now - toldAt >= tellEveryMs) {
        toldAt = now;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn("writing to the store failed, trying again", { reason, wait });
      }
      await sleep(clock, wait);
    }
  }
}
