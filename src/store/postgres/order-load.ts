import type { Capacity, NewOrder, OrderCounts } from "../order-records.ts";
import { type OrderCells, orderColumnNames, orderColumns, toOrderRow } from "../order-rows.ts";
import type { InboxOrder, LimitKeyState, Loaded, Needs, OrderLink } from "../orders/order-io.ts";
import { mostFollowers, spareRows } from "../orders/order-io.ts";
import type { OrderRow } from "../orders/row.ts";
import { sizeClass } from "../size-class.ts";
import { isExact } from "./claim-line.ts";
import { atOnce, bytesBefore } from "../sql/long-rows.ts";
import { noOrders } from "../sql/order-reads.ts";
import type { Answer, SqlValue, Statement } from "../sql/program.ts";
import { numberArray, textArray } from "./arrays.ts";
import type { HeldRows } from "./held-rows.ts";
import { askedTogether } from "./joined.ts";
import { askFacts, type Cells, type Fact, type FoundFacts, takeFact } from "./order-facts.ts";
import { serverNow } from "./server-clock.ts";

/** What one round of loading gathers; statements fill it as their answers come. */
interface Found extends FoundFacts {
  readonly rows: Map<string, OrderRow>;
  readonly claims: { candidates: string[]; due: string[]; inbox: InboxOrder[]; untold: string[] }[];
  readonly followers: OrderLink[];
  readonly limitKeys: Map<string, LimitKeyState>;
  readonly inbox: InboxOrder[];
  /** Held orders that are no longer there. */
  readonly gone: Set<string>;
}

type KnownRow = NonNullable<ReturnType<HeldRows["get"]>>;

/** A statement, and what its rows are for. */
interface Question {
  readonly statement: Statement;
  readonly take: (cells: Cells, found: Found) => void;
}

/** Everything of one round, in statements that go out together. `now` stands in for the server's time. */
export class OrderLoad {
  readonly statements: readonly Statement[];
  readonly #questions: readonly Question[];
  readonly #needs: Needs;
  readonly #known: readonly KnownRow[];

  /** `crowded`: other processes claim meanwhile. */
  constructor(needs: Needs, now: number | undefined, held?: HeldRows, crowded: boolean = false) {
    this.#needs = needs;
    this.#known = held === undefined ? [] : needs.ids.flatMap((id) => held.get(id) ?? []);
    const ids = held === undefined ? needs.ids : needs.ids.filter((id) => !held.has(id));
    this.#questions = questionsOf({ ...needs, ids }, this.#known, now ?? null, crowded);
    this.statements = this.#questions.map(({ statement }) => statement);
  }

  /** What the answers to `statements` hold. */
  loaded(answers: readonly Answer[]): Loaded {
    const found: Found = {
      rows: new Map(),
      lanes: [],
      fronts: [],
      counts: new Map(),
      configs: [],
      claims: this.#needs.claims.map(() => ({ candidates: [], due: [], inbox: [], untold: [] })),
      followers: [],
      limitKeys: new Map(),
      inbox: [],
      gone: new Set(),
    };
    this.#questions.forEach(({ take }, index) => {
      for (const cells of answers[index]?.rows ?? []) take(cells as unknown as Cells, found);
    });
    for (const { row } of this.#known)
      if (!found.rows.has(row.id) && !found.gone.has(row.id)) found.rows.set(row.id, row);
    const counts = this.#needs.counts.map((queue) => ({
      queue,
      counts: (found.counts.get(queue) ?? noOrders) as OrderCounts,
    }));
    return { ...found, rows: [...found.rows.values()], counts, limitKeys: [...found.limitKeys.values()] };
  }
}

const keepRow = (cells: Cells, { rows }: Found): string => {
  const id = cells[0] as string;
  if (!rows.has(id)) rows.set(id, toOrderRow(cells as unknown as OrderCells));
  return id;
};

function ask(take: Question["take"], sql: string, ...values: readonly SqlValue[]): Question {
  return { statement: { sql, values, wants: "arrays" }, take };
}

function questionsOf(
  needs: Needs,
  known: readonly KnownRow[],
  now: number | null,
  crowded: boolean,
): readonly Question[] {
  const { claims, followersOf, leasesOf = [], limitKeys } = needs;
  return [
    ...(leasesOf.length > 0 ? [lockRows(leasesOf)] : []),
    ...together(keepRow, askRows(needs)),
    ...(known.length > 0 ? [askChanged(known)] : []),
    ...together(takeFound, [...askFacts(needs), ...askInbox(needs)]),
    ...claims.map((claim, index) => askClaim(claim, index, now, crowded)),
    ...(followersOf.length > 0 ? [askFollowers(followersOf)] : []),
    ...askLines(limitKeys),
  ];
}

