import type { Break } from "../chain.ts";
import { differingOrder, missingOrder, strayOrder } from "../order-difference.ts";
import { type OrderCells, orderColumnNames } from "../order-rows.ts";
import { isFinished } from "../orders/row.ts";
import type { Differing } from "../replayed-rows.ts";
import type { StoredEvent } from "../run-events.ts";
import { type EventRow, eventText } from "../run-rows.ts";
import { ExpectedOrders } from "../sqlite/expected-orders.ts";
import { OrderFigures } from "./order-figures.ts";
import { OrderLinks } from "./order-links.ts";
import { all, arrays, type Dialect, type Program } from "./program.ts";
import { isOfQueue } from "./rebuild.ts";
import type { Sql } from "./write-context.ts";

/** Orders compared at a time, and how long their texts may be together; one at least. */
const page = 500;
const mostBytes = 8_000_000;
/** Orders told of by events that are replayed before other work gets its turn: some 10 ms. */
const slice = 500;
/** Events read at a time that came after the walk. */
const chunk = 200;

/** Called before each slice of the work, with the number of orders compared so far; throws to end it. */
export type Turn = (compared: number) => Promise<void>;

/** An event whose data are parsed when its turn comes: of hundreds each may be a megabyte. */
export type LoggedText = Omit<StoredEvent, "data" | "previous"> & { readonly data: string };

type Page = readonly [newest: number, late: number, ...cells: OrderCells | readonly null[]];

/**
 * Holds the rows of orders against the events, while others write. What the events make of them stands in a scratch file
 * (`ExpectedOrders`), which follows the log: rows are read a page at a time, by one statement with the end of the log that they
 * belong to, and the scratch file is brought there before they are compared. A finished order without a row was pruned.
 */
export class OrderCheck {
  readonly #sql: Sql;
  readonly #since: string;
  readonly #texts: string;
  readonly #standing: (bounded: boolean) => string;
  #expected: ExpectedOrders | undefined;
  #walked = 0;
  #told = 0;
  #compared = 0;
  #unfit: Break | undefined;

