import { CutoverError } from "../../core/index.ts";
import type { OrderTransition } from "../order-events.ts";
import type { OrderChange, OrderRecord, OrderState } from "../order-records.ts";
import { type OrderRow, orderSelect, toOrder } from "../order-rows.ts";
import type { Connection } from "./connection.ts";
import type { CountChanges } from "./order-counts.ts";
import type { Transaction } from "./transaction.ts";

interface Standing {
  readonly queue: string;
  readonly state: OrderState;
  readonly attempt: number;
  readonly worker: string | null;
  readonly fence: number;
}

const oneOrder = `${orderSelect} WHERE id = ?`;

export function readOrder(db: Connection, id: string): OrderRecord | undefined {
  const row = db.rows<OrderRow>(oneOrder, id)[0];
  return row === undefined ? undefined : toOrder(row);
}

/** Applies one guarded change. @throws CUTOVER_LEASE_LOST when fence or state are not what the change names. */
export function changeOrder(
  tx: Transaction,
  counts: CountChanges,
  at: number,
  change: OrderChange,
): OrderRecord {
  const { id, fence, from, to, event, set = {}, note } = change;
  const found = tx.db.get<Standing & Record<string, unknown>>(
    "SELECT queue, state, attempt, worker, fence FROM orders WHERE id = ?",
    id,
  );
  if (found === undefined || found.fence !== fence || !from.includes(found.state)) throw lost(change, found);
  const transition: OrderTransition = {
    queue: found.queue,
    from: found.state,
    to,
    event,
    attempt: set.attempt ?? found.attempt,
    worker: set.worker === undefined ? found.worker : set.worker,
    fence,
    ...(Object.keys(set).length === 0 ? {} : { set }),
    ...(note === undefined ? {} : { note }),
  };
  appendTransition(tx, counts, at, id, transition);
  const record = readOrder(tx.db, id);
  if (record === undefined) throw lost(change, undefined);
  return record;
}

/** Appends the event of a change of state, with row and counts. */
export function appendTransition(
  tx: Transaction,
  counts: CountChanges,
  at: number,
  id: string,
  data: OrderTransition,
): void {
  const { fits } = tx.append(at, `order:${id}`, { type: "order.transition", data });
  if (!fits) throw lost({ id, fence: data.fence, from: [data.from] }, undefined);
  counts.add(data.queue, data.from, -1);
  counts.add(data.queue, data.to, 1);
}

function lost(change: Pick<OrderChange, "id" | "fence" | "from">, found: Standing | undefined): CutoverError {
  const expected = `${change.from.join(" or ")} with fence ${change.fence}`;
  const seen = found === undefined ? "no such order" : `${found.state} with fence ${found.fence}`;
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
