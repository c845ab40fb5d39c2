import { canonicalJson } from "../../core/index.ts";
import type { OrderRow } from "../orders/row.ts";
import type { SqlValue } from "../sql/program.ts";
import { jsonArray, numberArray, textArray } from "./arrays.ts";

/**
 * A query that has a row for each of these orders that is no longer held, or no longer waits, as it is known here.
 * @param place stands for a value
 */
export function noLonger(known: readonly OrderRow[], place: (value: SqlValue) => string): string {
  const ids = place(textArray(known.map(({ id }) => id)));
  const fences = place(numberArray(known.map(({ fence }) => fence)));
  const waits = place(textArray(known.map((row) => row.waits)));
  return `SELECT known.id FROM unnest(${ids}::text[], ${fences}::bigint[], ${waits}::text[])
    AS known (id, fence, waits) LEFT JOIN orders ON orders.id = known.id AND orders.fence = known.fence
      AND orders.waits IS NOT DISTINCT FROM known.waits AND (known.waits IS NULL) = (orders.lease_until IS NOT NULL)
    WHERE orders.id IS NULL`;
}

/** True while this one order is held, or waits, as it is known here: what `noLonger` asks, without a join. */
export function stillAsKnown({ id, fence, waits }: OrderRow, place: (value: SqlValue) => string): string {
  return `EXISTS (SELECT FROM orders WHERE id = ${place(id)}::text AND fence = ${place(fence)}::bigint
    AND waits ${waits === null ? "IS NULL AND lease_until IS NOT NULL" : `= ${place(waits)}::text AND lease_until IS NULL`})`;
}

/**
 * True while these orders are held as they are known here, nobody waits for them, and nobody else has told anything of
 * them: asked for their end, or given them another priority.
 */
export function stillHeld(known: readonly OrderRow[], place: (value: SqlValue) => string): string {
  const ids = place(textArray(known.map(({ id }) => id)));
  const fences = place(numberArray(known.map(({ fence }) => fence)));
  const trails = place(jsonArray(known.map(({ trail }) => canonicalJson(trail))));
  return `NOT EXISTS (SELECT FROM unnest(${ids}::text[], ${fences}::bigint[],
        string_to_array(${trails}::text, E'\\x1e')) AS known (id, fence, trail)
      LEFT JOIN orders ON orders.id = known.id AND orders.fence = known.fence
      AND orders.waits IS NULL AND orders.lease_until IS NOT NULL AND orders.followed = 0
      AND orders.trail = known.trail WHERE orders.id IS NULL)`;
}