  constructor(sql: Sql, dialect: Dialect) {
    this.#sql = sql;
    this.#since = `SELECT e.seq, e.at, e.stream, e.type, ${dialect.eventData("e")}, '' AS hash, '' AS previous
      FROM events e WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?`;
    const length = ["payload", "result", "error", "progress", "trail"].map(
      (name) => `coalesce(octet_length(${name}), 0)`,
    );
    this.#texts = `SELECT id, ${length.join(" + ")} AS bytes FROM orders WHERE id > ? ORDER BY id LIMIT ?`;
    this.#standing = (bounded) => `SELECT h.seq,
        (SELECT count(*) FROM (SELECT 1 FROM orders WHERE followed = 1 AND ended_at IS NOT NULL LIMIT 1) AS untold),
        ${orderColumnNames}
      FROM chain_head h LEFT JOIN (SELECT * FROM orders WHERE id > ? ${bounded ? "AND id <= ?" : ""} ORDER BY id
        ${bounded ? "" : "LIMIT ?"}) AS orders ON 1 = 1`;
  }

  /** Takes up the next events of the log, of which each has been held against the chain. */
  async replay(events: readonly LoggedText[], newest: number, turn: Turn): Promise<void> {
    for (const event of events) {
      if (this.#unfit !== undefined) break;
      if (!isOfQueue(event)) continue;
      const data = JSON.parse(event.data) as StoredEvent["data"];
      const { orders } = data;
      this.#told += Array.isArray(orders) ? orders.length : 1;
      if (this.#told >= slice) {
        this.#told = 0;
        await turn(0);
      }
      const { seq, type, stream } = event;
      if (!this.#scratch().apply({ ...event, data, previous: "" }))
        this.#unfit = {
          brokenAt: seq,
          reason: `event ${seq} (${type} of ${stream}) does not follow from those before it`,
        };
    }
    this.#walked = newest;
  }

  /** The first row that is not what the events make of it, orders by their ids first; call it when all of the log is replayed. */
  async compare(turn: Turn): Promise<Break | Differing | undefined> {
    if (this.#unfit !== undefined) return this.#unfit;
    const links = new OrderLinks(this.#sql, this.#follow);
    const figures = new OrderFigures(this.#sql, this.#follow);
    const found =
      (await this.#compareOrders(turn)) ??
      (await links.compare(() => turn(this.#compared))) ??
      (await figures.compare());
    // Of an event that came meanwhile: rows behind it cannot be told.
    return this.#unfit ?? found;
  }

  close(): void {
    this.#expected?.close();
  }

  async #compareOrders(turn: Turn): Promise<Differing | undefined> {
    for (let after = ""; ;) {
      await turn(this.#compared);
      const upTo = (await this.#sql.read(() => this.#pageEnd(after))) ?? "";
      const { newest, late, found } = await this.#sql.read(() => this.#read(after, upTo));
      const expected = await this.#follow(newest);
      if (this.#unfit !== undefined) return undefined;
      const last = upTo === "" ? found.at(-1)?.[0] : upTo;
      if (last === undefined) {
        const missing = expected.unfinishedAfter(after);
        return missing === undefined ? undefined : missingOrder(missing);
      }
      const differing = differingRow(expected, { after, last }, found, { newest, late });
      if (differing !== undefined) return differing;
      this.#compared += found.length;
      after = last;
    }
  }

  /** The last id of the next page, by the length of its texts. */
  *#pageEnd(after: string): Program<string | undefined> {
    const texts = yield* all<{ readonly id: string; readonly bytes: number }>(this.#texts, after, page);
    let bytes = 0;
    let last: string | undefined;
    for (const text of texts) {
      bytes += text.bytes;
      if (last !== undefined && bytes > mostBytes) break;
      last = text.id;
    }
    return last;
  }

  *#read(
    after: string,
    upTo: string,
  ): Program<{ readonly newest: number; readonly late: boolean; readonly found: readonly OrderCells[] }> {
    const bounded = upTo !== "";
    const rows = yield* arrays<Page>(this.#standing(bounded), after, bounded ? upTo : page);
    const [newest = 0, late = 0] = rows[0] ?? [];
    const found = rows.flatMap(([, , ...cells]) =>
      cells[0] === null ? [] : [cells as unknown as OrderCells],
    );
    return { newest, late: late > 0, found };
  }

  /** What the events up to `newest` make of the orders. */
  readonly #follow = async (newest: number): Promise<ExpectedOrders> => {
    while (this.#walked < newest && this.#unfit === undefined) {
      const after = this.#walked;
      const since = this.#since;
      const rows = await this.#sql.read(() => all<EventRow>(since, after, newest, chunk));
      const last = rows.at(-1)?.seq ?? newest;
      const events = rows.map((row) => ({ ...row, data: eventText(row) }));
      await this.replay(events, last, () => new Promise((resolve) => setImmediate(resolve)));
    }
    return this.#scratch();
  };

  #scratch(): ExpectedOrders {
    return (this.#expected ??= new ExpectedOrders());
  }
}

function differingRow(
  expected: ExpectedOrders,
  { after, last }: { readonly after: string; readonly last: string },
  found: readonly OrderCells[],
  { newest, late }: { readonly newest: number; readonly late: boolean },
): Differing | undefined {
  const rows = new Map(found.map((cells) => [cells[0], cells]));
  for (const cells of expected.rows(after, last)) {
    const row = rows.get(cells[0]);
    rows.delete(cells[0]);
    const differing =
      row === undefined
        ? isFinished(cells[3])
          ? undefined
          : missingOrder(cells)
        : differingOrder(cells, row, () => late || expected.mayWaitAgain(cells[0]));
    if (differing !== undefined) return differing;
  }
  const [stray] = rows.values();
  return stray === undefined ? undefined : strayOrder(stray, newest);
}
