import { canonicalJson, faultPoint, type JsonObject } from "../../core/index.ts";
import { beforeSeq, linkText } from "../chain.ts";
import { OrderBatch } from "../orders/batch.ts";
import { gather } from "../orders/gather.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { JobOutcome, Loaded, Needs, OrderJob, Writes } from "../orders/order-io.ts";
import { type OrderCells, orderColumnNames, toOrderRow } from "../order-rows.ts";
import { isHeld, type OrderRow, toRecord } from "../orders/row.ts";
import type { OrderRecord } from "../order-records.ts";
import type { StoredEvent } from "../run-events.ts";
import type { Answer, SqlValue, Statement } from "../sql/program.ts";
import { lotOf } from "./arrays.ts";
import type { CommitMark } from "./commit-mark.ts";
import { writesWithin } from "./foreseen-commit.ts";
import type { HeldRows } from "./held-rows.ts";
import { writtenAfter } from "./joined.ts";
import { conditionsOf, type Decided } from "./linked-conditions.ts";
import { lockOrders, OrderLoad } from "./order-load.ts";
import type { CellAs } from "./order-write.ts";
import { lockOffered, type Offer, offeredRow } from "./offers.ts";
import { isGone, troubleOf } from "./postgres-error.ts";
import { isHead } from "./schema.ts";
import type { Recollection } from "./recollection.ts";
import { clockNow } from "./server-clock.ts";
import { answersOf, plain, rollBack, type Session } from "./session.ts";
import { CommitUnknown, lockHead, newEvents } from "./transaction.ts";

/** What a commit is to be. */
export interface Linkable {
  readonly outcomes: readonly JobOutcome[];
  readonly gathered: Gathered;
  readonly writes: Writes;
  readonly now: number;
  /** Of the transaction it was decided in; undefined when it is yet to be begun. */
  readonly xact: string | undefined;
  /** Undefined when there is nothing to write. */
  readonly statement: Statement | undefined;
  /** What is claimed was only told of: what it is like is seen with the commit. */
  readonly offer?: Offer;
}

/** What was committed, with the places that the server gave it. */
export interface Linked {
  readonly outcomes: readonly JobOutcome[];
  readonly events: readonly StoredEvent[];
  readonly written: readonly OrderRow[];
  readonly xact: string;
  /** The server's time. */
  readonly now: number;
}

export interface LinkedOptions {
  readonly held: HeldRows;
  /** Stands in for the server's time. */
  readonly now: number | undefined;
  /** Told of the server's time. */
  readonly learn: (server: number) => void;
}

/** More at once are not worth that nothing is written while they are decided; of those from memory, that it may be in vain. */
const mostOrders = 2_000;
const mostRecalled = 100;
/** A statement asks one more time for each event that it adds. */
const mostEvents = 16;
/** Who waits for the chain's end longer may be waiting for somebody who waits for an order that was claimed here. */
const lockMs = 300;

/** Positions of the commit's own events until the server gives them theirs: the first is this one. */
const relative = 2 ** 52;

const begin: readonly Statement[] = [
  plain("BEGIN"),
  {
    sql: `SELECT ${clockNow} AS now, pg_current_xact_id()::text AS xact,
      set_config('lock_timeout', '${lockMs}', true) AS waits`,
    values: [],
    wants: "rows",
  },
];

/**
 * Decides calls that `areSimple`: new orders that wait for nothing, changes of those held here, claims of what nobody else
 * is about to claim (`SKIP LOCKED`). It is done without the end of the chain, which is locked only while
 * the server carries out what came of it (`commitLinked`).
 * @returns undefined when it is not that simple; the transaction is open then, if it was begun
 */
export async function decideLinked(
  session: Session,
  jobs: readonly OrderJob[],
  { held, now: given, learn }: LinkedOptions,
): Promise<Linkable | undefined> {
  faultPoint("store.commit.before-begin");
  const rounds = gather(jobs);
  const needs = rounds.next().value as Needs;
  const known = needs.ids.flatMap((id) => held.get(id)?.row ?? []);
  const load = new OrderLoad({ ...needs, ids: [] }, given, undefined, true);
  const own = lockOrders(known.map(({ id }) => id));
  const settled = await session.settle([...begin, ...own, ...load.statements]);
  const failed = settled.find((one) => !one.ok);
  if (failed?.ok === false && troubleOf(failed.error) === "again") return undefined;
  const [, opened, ...more] = answersOf(settled);
  const answers = more.slice(own.length);
  const [begun] = (opened?.rows ?? []) as unknown as readonly [
    { readonly now: number; readonly xact: string },
  ];
  const { now: server, xact } = begun;
  learn(server);
  const now = given ?? server;
  const loaded = load.loaded(answers);
  if (!isOfOrdersAlone(loaded)) return undefined;
  const gathered = rounds.next({ ...loaded, rows: [...known, ...loaded.rows] });
  return gathered.done === true
    ? decide(jobs, { needs, known, gathered: gathered.value, now, xact, timed: false })
    : undefined;
}