/**
 * The thread that watches over heartbeats renews leases without the chain's lock. It passes locked rows by, and what it
 * wrote before is seen by the questions that follow.
 */
function lockRows(ids: readonly string[]): Question {
  const sql = "SELECT id FROM orders WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE";
  return { statement: { sql, values: [textArray(ids)], wants: "arrays" }, take: () => {} };
}

/**
 * Of orders that a transaction will write, before it waits for the end of the chain: a claim that passes by what others
 * claim (`SKIP LOCKED`) may have locked one that was claimed in that moment, and holds it until its own commit.
 */
export function lockOrders(ids: readonly string[]): readonly Statement[] {
  if (ids.length === 0) return [];
  const sql = "SELECT 1 FROM orders WHERE id = ANY($1::text[]) FOR NO KEY UPDATE";
  return [{ sql, values: [textArray(ids)], wants: "count" }];
}

const together = (take: Question["take"], parts: readonly Statement[]): readonly Question[] =>
  askedTogether(parts).map((statement) => ({ statement, take }));

const part = (sql: string, ...values: readonly SqlValue[]): Statement => ({ sql, values, wants: "arrays" });

function askRows({ ids, uniqueKeys }: Needs): readonly Statement[] {
  const parts: Statement[] = [];
  if (ids.length > 0) {
    parts.push(part(`SELECT ${orderColumnNames} FROM orders WHERE id = ANY($1::text[])`, textArray(ids)));
  }
  if (uniqueKeys.length > 0) {
    parts.push(
      part(
        `SELECT ${orderColumnNames} FROM unnest($1::text[], $2::text[]) AS asked (queue, key)
         JOIN orders ON orders.queue = asked.queue AND orders.unique_key = asked.key AND orders.unique_key IS NOT NULL`,
        textArray(uniqueKeys.map(({ queue }) => queue)),
        textArray(uniqueKeys.map(({ key }) => key)),
      ),
    );
  }
  return parts;
}

/** Of rows that this process knows, those that somebody else has written or removed since. */
function askChanged(known: readonly KnownRow[]): Question {
  const take = (cells: Cells, found: Found): void => {
    if (cells[0] === null) found.gone.add(cells[orderColumns.length] as string);
    else keepRow(cells, found);
  };
  return ask(
    take,
    `SELECT ${orderColumnNames}, known.id FROM unnest($1::text[], $2::xid[]) AS known (id, xact)
     LEFT JOIN orders ON orders.id = known.id WHERE orders.xmin IS DISTINCT FROM known.xact`,
    textArray(known.map(({ row }) => row.id)),
    textArray(known.map(({ xact }) => xact)),
  );
}

/** In the columns of facts: `other` says which claim asked. */
function askInbox({ claims, inboxIds }: Needs): readonly Statement[] {
  const parts = claims.map(({ queue, inbox }, index) => {
    const sql = `SELECT 'inbox', queue, data, position, $3::bigint FROM (
        SELECT *, ${bytesBefore("data", "position")} AS before FROM (
          SELECT queue, data, position FROM order_inbox WHERE queue = $1 ORDER BY position LIMIT $2) AS first
      ) AS first WHERE ${atOnce}`;
    return part(sql, queue, inbox, index);
  });
  if (inboxIds.length > 0) {
    const sql = `SELECT DISTINCT ON (id) 'inbox', queue, data, position, NULL::bigint
      FROM order_inbox WHERE id = ANY($1::text[]) ORDER BY id, position`;
    parts.push(part(sql, textArray(inboxIds)));
  }
  return parts;
}

/** A fact, or an order in the inbox. */
function takeFound(cells: Cells, found: Found): void {
  if (takeFact(cells, found)) return;
  const [, , text, position, claim] = cells as Fact;
  const entry = { position, order: JSON.parse(text) as NewOrder };
  if (claim === null) found.inbox.push(entry);
  else found.claims[claim]?.inbox.push(entry);
}

/** Orders looked at in a class of which some may be too large; beyond them a claim waits for more room. */
const lookAhead = 200;

/**
 * A walk over the index from one (kind, tags, size class) to the next, which stops once at each and steps over those that
 * cannot fit, so a backlog of them costs nothing however long it is; then the best of each class.
 */
const classes = `WITH RECURSIVE class (kind, tags, size_class) AS (
    SELECT asked.kind, head.tags, head.size_class
      FROM unnest($2::text[]) AS asked (kind), LATERAL (
        SELECT tags, size_class FROM orders
          WHERE waits = 'room' AND queue = $1 AND kind = asked.kind ORDER BY tags, size_class LIMIT 1) AS head
    UNION ALL
    SELECT class.kind, head.tags, head.size_class FROM class, LATERAL (
        SELECT tags, size_class FROM orders
          WHERE waits = 'room' AND queue = $1 AND kind = class.kind AND (tags, size_class) >= (class.tags,
            CASE WHEN (class.size_class + 1) % 64 <= $5 THEN class.size_class + 1
              ELSE (class.size_class / 64 + 1) * 64 END)
          ORDER BY tags, size_class LIMIT 1) AS head
  )`;
