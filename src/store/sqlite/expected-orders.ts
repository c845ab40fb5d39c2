import { systemClock } from "../../core/index.ts";
import { type OrderCells, orderColumnNames } from "../order-rows.ts";
import { ordersTold } from "../orders-told.ts";
import { type LoggedOrderEvent, replayNeeds } from "../orders/replay.ts";
import { isFinished } from "../orders/row.ts";
import type { StoredEvent } from "../run-events.ts";
import { Connection } from "./connection.ts";
import { replayOrders } from "./rebuild.ts";
import { migrateSchema } from "./schema.ts";
import { storeError } from "./sqlite-error.ts";

/** A row of links: `id` waits for `leader`. */
export interface ExpectedLink {
  readonly leader: string;
  readonly id: string;
  /** The event that told of it. */
  readonly seq: number;
}

/** For messages: where it lies is SQLite's to choose. */
const place = "the scratch file of the audit";

/**
 * Rows of work orders as the events make them, in a scratch file: a million of them take no memory. SQLite makes it in the
 * folder for temporary files (`SQLITE_TMPDIR`, `TMPDIR`, `/var/tmp`, `/tmp`) without a name, so that it is gone with the
 * process, however that ends. About as large as the orders themselves.
 */
export class ExpectedOrders {
  readonly #db: Connection;

  constructor() {
    this.#db = new Connection("");
    migrateSchema(this.#db, systemClock, place);
    // Nobody claims here, and what is lost with the process is made anew: an index or a journal would only take time.
    const indexes = this.#db.all<{ name: string }>(
      `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'orders' AND sql IS NOT NULL
       AND name <> 'orders_by_key'`,
    );
    for (const { name } of indexes) this.#db.exec(`DROP INDEX ${name}`);
    this.#db.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;
      CREATE TABLE told_links (leader TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (leader, id))
      WITHOUT ROWID;
      CREATE TABLE told_again (id TEXT PRIMARY KEY) WITHOUT ROWID; BEGIN`);
  }

  /**
   * Takes up the next event of a queue; false when it does not follow from those before it.
   * @throws CUTOVER_STORE_FULL when there is no room for the scratch file
   */
  apply(event: StoredEvent): boolean {
    try {
      if (replayOrders(this.#db, [event]) !== undefined) return false;
      // The log is only written through this room, so the stream decides the shape of the data.
      const logged = event as unknown as LoggedOrderEvent;
      if (logged.type === "orders.submitted") this.#keepLinks(logged);
      else for (const id of replayNeeds([logged]).followersOf) this.#tellOthers(id);
      if (logged.type === "orders.transition") this.#keepRequeued(logged);
      return true;
    } catch (error) {
      throw storeError(error, place);
    }
  }

  /** Rows with an id after `after` up to `upTo`, of all where there is none. */
  rows(after: string, upTo: string): readonly OrderCells[] {
    return this.#db.rows(
      `SELECT ${orderColumnNames} FROM orders WHERE id > ? AND id <= ? ORDER BY id`,
      after,
      upTo,
    );
  }

  /** The first order behind this id that is not finished, which is none to be removed. */
  unfinishedAfter(after: string): OrderCells | undefined {
    return this.#db.rows<OrderCells>(
      `SELECT ${orderColumnNames} FROM orders WHERE id > ? AND ended_at IS NULL ORDER BY id LIMIT 1`,
      after,
    )[0];
  }

  /** Links by which unfinished orders still hold others up: each has to be there. `upTo` is the last one, of all where there is none. */
  links(after: Link, upTo: Link | undefined): readonly ExpectedLink[] {
    const end = upTo === undefined ? "" : "AND (l.leader, l.id) <= (?, ?)";
    return this.#db.all(
      `SELECT l.leader AS leader, l.id AS id, t.seq AS seq FROM order_links l
         JOIN told_links t ON t.leader = l.leader AND t.id = l.id
         JOIN orders a ON a.id = l.leader AND a.ended_at IS NULL
         JOIN orders b ON b.id = l.id AND b.state = 'PENDING' AND b.blocked_by > 0
       WHERE (l.leader, l.id) > (?, ?) ${end} ORDER BY l.leader, l.id`,
      ...after,
      ...(upTo ?? []),
    );
  }

  /** Whether an order was ever told to wait for this one. */
  hasTold(link: Link): boolean {
    return this.#db.get("SELECT 1 FROM told_links WHERE leader = ? AND id = ?", ...link) !== undefined;
  }

  /** Whether an order it was told to wait for was requeued after its end: if claims had not told it by then, it waits again. */
  mayWaitAgain(id: string): boolean {
    return this.#db.get("SELECT 1 FROM told_again WHERE id = ?", id) !== undefined;
  }

  configs(): readonly { readonly queue: string; readonly config: string }[] {
    return this.#db.all("SELECT queue, config FROM queue_configs ORDER BY queue");
  }

  close(): void {
    this.#db.close();
  }

  #keepLinks(event: Extract<LoggedOrderEvent, { type: "orders.submitted" }>): void {
    for (const { id, after } of ordersTold(event.data))
      for (const leader of after)
        this.#db.run("INSERT OR REPLACE INTO told_links VALUES (?, ?, ?)", leader, id, event.seq);
  }

  #keepRequeued(event: Extract<LoggedOrderEvent, { type: "orders.transition" }>): void {
    for (const { id, from, to } of ordersTold(event.data))
      if (isFinished(from) && !isFinished(to))
        this.#db.run("INSERT OR IGNORE INTO told_again SELECT id FROM told_links WHERE leader = ?", id);
  }

  /** Followers that are more than are replayed with the end of their leader; claims tell those without an event. */
  #tellOthers(leader: string): void {
    const links = this.#db.rows<[number]>("SELECT count(*) FROM order_links WHERE leader = ?", leader)[0];
    const ended = this.#db.get<{ state: string }>("SELECT state FROM orders WHERE id = ?", leader);
    if (links === undefined || links[0] === 0 || ended === undefined) return;
    // Of a leader that did not complete, those that are cancelled with it have an event for that.
    const told = `f.state = 'PENDING' AND f.blocked_by > 0 ${ended.state === "COMPLETED" ? "" : "AND f.if_after_fails = 'run'"}`;
    const of = `(SELECT l.id FROM order_links l JOIN orders f ON f.id = l.id WHERE l.leader = ? AND ${told})`;
    this.#db.exec("CREATE TEMP TABLE IF NOT EXISTS told (id TEXT PRIMARY KEY)");
    this.#db.run(`INSERT INTO told SELECT * FROM ${of}`, leader);
    this.#db.run("UPDATE orders SET blocked_by = blocked_by - 1 WHERE id IN (SELECT id FROM told)");
    this.#db.run("DELETE FROM order_links WHERE leader = ? AND id IN (SELECT id FROM told)", leader);
    this.#db.run("DELETE FROM told");
  }
}

type Link = readonly [leader: string, id: string];