/**
 * The same of new orders alone, on what is remembered of their queues: one round trip, whoever else commits meanwhile.
 * @param timed false when the store was given a clock of its own
 */
export function recallLinked(
  jobs: readonly OrderJob[],
  { recollection, now, timed }: { recollection: Recollection; now: number; timed: boolean },
): Linkable | undefined {
  const submits = jobs.filter((job) => job.do === "submit");
  if (submits.length < jobs.length || !submits.every(isOfNew)) return undefined;
  if (submits.reduce((sum, { orders }) => sum + orders.length, 0) > mostRecalled) return undefined;
  const rounds = gather(jobs);
  const needs = rounds.next().value as Needs;
  const loaded = recollection.recall(needs);
  const gathered = loaded === undefined ? undefined : rounds.next(loaded);
  return gathered?.done === true
    ? decide(jobs, { needs, known: [], gathered: gathered.value, now, xact: undefined, timed })
    : undefined;
}

/**
 * A claim of an order that somebody has told of: one round trip, and nothing is looked for. What it is decided on is what
 * was told; the order itself comes with the answer.
 */
export function claimOffered(
  job: OrderJob & { readonly do: "claim" },
  offer: Offer,
  { recollection, now, timed }: { recollection: Recollection; now: number; timed: boolean },
): Linkable | undefined {
  const rounds = gather([job]);
  const needs = rounds.next().value as Needs;
  const recalled = recollection.recall(needs);
  if (recalled === undefined || job.capacity.max < 1) return undefined;
  const found = { candidates: [offer.id], due: [], inbox: [], untold: [] };
  const gathered = rounds.next({ ...recalled, rows: [offeredRow(offer)], claims: [found] });
  if (gathered.done !== true) return undefined;
  const seen = { needs, known: [], gathered: gathered.value, now, xact: undefined, timed, offer };
  const decided = decide([job], seen);
  return decided?.statement === undefined ? undefined : { ...decided, offer };
}

function decide(
  jobs: readonly OrderJob[],
  seen: Pick<Decided, "needs" | "known" | "gathered" | "now" | "xact" | "timed" | "offer">,
): Linkable | undefined {
  const { now, xact, gathered } = seen;
  const batch = new OrderBatch({ now, nextSeq: relative, gathered });
  const outcomes = jobs.map((job) => batch.run(job));
  // Who is refused is told why, by what is certain.
  if (!outcomes.every(({ ok }) => ok)) return undefined;
  const writes = batch.writes();
  if (writes.events.length === 0) {
    // Claims that got nothing. Of other calls that leave nothing it is not certain that there is nothing.
    const isNothing = jobs.every((job) => job.do === "claim");
    return isNothing ? { outcomes, gathered, writes, now, xact, statement: undefined } : undefined;
  }
  const statement = linkedStatement({ ...seen, jobs, writes });
  return statement === undefined ? undefined : { outcomes, gathered, writes, now, xact, statement };
}

/**
 * Locks the end of the chain, writes and commits. Positions and hashes of the events, and what follows from them, are made
 * by the statement itself; it makes sure of all that was seen without the lock.
 * @param tell what is sent right behind it
 * @returns undefined when something had become otherwise: nothing was done
 * @throws CommitUnknown
 */
