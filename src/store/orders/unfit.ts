import type { NewOrder } from "../order-records.ts";

/**
 * Bytes of UTF-8. An entry of an index of PostgreSQL holds 2,704, and what cannot be compressed takes all of its own: beside a
 * unique key stands the queue (100 at most), beside the tags queue, kind (100), id (600) and numbers.
 */
const mostKeyBytes = 2_000;
const mostTagBytes = 1_500;

export interface Unfit {
  /** As the submitter calls it. */
  readonly field: "limit" | "key" | "needs.tags";
  readonly expected: string;
  readonly found: string;
}

/** What of an order no store takes, the same on every database; undefined when nothing is wrong. */
export function whyUnfit(order: Pick<NewOrder, "limitKey" | "uniqueKey" | "tags">): Unfit | undefined {
  const { limitKey, uniqueKey, tags } = order;
  if (limitKey === "*")
    return { field: "limit", expected: 'the name of a limit key; "*" stands for all keys', found: limitKey };
  if (uniqueKey !== null && isLonger(uniqueKey, mostKeyBytes))
    return { field: "key", expected: `at most ${mostKeyBytes} bytes of UTF-8`, found: uniqueKey };
  if (tags.length === 0) return undefined;
  const text = JSON.stringify(tags);
  if (!isLonger(text, mostTagBytes)) return undefined;
  return {
    field: "needs.tags",
    expected: `at most ${mostTagBytes} bytes as JSON, all together`,
    found: text,
  };
}

/** The order without what cannot be stored, for the record of its end. */
export function withoutUnfit(order: NewOrder): NewOrder {
  return { ...order, limitKey: null, uniqueKey: null, uniqueUntil: null, tags: [] };
}

/** No character takes more than three bytes a unit. */
const isLonger = (text: string, bytes: number): boolean =>
  text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
