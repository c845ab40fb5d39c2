import type { Writes } from "../orders/order-io.ts";
import { placed } from "../orders/move.ts";
import { type OrderRow, submittedRow } from "../orders/row.ts";
import type { StoredEvent } from "../run-events.ts";
import type { SqlValue, Statement } from "../sql/program.ts";
import { anyOf } from "./foreseen-commit.ts";
import { isHead } from "./schema.ts";

/** What tells others of a commit: of queues with new work, of what is offered to them, and of its events where they are known. */
export type Announce = (
  ring: readonly string[],
  offer: Offer | undefined,
  events?: readonly StoredEvent[],
) => Statement | undefined;

/**
 * What a claim of a new order is decided on, as other processes are told of it: who is rung need not look for the order.
 * Anybody who may connect to the database can hear it, and say it: it tells no payload, tenant or key, and the commit of
 * who believes it makes sure of every word.
 */
export interface Offer {
  readonly id: string;
  readonly queue: string;
  readonly kind: string;
  readonly priority: number;
  readonly memory: number;
  readonly slots: number;
  readonly tags: readonly string[];
  readonly turn: number;
  readonly createdAt: number;
  readonly trail: readonly number[];
}

/** It was claimed by somebody else long ago. */
const freshMs = 250;
/** Queues with an offer that nobody here has asked for. */
const mostKept = 100;

/** Of a commit that brings one order and nothing else. */
export function offerOf({ inserted, updated }: Writes): Offer | undefined {
  const [row] = inserted;
  if (row === undefined || inserted.length > 1 || updated.length > 0) return undefined;
  if (row.waits !== "room" || row.limitKey !== null || row.trail.length !== 1) return undefined;
  const { id, queue, kind, priority, memory, slots, tags, turn, createdAt, trail } = row;
  return { id, queue, kind, priority, memory, slots, tags, turn, createdAt, trail };
}

/** What was heard, if it is an offer. */
export function readOffer(heard: unknown): Offer | undefined {
  if (typeof heard !== "object" || heard === null) return undefined;
  const { id, queue, kind, priority, memory, slots, tags, turn, createdAt, trail } = heard as Record<
    string,
    unknown
  >;
  const isText = (value: unknown): value is string => typeof value === "string";
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value);
  if (!isText(id) || !isText(queue) || !isText(kind)) return undefined;
  if (!isCount(priority) || !isCount(memory) || !isCount(slots) || !isCount(turn) || !isCount(createdAt))
    return undefined;
  if (!Array.isArray(tags) || !tags.every(isText)) return undefined;
  if (!Array.isArray(trail) || !trail.every(isCount)) return undefined;
  return { id, queue, kind, priority, memory, slots, tags, turn, createdAt, trail };
}

/** The order as far as it was told. */
export function offeredRow(offer: Offer): OrderRow {
  const untold = { after: [], carrier: null, ifAfterFails: "cancel", limitKey: null, maxRetries: 0 } as const;
  const more = { payload: null, runAt: 0, tenant: "", timeoutMs: 0, uniqueKey: null, uniqueUntil: null };
  return { ...placed(submittedRow({ ...offer, ...untold, ...more }), 1), trail: offer.trail };
}

/**
 * Locks the order, and the end of the chain if that worked: of many who were told of one order all but one go on at once.
 * They would hold the chain each, until the disk has noted that they did nothing.
 */
export const lockOffered = ({ id }: Offer): Statement => ({
  sql: `WITH mine AS MATERIALIZED (
      SELECT FROM orders WHERE id = $1::text AND waits = 'room' FOR NO KEY UPDATE SKIP LOCKED)
    SELECT seq FROM chain_head WHERE ${isHead} AND EXISTS (SELECT FROM mine) FOR UPDATE`,
  values: [id],
  wants: "count",
});

/** True where the end of the chain was locked by `lockOffered`, for a statement that reads it. */
const isLocked = "chain_head.xmax = pg_current_xact_id_if_assigned()::xid";

/** True while it is locked, the order is as it was told, new, and the only one of its queue that such a worker could be given. */
export function stillOffered(
  offer: Offer,
  kinds: readonly string[],
  place: (value: SqlValue) => string,
): readonly string[] {
  const id = `${place(offer.id)}::text`;
  const queue = `${place(offer.queue)}::text`;
  const { priority, memory, slots, turn, createdAt } = offer;
  const counts = Object.entries({ priority, memory, slots, turn, created_at: createdAt });
  const texts = Object.entries({
    kind: offer.kind,
    tags: JSON.stringify(offer.tags),
    trail: JSON.stringify(offer.trail),
  });
  const told = [
    ...counts.map(([name, count]) => `${name} = ${place(count)}::bigint`),
    ...texts.map(([name, text]) => `${name} = ${place(text)}::text`),
  ];
  return [
    isLocked,
    `EXISTS (SELECT FROM orders WHERE id = ${id} AND queue = ${queue} AND ${told.join(" AND ")}
      AND state = 'PENDING' AND waits = 'room' AND fence = 0 AND attempt = 0 AND cancel_requested = 0
      AND limit_key IS NULL)`,
    `NOT EXISTS (SELECT FROM orders WHERE waits = 'room' AND queue = ${queue} AND kind ${anyOf(kinds, place)} AND id <> ${id})`,
  ];
}

/** Orders that others have told of lately, one for each queue. */
export class Offers {
  readonly #offers = new Map<string, { readonly offer: Offer; readonly until: number }>();

  /** @param now time of the store */
  keep(offer: Offer, now: number): void {
    if (this.#offers.size >= mostKept) this.#offers.clear();
    this.#offers.set(offer.queue, { offer, until: now + freshMs });
  }

  /** Once: whoever was given it has it, or finds out that it is gone. */
  take(queue: string, now: number): Offer | undefined {
    const kept = this.#offers.get(queue);
    this.#offers.delete(queue);
    return kept !== undefined && now <= kept.until ? kept.offer : undefined;
  }
}
