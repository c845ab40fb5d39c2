import { faultPoint } from "../../core/index.ts";
import { pair } from "../orders/gathered.ts";
import type { Writes } from "../orders/order-io.ts";
import type { SqlValue, Statement } from "../sql/program.ts";
import { textArray } from "./arrays.ts";
import type { Expected, Foreseen } from "./foreseen.ts";
import { writtenWithin } from "./joined.ts";
import { noLonger, stillAsKnown } from "./known-orders.ts";
import { type CellAs, insertRows, updateRows, writeCounts, writeFronts, writeLanes } from "./order-write.ts";
import { isGone } from "./postgres-error.ts";
import { isHead } from "./schema.ts";
import { lockOrders } from "./order-load.ts";
import { clockNow } from "./server-clock.ts";
import type { Session } from "./session.ts";
import { CommitUnknown, writeEvents } from "./transaction.ts";

/** As far as the store's clock may be from the server's when the end of the chain is moved, milliseconds. */
export const clockMs = 100;

/** When, by the server, and what the server knows the transaction by. */
export interface Stored {
  readonly now: number;
  readonly xact: string;
}

/**
 * Stores what was foreseen as one statement that is its own transaction: it moves the end of the chain if that is where
 * it was taken to be, and all else is written as often as that was so, once or never. A statement that has to wait for
 * the end looks at it again when it gets it.
 * @param options.timed false when the store was given a clock of its own
 * @param options.crowded others claim meanwhile: orders are locked before the end of the chain then
 * @returns undefined when it was not so and nothing was written
 * @throws CommitUnknown
 */
export async function commitForeseen(
  session: Session,
  foreseen: Foreseen,
  { timed, crowded }: { readonly timed: boolean; readonly crowded: boolean },
): Promise<Stored | undefined> {
  const { chain } = foreseen;
  const rows = writesWithin(foreseen.writes, "head");
  if (rows === undefined) return undefined;
  faultPoint("store.commit.before-begin");
  const head = moveHead(foreseen, timed);
  const statement = writtenWithin("head", head, [...rows, writeEvents(chain, "head")]);
  faultPoint("store.commit.before");
  // Sent one by one, the locks would be gone before the statement.
  const known = crowded && session.pipelined ? foreseen.known : [];
  const locks = lockOrders(known.map(({ id }) => id));
  const settled = await session.settle([...locks, statement]);
  faultPoint("store.commit.after");
  const failed = settled.find(({ ok }) => !ok);
  const answer = settled[locks.length];
  if (failed === undefined && answer?.ok === true)
    return answer.answer.rows[0] as unknown as Stored | undefined;
  const error = failed?.ok === false ? failed.error : new Error("no answer");
  if (isGone(error)) throw new CommitUnknown({ xact: "0", end: chain.end }, error);
  // The server has taken it back: the usual way says why, or gets through.
  return undefined;
}

/**
 * Undefined when they cannot be written by one statement: it may not touch a row twice, and its parts have no order.
 * @param within see `newRows`
 */
export function writesWithin(writes: Writes, within: string, as?: CellAs): readonly Statement[] | undefined {
  const { configs, links, unlinked, limitKeys, taken, fronts } = writes;
  if ([configs, links, unlinked, limitKeys, taken].some(({ length }) => length > 0)) return undefined;
  // A new order takes over the unique key of a changed one after that has given it up.
  if (writes.updated.some(({ before, row }) => before.uniqueKey !== row.uniqueKey)) return undefined;
  const updated = updateRows(writes.updated, within, as);
  const inserted = insertRows(writes.inserted, within, as);
  const served = new Map(fronts.map(({ queue, priority, turn }) => [pair(queue, priority), turn]));
  const frontOf = ({ queue, priority }: Writes["lanes"][number]): number | undefined =>
    served.get(pair(queue, priority));
  // Lanes that the front passes go: those it does not pass would be written and looked at by the same statement.
  if (writes.lanes.some((lane) => lane.turn > (frontOf(lane) ?? Infinity))) return undefined;
  const lanes = writes.lanes.filter((lane) => frontOf(lane) === undefined);
  return [
    ...writeLanes({ lanes }, within),
    ...frontsOf(writes, within),
    ...updated,
    ...inserted,
    ...writeCounts(writes, within),
  ];
}

/** Of orders that come and are claimed in one commit no lane was ever stored: there is none to take away. */
function frontsOf(writes: Writes, within: string): readonly Statement[] {
  const statements = writeFronts(writes, within);
  return writes.updated.length === 0 ? statements.slice(0, 1) : statements;
}

