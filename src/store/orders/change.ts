import { canonicalForm, CutoverError } from "../../core/index.ts";
import type { OrderChange } from "../order-records.ts";
import { tellFollowers } from "./followers.ts";
import { movedOrder, movedRow, placed } from "./move.ts";
import { isFinished, type OrderRow } from "./row.ts";
import type { View } from "./view.ts";

/** Applies one guarded change. @throws CUTOVER_LEASE_LOST when fence, state or lease are not what the change names; CUTOVER_ORDER_CANCELLED */
export function changeOrder(view: View, change: OrderChange): void {
  const { id, fence, from, to, event, note } = change;
  const set = change.set === undefined ? undefined : canonicalForm(change.set);
  const row = view.row(id);
  if (row === undefined || row.fence !== fence || !from.includes(row.state)) throw lost(change, row);
  // A database that was set back may give a fence again.
  if (change.worker !== undefined && row.worker !== change.worker) throw lost(change, row);
  if (change.leaseOver === true && row.leaseUntil !== null && row.leaseUntil >= view.now)
    throw stillHeld(row, view.now);
  if (change.unlessCancelled === true && row.cancelRequested) throw cancelAsked(row);
  // Somebody asked for it again: it goes to the end of its line, lest a thousand old orders step in front of new ones.
  const again = (row.state === "FAILED" || row.state === "CANCELLED") && to === "PENDING";
  const entry = movedOrder(row, to, {
    ...(set?.attempt === undefined ? {} : { attempt: set.attempt }),
    ...(set?.worker === undefined ? {} : { worker: set.worker }),
    ...(set === undefined || Object.keys(set).length === 0 ? {} : { set }),
    ...(note === undefined ? {} : { note }),
    ...(again ? { turn: view.nextTurn(row.queue, row.priority, row.tenant) } : {}),
  });
  const moved = placed(movedRow(row, entry, view.now), view.now);
  view.put(moved);
  view.tell(
    row.queue,
    { type: "orders.transition", event, entry },
    moved.followed ? view.followersOf(id).ids : [],
  );
  if (isFinished(to)) tellFollowers(view, moved);
}

function cancelAsked({ id }: OrderRow): CutoverError {
  return new CutoverError("CUTOVER_ORDER_CANCELLED", {
    message: `expected work order ${id} to be wanted still, found that its end was asked for`,
    details: { id },
    place: `order ${id}`,
    remedy: "end it as cancelled",
  });
}

function stillHeld({ id, fence, worker, leaseUntil }: OrderRow, now: number): CutoverError {
  return new CutoverError("CUTOVER_LEASE_LOST", {
    message: `expected the lease of work order ${id} to be over, found that ${worker} still holds it`,
    details: { id, fence, worker, leaseUntil, now },
    place: `order ${id}`,
    remedy: "leave it to its worker; look again when the lease is over",
  });
}

function lost(change: OrderChange, found: OrderRow | undefined): CutoverError {
  const isOthers = change.worker !== undefined && found?.worker !== change.worker;
  const of = (worker: string | null | undefined): string => (isOthers ? ` of ${worker ?? "no worker"}` : "");
  const expected = `${change.from.join(" or ")} with fence ${change.fence}${of(change.worker)}`;
  const seen =
    found === undefined ? "no such order" : `${found.state} with fence ${found.fence}${of(found.worker)}`;
  return new CutoverError("CUTOVER_LEASE_LOST", {
    message: `expected work order ${change.id} in ${expected}, found ${seen}`,
    details: {
      id: change.id,
      fence: change.fence,
      found: found === undefined ? null : { state: found.state, fence: found.fence, worker: found.worker },
    },
    place: `order ${change.id}`,
    remedy: "somebody else holds this work order or it has ended; drop the result",
  });
}
