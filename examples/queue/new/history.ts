import { DatabaseSync } from "node:sqlite";
import type { WorkOrder } from "../old/work-order.ts";

/**
 * What the new side keeps beside its queue: the old queue's orders, for reading after it is gone, and which orders it
 * gave back. An order that comes again after it was given back needs a new name in the queue, as names are never reused.
 */
export class History implements Disposable {
  readonly #db: DatabaseSync;
  readonly #givenBack = new Map<string, boolean>();

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    this.#db.exec("CREATE TABLE IF NOT EXISTS old_orders (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT");
    this.#db.exec(
      "CREATE TABLE IF NOT EXISTS given_back (name TEXT PRIMARY KEY, done INTEGER NOT NULL) STRICT",
    );
    for (const row of this.#db.prepare("SELECT name, done FROM given_back").all())
      this.#givenBack.set(String(row["name"]), row["done"] === 1);
  }

  /** Stores or replaces; importing again changes nothing. */
  store(orders: readonly WorkOrder[]): number {
    const insert = this.#db.prepare("INSERT OR REPLACE INTO old_orders (id, body) VALUES (?, ?)");
    this.#db.exec("BEGIN IMMEDIATE");
    for (const order of orders) insert.run(order.id, JSON.stringify(order));
    this.#db.exec("COMMIT");
    return orders.length;
  }

  get(id: string): WorkOrder | undefined {
    const row = this.#db.prepare("SELECT body FROM old_orders WHERE id = ?").get(id);
    return row === undefined ? undefined : (JSON.parse(String(row["body"])) as WorkOrder);
  }

  list(): WorkOrder[] {
    const rows = this.#db.prepare("SELECT body FROM old_orders ORDER BY id").all();
    return rows.map((row) => JSON.parse(String(row["body"])) as WorkOrder);
  }

  /** The name an order has in the queue now: its id, or the id with a number once it was given back. */
  currentName(id: string): string {
    let name = id;
    for (let times = 1; this.#givenBack.get(name) === true; times++) name = `${id}~${times}`;
    return name;
  }

  isGivingBack(name: string): boolean {
    return this.#givenBack.has(name);
  }

  beginGiveBack(name: string): void {
    this.#db.prepare("INSERT OR REPLACE INTO given_back (name, done) VALUES (?, 0)").run(name);
    this.#givenBack.set(name, false);
  }

  endGiveBack(name: string, given: boolean): void {
    if (given) this.#db.prepare("UPDATE given_back SET done = 1 WHERE name = ?").run(name);
    else this.#db.prepare("DELETE FROM given_back WHERE name = ?").run(name);
    if (given) this.#givenBack.set(name, true);
    else this.#givenBack.delete(name);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