/**
 * In a class of which some may be too large those that are go no further than the look at them. Two of such a class never fit
 * together, so where there is no other, as many as are asked for are enough: 200 payloads of 1 MB were read to take one.
 */
const candidates = (
  more: string,
  lock: string,
): string => `SELECT ${orderColumnNames}, ${more} FROM class, LATERAL (
      SELECT * FROM (
        SELECT * FROM orders
          WHERE waits = 'room' AND queue = $1 AND kind = class.kind AND tags = class.tags
            AND size_class = class.size_class
          ORDER BY priority DESC, turn, created_at, id
          LIMIT CASE WHEN (class.size_class / 64 <= least($4, 15) OR class.size_class / 64 < $4)
            AND class.size_class % 64 < $5 THEN $6 ELSE greatest($6, ${lookAhead}) END${lock}) AS orders
        WHERE slots <= $7 AND memory <= $8
        LIMIT CASE WHEN (SELECT count(*) FROM class) < 2 THEN $6 END) AS orders
    WHERE class.size_class / 64 <= $4 AND class.size_class % 64 <= $5
      AND (class.tags = '[]' OR class.tags::jsonb <@ $3::jsonb)`;

/** Three kinds of rows in one statement, told apart by the column after the row's. */
const claimText = (lock: string): string => {
  const first = (name: string, where: string, order: string, limit: string): string =>
    `(SELECT ${orderColumnNames}, '${name}' FROM (
      SELECT *, ${bytesBefore("payload", order)} AS before FROM (
        SELECT * FROM orders WHERE queue = $1 AND ${where} ORDER BY ${order} LIMIT ${limit}${lock}) AS orders
      ) AS orders WHERE ${atOnce})`;
  return `${classes}
  (${candidates("'candidate'", lock)})
  UNION ALL
  ${first("due", `due_at IS NOT NULL AND due_at <= coalesce($9::bigint, ${serverNow})`, "due_at", "$10")}
  UNION ALL
  ${first("untold", "followed = 1 AND ended_at IS NOT NULL", "id", "$11")}`;
};
const claimAlone = claimText("");
/**
 * Passes by what the claims of others are about to take, and what others are about to change: who does holds the row and may
 * wait for the end of the chain, which this one may hold.
 */
const claimAmongOthers = claimText(" FOR NO KEY UPDATE SKIP LOCKED");

/** The candidates alone, each with the end of the chain that belongs to what was seen. */
const aheadText = `${classes} ${candidates("(SELECT seq FROM chain_head)", "")}`;

/** What a claim would read, asked outside of a transaction. */
export function readAhead(queue: string, capacity: Capacity): Statement {
  return { sql: aheadText, values: candidateValues(queue, capacity), wants: "arrays" };
}

const unseenText = `SELECT 1 FROM (${aheadText}) AS waiting WHERE id <> ALL($9::text[]) LIMIT 1`;

/** Has a row when a claim would find something else than these orders. */
export function readUnseen(queue: string, capacity: Capacity, seen: readonly string[]): Statement {
  return { sql: unseenText, values: [...candidateValues(queue, capacity), textArray(seen)], wants: "arrays" };
}

/** @param text of payloads, in characters */
export function readRows(answer: Answer): {
  readonly rows: readonly OrderRow[];
  readonly seq: number | undefined;
  readonly text: number;
} {
  const found = answer.rows as unknown as readonly Cells[];
  let text = 0;
  const rows = found.map((cells) => {
    text += (cells[4] as string | null)?.length ?? 0;
    return toOrderRow(cells as unknown as OrderCells);
  });
  return { rows, text, seq: found[0]?.[orderColumns.length] as number | undefined };
}

function candidateValues(queue: string, capacity: Capacity): readonly SqlValue[] {
  const { slots, memory } = classesOf(capacity);
  const exactly = isExact(capacity);
  return [
    queue,
    textArray(capacity.max < 1 ? [] : [...new Set(capacity.kinds)]),
    JSON.stringify(capacity.tags),
    slots,
    memory,
    Math.max(0, capacity.max),
    exactly ? wholeOf(capacity.slots) : Number.MAX_SAFE_INTEGER,
    exactly ? wholeOf(capacity.memory) : Number.MAX_SAFE_INTEGER,
  ];
}

const wholeOf = (room: number): number => Math.min(Number.MAX_SAFE_INTEGER, Math.floor(room));

