import { all, one, type Program } from "../sql/program.ts";
import { numberArray, textArray } from "./arrays.ts";

// What the shared programs do row by row; here each row would be a round trip with the chain locked.

/** Moves the lease end of those still held, and not over yet; the ids of the others. */
export function* renewOrders(
  held: readonly { readonly id: string; readonly fence: number }[],
  now: number,
  until: number,
): Program<readonly string[]> {
  if (held.length === 0) return [];
  const renewed = yield* all<{ readonly id: string }>(
    `UPDATE orders SET lease_until = greatest(lease_until, $1) FROM unnest($2::text[], $3::bigint[]) AS held (id, fence)
     WHERE orders.id = held.id AND orders.fence = held.fence AND orders.lease_until >= $4 RETURNING orders.id`,
    until,
    textArray(held.map(({ id }) => id)),
    numberArray(held.map(({ fence }) => fence)),
    now,
  );
  const kept = new Set(renewed.map(({ id }) => id));
  return held.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
}

/** Ended orders whose followers still have to be told stay. */
export function* pruneOrders(queue: string, before: number, limit: number): Program<number> {
  const found = yield* one<{ readonly n: number }>(
    `WITH old AS (
       SELECT id, state FROM orders WHERE queue = $1 AND ended_at IS NOT NULL AND ended_at < $2 AND followed = 0
       ORDER BY ended_at LIMIT $3
     ), gone AS (
       DELETE FROM orders USING old WHERE orders.id = old.id
     ), counted AS (
       UPDATE order_counts SET n = order_counts.n - sums.n
       FROM (SELECT state, count(*) AS n FROM old GROUP BY state) AS sums
       WHERE order_counts.queue = $1 AND order_counts.state = sums.state
     ) SELECT count(*) AS n FROM old`,
    queue,
    before,
    limit,
  );
  return found?.n ?? 0;
}
