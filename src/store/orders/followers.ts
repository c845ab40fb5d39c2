import type { ErrorRecord } from "../run-events.ts";
import { movedOrder, movedRow, placed } from "./move.ts";
import type { OrderRow } from "./row.ts";
import type { View } from "./view.ts";

/** Most followers told in one call; the rest is told with the next claims, so that no commit grows without bound. */
const mostTold = 2_000;

/**
 * Tells the orders that wait for an ended one: they wait for one less, or are cancelled with it, and then so are
 * those that wait for them.
 */
export function tellFollowers(view: View, ended: OrderRow): void {
  const toTell = [ended];
  let told = 0;
  for (let leader = toTell.shift(); leader !== undefined; leader = toTell.shift()) {
    if (!leader.followed) continue;
    const { ids, all } = view.followersOf(leader.id);
    let left = !all;
    for (const id of ids) {
      const follower = view.row(id);
      if (told >= mostTold || (follower !== undefined && !view.mayPlace(follower))) {
        left = true;
        continue;
      }
      told++;
      view.unlink(leader.id, id);
      if (follower?.state !== "PENDING" || follower.blockedBy === 0) continue;
      if (leader.state !== "COMPLETED" && follower.ifAfterFails === "cancel")
        toTell.push(cancelFollower(view, follower, leader));
      else view.put(placed({ ...follower, blockedBy: follower.blockedBy - 1 }, view.now));
    }
    const row = view.row(leader.id);
    if (row !== undefined && !left) view.put({ ...row, followed: false });
  }
}

function cancelFollower(view: View, follower: OrderRow, leader: OrderRow): OrderRow {
  const outcome = leader.state === "FAILED" ? "failed" : "was cancelled";
  return cancelByStore(view, follower, {
    code: "CUTOVER_ORDER_CANCELLED",
    message: `work order ${follower.id} was cancelled: ${leader.id}, which it waited for, ${outcome}`,
    details: { after: leader.id },
  });
}

/** Ends an order that can never begin. */
export function cancelByStore(view: View, row: OrderRow, error: ErrorRecord): OrderRow {
  const set = { endedAt: view.now, error };
  const entry = movedOrder(row, "CANCELLED", { note: error.message, set });
  const cancelled = movedRow(row, entry, view.now);
  view.put(cancelled);
  view.tell(row.queue, { type: "orders.transition", event: "cancelled", entry });
  return cancelled;
}