function askClaim(
  claim: Needs["claims"][number],
  index: number,
  now: number | null,
  crowded: boolean,
): Question {
  const { queue, capacity, due, untold } = claim;
  const take = (cells: Cells, found: Found): void => {
    const id = keepRow(cells, found);
    const claimed = found.claims[index];
    const sort = cells[orderColumns.length];
    if (sort === "candidate") claimed?.candidates.push(id);
    else if (sort === "due") claimed?.due.push(id);
    else claimed?.untold.push(id);
  };
  const text = crowded ? claimAmongOthers : claimAlone;
  return ask(take, text, ...candidateValues(queue, capacity), now, due, untold);
}

/** The largest classes that what is free may hold. */
function classesOf({ slots, memory }: Capacity): { readonly slots: number; readonly memory: number } {
  const largest = sizeClass(Math.floor(slots), memory);
  return { slots: Math.floor(largest / 64), memory: largest % 64 };
}

function askFollowers(leaders: readonly string[]): Question {
  const take = (cells: Cells, found: Found): void => {
    const of = cells[orderColumns.length] as string;
    const id = cells[orderColumns.length + 1] as string;
    found.followers.push({ of, id });
    if (cells[0] !== null) keepRow(cells, found);
  };
  return ask(
    take,
    `SELECT ${orderColumnNames}, link.leader, link.id FROM unnest($1::text[]) AS asked (leader), LATERAL (
       SELECT leader, id FROM order_links WHERE order_links.leader = asked.leader ORDER BY id LIMIT $2) AS link
     LEFT JOIN orders ON orders.id = link.id ORDER BY link.leader, link.id`,
    textArray(leaders),
    mostFollowers,
  );
}

/** Limit keys of a queue that have waiting orders, by one look at the index each. */
const keysInLine = `(WITH RECURSIVE found (key) AS (
    (SELECT limit_key FROM orders WHERE queue = $1 AND limit_key IS NOT NULL AND waits IS NOT NULL
      ORDER BY limit_key LIMIT 1)
    UNION ALL
    SELECT (SELECT limit_key FROM orders WHERE queue = $1 AND limit_key IS NOT NULL AND waits IS NOT NULL
      AND limit_key > found.key ORDER BY limit_key LIMIT 1) FROM found WHERE found.key IS NOT NULL
  ) SELECT key, ${spareRows}::bigint AS rows FROM found WHERE key IS NOT NULL LIMIT $2) AS asked`;
const namedKeys = "unnest($2::text[], $3::bigint[]) AS asked (key, rows)";

/** State and line of limit keys: those named, and with `*` those that have orders waiting. */
function askLines(limitKeys: Needs["limitKeys"]): readonly Question[] {
  const named = Map.groupBy(
    limitKeys.filter(({ key }) => key !== "*"),
    ({ queue }) => queue,
  );
  return [
    ...limitKeys
      .filter(({ key }) => key === "*")
      .flatMap(({ queue, rows }) => askLine(queue, keysInLine, [rows])),
    ...[...named].flatMap(([queue, keys]) =>
      askLine(queue, namedKeys, [
        textArray(keys.map(({ key }) => key)),
        numberArray(keys.map(({ rows }) => rows)),
      ]),
    ),
  ];
}

function askLine(queue: string, asked: string, values: readonly SqlValue[]): readonly Question[] {
  const takeState = ([name, admitted, arrivalAt]: Cells, { limitKeys }: Found): void => {
    const state = { key: name as string, admitted: admitted as number, arrivalAt: arrivalAt as number };
    limitKeys.set(`${queue}\0${state.key}`, { queue, ...state });
  };
  const line = "SELECT * FROM orders WHERE queue = $1 AND limit_key = asked.key AND waits =";
  return [
    ask(
      takeState,
      `SELECT asked.key, coalesce(known.admitted, 0), coalesce(known.arrival_at, 0) FROM ${asked}
       LEFT JOIN LATERAL (SELECT admitted, arrival_at FROM order_limit_keys
         WHERE queue = $1 AND limit_key = asked.key LIMIT 1) AS known ON true`,
      queue,
      ...values,
    ),
    ask(
      keepRow,
      `SELECT ${orderColumnNames} FROM ${asked}, LATERAL (
         (${line} 'limit' ORDER BY priority DESC, turn, created_at, id LIMIT asked.rows)
         UNION ALL (${line} 'room' ORDER BY priority, turn DESC, created_at DESC, id DESC LIMIT asked.rows)
         UNION ALL (${line} 'time' AND due_at > run_at ORDER BY priority DESC, turn, created_at, id
           LIMIT asked.rows)) AS orders`,
      queue,
      ...values,
    ),
  ];
}
