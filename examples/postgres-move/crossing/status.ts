import { noImage } from "cutover/data";
import type { Status } from "../service/shop.ts";

/** Status of an order: total over what is really there. One that is missing here is refused by name. */
export const statusMap: Readonly<Record<string, Status>> = {
  new: "placed",
  paid: "paid",
  packing: "packing",
  sent: "shipped",
  done: "delivered",
  returned: "returned",
  cancelled: "cancelled",
};

/** What becomes of work that is under way. Null: the row has no image for now. */
export const taskMap: Readonly<Record<string, { readonly becomes: string | null; readonly how: string }>> = {
  queued: { becomes: "ready", how: "moves, and is done in the new shop" },
  running: { becomes: null, how: "ends in the old shop, and moves when it has" },
  ok: { becomes: "done", how: "moves, kept for reading" },
  failed: { becomes: "failed", how: "stays failed: nobody takes it up again" },
};

const reversed = (map: Readonly<Record<string, string | null>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(map).flatMap(([old, fresh]) => (fresh === null ? [] : [[fresh, old] as const])));

const states = reversed(statusMap);
const taskStates = new Map([
  ...reversed(Object.fromEntries(Object.entries(taskMap).map(([old, { becomes }]) => [old, becomes]))),
  // On the way back work that runs in the new shop would have to end there first.
  ["running", "running"] as const,
]);

/** @throws CUTOVER_DATA_UNMAPPED naming the state */
export function statusOf(state: string): Status {
  const status = Object.hasOwn(statusMap, state) ? statusMap[state] : undefined;
  if (status === undefined) throw noImage(`order state "${state}" has no status in the new shop`);
  return status;
}

/** @throws CUTOVER_DATA_UNMAPPED naming the status */
export function oldState(status: string): string {
  const state = states.get(status);
  if (state === undefined) throw noImage(`order status "${status}" has no state in the old shop`);
  return state;
}

/** @throws CUTOVER_DATA_UNMAPPED naming the state */
export function taskStatusOf(state: string): string | null {
  const found = Object.hasOwn(taskMap, state) ? taskMap[state] : undefined;
  if (found === undefined) throw noImage(`task state "${state}" has no status in the new shop`);
  return found.becomes;
}

/** @throws CUTOVER_DATA_UNMAPPED naming the status */
export function oldTaskState(status: string): string {
  const state = taskStates.get(status);
  if (state === undefined) throw noImage(`task status "${status}" has no state in the old shop`);
  return state;
}