/** A question that has a row for an answer when something is not as it was taken to be, the end of the chain left out. */
export function otherwise(expected: Expected): Statement {
  const values: SqlValue[] = [];
  const all = conditions(expected, (value) => `$${values.push(value)}`);
  return { sql: `SELECT 1 WHERE NOT (${["true", ...all].join(" AND ")})`, values, wants: "arrays" };
}

function moveHead(foreseen: Foreseen, timed: boolean): Statement {
  const { start, now, chain } = foreseen;
  const values: SqlValue[] = [start.seq, start.hash, chain.end.seq, chain.end.hash];
  const where = [`${isHead} AND seq = $1 AND hash = decode($2, 'hex')`];
  const answers = [`${clockNow} AS now`, "pg_current_xact_id()::text AS xact"];
  const place = (value: SqlValue): string => `$${values.push(value)}`;
  if (timed) {
    const near = `abs(${clockNow} - ${place(now)}::bigint) <= ${clockMs}`;
    where.push(near);
    // Conditions are looked at before the wait for somebody who holds the row, and again only where that one has changed it.
    // What comes too late is refused by the server: it divides by zero.
    answers.push(`1 / (CASE WHEN ${near} THEN 1 ELSE 0 END) AS timely`);
  }
  where.push(...conditions(foreseen, place));
  return {
    sql: `UPDATE chain_head SET seq = $3, hash = decode($4, 'hex') WHERE ${where.join(" AND ")}
      RETURNING ${answers.join(", ")}`,
    values,
    wants: "rows",
  };
}

function conditions(
  { free, none, known, now }: Expected,
  place: (value: SqlValue) => string,
): readonly string[] {
  const where = [...isFree(free, place)];
  const [alone] = known;
  if (alone !== undefined && known.length === 1) where.push(stillAsKnown(alone, place));
  else if (alone !== undefined) where.push(`NOT EXISTS (${noLonger(known, place)})`);
  if (free.claims.length > 0) where.push(...nothingElse(free.claims, now, place));
  where.push(...nobodyWaits(none, place));
  return where;
}

/** Nobody has these ids and unique keys. */
export function isFree(free: Foreseen["free"], place: (value: SqlValue) => string): readonly string[] {
  const where: string[] = [];
  if (free.ids.length > 0) where.push(`NOT EXISTS (SELECT FROM orders WHERE id ${anyOf(free.ids, place)})`);
  if (free.uniqueKeys.length > 0) {
    const queues = place(textArray(free.uniqueKeys.map(({ queue }) => queue)));
    const keys = place(textArray(free.uniqueKeys.map(({ key }) => key)));
    where.push(`NOT EXISTS (SELECT FROM unnest(${queues}::text[], ${keys}::text[]) AS asked (queue, key)
      JOIN orders ON orders.queue = asked.queue AND orders.unique_key = asked.key
      AND orders.unique_key IS NOT NULL)`);
  }
  return where;
}

/** Others may have brought something without an event: an order whose time has come, or one in the inbox. */
export function nothingElse(
  claims: Foreseen["free"]["claims"],
  now: number,
  place: (value: SqlValue) => string,
): readonly string[] {
  const queues = anyOf([...new Set(claims.map(({ queue }) => queue))], place);
  return [
    `NOT EXISTS (SELECT FROM orders WHERE queue ${queues} AND due_at IS NOT NULL
      AND due_at <= ${place(now)}::bigint)`,
    `NOT EXISTS (SELECT FROM order_inbox WHERE queue ${queues})`,
    `NOT EXISTS (SELECT FROM orders WHERE queue ${queues} AND followed = 1 AND ended_at IS NOT NULL)`,
  ];
}

/** A look for each: a join was planned over all that wait in all queues, while there were few of them. */
function nobodyWaits(claims: Foreseen["none"], place: (value: SqlValue) => string): readonly string[] {
  return claims.map(({ queue, capacity: { kinds } }) => {
    const asked = `queue = ${place(queue)}::text AND kind ${anyOf(kinds, place)}`;
    return `NOT EXISTS (SELECT FROM orders WHERE waits = 'room' AND ${asked})`;
  });
}

/** One of these texts. The usual one is said plainly: a set costs the server something for itself. */
export function anyOf(texts: readonly string[], place: (value: SqlValue) => string): string {
  const [alone] = texts;
  return alone !== undefined && texts.length === 1
    ? `= ${place(alone)}::text`
    : `= ANY(${place(textArray(texts))}::text[])`;
}