export async function commitLinked(
  session: Session,
  { outcomes, writes, now, xact, statement, offer }: Linkable,
  tell: Statement | undefined,
): Promise<Linked | undefined> {
  if (statement === undefined) return undefined;
  if (xact === undefined) faultPoint("store.commit.before-begin");
  faultPoint("store.commit.before");
  // What is sent together is a transaction where none was begun.
  const ending = xact === undefined ? [] : [plain("COMMIT")];
  const opening = [offer === undefined ? lockHead : lockOffered(offer)];
  const look = offer === undefined ? [] : [rowOf(offer.id)];
  const sent = session.settle([...opening, statement, ...look, ...ending]);
  if (tell !== undefined) void session.settle([tell]);
  const settled = await sent;
  faultPoint("store.commit.after");
  const failed = settled.find(({ ok }) => !ok);
  if (failed?.ok === false) {
    if (isGone(failed.error)) throw new CommitUnknown(markOf(writes, now), failed.error);
    if (xact !== undefined) await rollBack(session);
    return undefined; // The usual way says why, or gets through.
  }
  const [answer, looked] = settled.slice(opening.length);
  const links = (answer?.ok === true ? answer.answer.rows : []) as unknown as readonly Link[];
  const [first] = links;
  if (first === undefined) return undefined;
  const written = [...writes.inserted, ...writes.updated.map(({ row }) => row)];
  const seen = looked?.ok === true && offer !== undefined ? rowsIn(looked.answer) : undefined;
  return {
    outcomes: seen === undefined ? outcomes : claimed(seen),
    events: storedEvents(writes.events, links, now),
    written: seen ?? written.map((row) => placed(row, first.seq)),
    xact: first.xact,
    now: first.now,
  };
}

const rowOf = (id: string): Statement => ({
  sql: `SELECT ${orderColumnNames} FROM orders WHERE id = $1::text`,
  values: [id],
  wants: "arrays",
});

function rowsIn(answer: Answer | undefined): readonly OrderRow[] {
  return (answer?.rows ?? []).map((cells) => toOrderRow(cells as unknown as OrderCells));
}

/** What a claim is answered that got these. */
const claimed = (rows: readonly OrderRow[]): readonly JobOutcome[] => [
  { ok: true, value: rows.map(toRecord) },
];

/** Of a claim that was not answered and got through: what it got, if that was not taken away since. */
export async function lookAgain(
  session: Session,
  { id }: Offer,
  outcomes: readonly JobOutcome[],
): Promise<readonly JobOutcome[]> {
  const [answer] = await session.send([rowOf(id)]);
  const decided = outcomes.flatMap((one) => (one.ok ? (one.value as readonly OrderRecord[]) : []));
  // The fence is that of this claim: a later one is somebody else's.
  const own = new Set(decided.map(({ fence }) => fence));
  return claimed(rowsIn(answer).filter(({ fence, state }) => own.has(fence) && isHeld(state)));
}

/** Not the transaction's id: one that was lost with the server, before it wrote anything, may be given to another again. */
function markOf({ events }: Writes, at: number): CommitMark {
  const [first] = events as readonly [Writes["events"][number]];
  const event = { at, stream: first.stream, text: canonicalJson(first.event.data) };
  return { event, count: events.length };
}

interface Link {
  readonly seq: number;
  readonly hash: string;
  readonly previous: string;
  readonly xact: string;
  readonly now: number;
}

/** New orders that touch nothing but their lane. */
const isOfNew = ({ orders }: Extract<OrderJob, { do: "submit" }>): boolean =>
  orders.every(({ after, limitKey }) => after.length === 0 && limitKey === null);

/** New orders, claims, and what is held here and concerns no other order. */
export function areSimple(jobs: readonly OrderJob[], held: HeldRows): boolean {
  let orders = 0;
  for (const job of jobs) {
    if (job.do === "submit") {
      orders += job.orders.length;
      if (!isOfNew(job)) return false;
    } else if (job.do === "change") {
      orders += job.changes.length;
      for (const { id, leaseOver } of job.changes) {
        const row = held.peek(id);
        if (leaseOver === true || row === undefined || row.followed || row.limitKey !== null) return false;
      }
    } else if (job.do !== "claim") return false;
  }
  return orders <= mostOrders;
}

/** Whether nothing else was found than orders to claim, free of others: what else a claim brings about needs the chain. */
function isOfOrdersAlone({ claims, rows, inbox, limitKeys }: Loaded): boolean {
  if (inbox.length > 0 || limitKeys.length > 0) return false;
  if (claims.some(({ due, inbox: left, untold }) => due.length + left.length + untold.length > 0))
    return false;
  const candidates = new Set(claims.flatMap((claim) => claim.candidates));
  // A row that is no candidate holds a unique key that was asked for.
  return rows.every(({ id, limitKey }) => candidates.has(id) && limitKey === null);
}

