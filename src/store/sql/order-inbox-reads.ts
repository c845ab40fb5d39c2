import type { NewOrder } from "../order-records.ts";
import { placed } from "../orders/move.ts";
import { type OrderRow, submittedRow } from "../orders/row.ts";
import { all, one, type Program } from "./program.ts";

/**
 * Orders that were submitted within transactions of others and that no claim has taken up yet: whoever asks for orders sees
 * them as PENDING, at the cost of one look at an index where there are none. What will be dropped when it is taken up, since
 * its key is known, is among them; what has the id of a stored order is not.
 */

interface InboxCells {
  readonly data: string;
}

const notStored = "NOT EXISTS (SELECT 1 FROM orders WHERE orders.id = order_inbox.id)";

/** The order of this id, as it would be taken up at `now`. */
export function* inInbox(id: string, now: number): Program<OrderRow | undefined> {
  const found = yield* one<InboxCells>(
    "SELECT data FROM order_inbox WHERE id = ? ORDER BY position LIMIT 1",
    id,
  );
  return found === undefined ? undefined : rowOf(found, now);
}

/** By id. Of several with one id only the first is taken up. */
export function* inboxPage(
  queue: string,
  after: string,
  limit: number,
  now: number,
): Program<readonly OrderRow[]> {
  const found = yield* all<InboxCells>(
    // Joined to nothing the queue is no way in: each page would otherwise sort all that lies there.
    `SELECT data FROM order_inbox WHERE queue || '' = ? AND id > ? AND ${notStored}
     AND NOT EXISTS (SELECT 1 FROM order_inbox AS earlier WHERE earlier.id = order_inbox.id
       AND earlier.position < order_inbox.position)
     ORDER BY id LIMIT ?`,
    queue,
    after,
    limit,
  );
  return found.map((cells) => rowOf(cells, now));
}

/** Those of the first `limit` that would wait for room, in the order in which they were handed in. */
export function* inboxHead(queue: string, limit: number, now: number): Program<readonly OrderRow[]> {
  const found = yield* all<InboxCells>(
    `SELECT data FROM order_inbox WHERE queue = ? AND ${notStored} ORDER BY position LIMIT ?`,
    queue,
    limit,
  );
  return found.map((cells) => rowOf(cells, now)).filter(({ waits }) => waits === "room");
}

export function* inboxSize(queue: string): Program<number> {
  const found = yield* one<{ readonly n: number }>(
    "SELECT count(*) AS n FROM order_inbox WHERE queue = ?",
    queue,
  );
  return found?.n ?? 0;
}

function rowOf({ data }: InboxCells, now: number): OrderRow {
  const order = JSON.parse(data) as NewOrder;
  return placed({ ...submittedRow({ ...order, turn: 0 }), blockedBy: order.after.length }, now);
}
