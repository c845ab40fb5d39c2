import type { OrderRecord } from "../store/index.ts";
import type { Use } from "./capacity.ts";

export interface BacklogView {
  /** Orders that could not start here even if nothing else ran. */
  readonly tooLarge: readonly OrderRecord[];
  /**
   * The order that comes first, when it has waited too long for room. Until it fits nothing else is claimed:
   * small orders would take each slot that comes free and it would wait for ever.
   */
  readonly reserveFor: OrderRecord | undefined;
}

/**
 * What the oldest waiting orders mean for the next claims. Pure.
 * @param waiting PENDING orders, oldest first; a page is enough, later ones have their turn later
 */
export function viewBacklog(
  waiting: readonly OrderRecord[],
  room: { readonly total: Use; readonly free: Use },
  now: number,
  reserveAfterMs: number,
): BacklogView {
  const due = waiting.filter((order) => order.runAt <= now);
  const tooLarge = due.filter((order) => !fits(order, room.total));
  const first = due
    .filter((order) => fits(order, room.total))
    .reduce<OrderRecord | undefined>(
      (best, order) => (best === undefined || order.priority > best.priority ? order : best),
      undefined,
    );
  const waits = first !== undefined && now - first.runAt >= reserveAfterMs && !fits(first, room.free);
  return { tooLarge, reserveFor: waits ? first : undefined };
}

const fits = (order: OrderRecord, room: Use): boolean =>
  order.slots <= room.slots && order.memory <= room.memory;