/** Undefined when it cannot be written by one statement. */
function linkedStatement(decided: Decided): Statement | undefined {
  const { writes, now } = decided;
  const texts = writes.events.map(({ event }) => canonicalJson(event.data));
  const count = writes.events.length;
  const parts =
    count > mostEvents || lotOf(texts) < count ? undefined : writesWithin(writes, "head", placedBy(count));
  if (parts === undefined) return undefined;
  const values: SqlValue[] = [];
  const asIs = conditionsOf(decided, (value) => `$${values.push(value)}`);
  const first: Statement = {
    sql: `SELECT seq, hash FROM chain_head WHERE ${[isHead, ...asIs].join(" AND ")}`,
    values,
    wants: "count",
  };
  const links = writes.events.map(({ stream, event }, index): readonly [string, Statement] => {
    const { before, after } = linkText({ at: now, stream, type: event.type, data: texts[index] ?? "" });
    return [`link_${index + 1}`, nextLink(`link_${index}`, before, after)];
  });
  const head: Statement = {
    sql: `UPDATE chain_head SET seq = last.seq, hash = last.hash
      FROM link_${count} AS last WHERE ${isHead} RETURNING last.seq - ${count} AS base`,
    values: [],
    wants: "count",
  };
  const all = links.map(([name], index) => `SELECT ${index + 1} AS place, * FROM ${name}`);
  const link: Statement = { sql: all.join(" UNION ALL "), values: [], wants: "count" };
  return writtenAfter(
    { link_0: first, ...Object.fromEntries(links), link, head },
    [...parts, linkedEvents(decided, texts)],
    `SELECT link.seq, encode(link.hash, 'hex') AS hash, encode(link.previous, 'hex') AS previous,
        pg_current_xact_id()::text AS xact, ${clockNow} AS now
      FROM head, link ORDER BY link.place`,
  );
}

/** The position and hash of the event behind one that is called so, or behind the end of the chain. */
function nextLink(name: string, before: string, after: string): Statement {
  const hashed = `$1::text || encode(hash, 'hex') || '${beforeSeq}' || (seq + 1) || $2::text`;
  return {
    sql: `SELECT seq + 1 AS seq, sha256(convert_to(${hashed}, 'UTF8')) AS hash, hash AS previous FROM ${name}`,
    values: [before, after],
    wants: "count",
  };
}

function linkedEvents({ writes, now }: Decided, texts: readonly string[]): Statement {
  const { columns, sql, values } = newEvents(
    writes.events.map(({ stream, event }, index) => ({
      seq: index + 1,
      at: now,
      stream,
      type: event.type,
      hash: "",
      text: texts[index] ?? "",
    })),
    "head",
  );
  const listed = columns.join(", ");
  const linked = columns.map((column) =>
    column === "seq" || column === "hash" ? `link.${column}` : `new.${column}`,
  );
  return {
    sql: `INSERT INTO events (${listed}) SELECT ${linked.join(", ")}
      FROM (${sql}) AS new (${listed}) JOIN link ON link.place = new.seq`,
    values,
    wants: "count",
  };
}

/** Columns that hold positions of events, which `head` knows. */
function placedBy(count: number): CellAs {
  return (cell, column) => {
    if (column === "progressed_in")
      return `CASE WHEN ${cell} >= ${relative} THEN ${cell} - ${relative} + head.base + 1 ELSE ${cell} END`;
    if (column !== "trail") return cell;
    let text = cell;
    for (let index = 0; index < count; index++)
      text = `replace(${text}, '${relative + index}', (head.base + ${index + 1})::text)`;
    return text;
  };
}

/** @param first position of the commit's first event */
function placed(row: OrderRow, first: number): OrderRow {
  const at = (seq: number): number => (seq >= relative ? seq - relative + first : seq);
  return {
    ...row,
    trail: row.trail.map(at),
    progressedIn: row.progressedIn === null ? null : at(row.progressedIn),
  };
}

function storedEvents(events: Writes["events"], links: readonly Link[], at: number): readonly StoredEvent[] {
  return links.map(({ seq, hash, previous }, index) => {
    const { stream, event } = events[index] as Writes["events"][number];
    // Data of events are JSON by construction; interfaces lack the index signature.
    return { seq, at, stream, type: event.type, data: event.data as unknown as JsonObject, previous, hash };
  });
}
