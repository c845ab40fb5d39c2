import type { JsonObject } from "../../core/index.ts";
import { canonicalJson, CutoverError } from "../../core/index.ts";
import { linkHash } from "../chain.ts";
import type { OrderEvent } from "../order-events.ts";
import { project } from "../projection.ts";
import type { RunEvent, StoredEvent } from "../run-events.ts";
import { rowSql } from "../row-sql.ts";
import type { Connection } from "./connection.ts";

interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** What a unit of work sees inside the transaction of its batch. */
export class Transaction {
  readonly db: Connection;
  readonly #events: StoredEvent[] = [];
  #head: Head;
  #routesChanged = false;

  constructor(db: Connection) {
    this.db = db;
    this.#head = readHead(db);
  }

  /** Events appended so far by work that was not refused. */
  get events(): readonly StoredEvent[] {
    return this.#events;
  }

  /** The position of the next event. */
  get nextSeq(): number {
    return this.#head.seq + 1;
  }

  get routesChanged(): boolean {
    return this.#routesChanged;
  }

  /**
   * Appends one event and changes the rows it tells of. False when the rows were not as the event says they were
   * before it; the caller then throws, which takes the event back.
   */
  append(at: number, stream: string, event: RunEvent): { event: StoredEvent; fits: boolean } {
    const stored = this.#chain(at, stream, event);
    if (event.type === "route.changed") this.#routesChanged = true;
    return { event: stored, fits: applyEvent(this.db, stored) };
  }

  /** Appends an event of work orders, whose rows are written apart. */
  appendOrders(at: number, stream: string, event: OrderEvent): void {
    this.#chain(at, stream, event);
  }

  #chain(at: number, stream: string, event: RunEvent | OrderEvent): StoredEvent {
    if (!stream.isWellFormed() || stream.includes("\0")) {
      throw new CutoverError("CUTOVER_STORE_CONFLICT", {
        message: `expected a name of well-formed text without NUL, found ${JSON.stringify(stream)}`,
        remedy: "give it another name",
      });
    }
    const seq = this.#head.seq + 1;
    const text = canonicalJson(event.data);
    const previous = this.#head.hash;
    const hash = linkHash({ seq, at, stream, type: event.type, data: text }, previous);
    this.db.run(
      "INSERT INTO events (seq, at, stream, type, data, hash) VALUES (?, ?, ?, ?, ?, ?)",
      seq,
      at,
      stream,
      event.type,
      text,
      Buffer.from(hash, "hex"),
    );
    this.#head = { seq, hash };
    // RunEvent and OrderEvent data are JSON by construction; interfaces lack the index signature.
    const data = event.data as unknown as JsonObject;
    const stored: StoredEvent = { seq, at, stream, type: event.type, data, previous, hash };
    this.#events.push(stored);
    return stored;
  }

  /** Remembers where it stands; the returned function goes back there. */
  mark(): () => void {
    const head = this.#head;
    const length = this.#events.length;
    const routesChanged = this.#routesChanged;
    return () => {
      this.#head = head;
      this.#events.length = length;
      this.#routesChanged = routesChanged;
    };
  }

  /** Writes the head record; called once, before the commit. */
  seal(): void {
    if (this.#events.length === 0) return;
    this.db.run(
      "UPDATE chain_head SET seq = ?, hash = ? WHERE id = 1",
      this.#head.seq,
      Buffer.from(this.#head.hash, "hex"),
    );
  }
}

/** Changes the rows an event tells of; false when one was not as the event expects. */
export function applyEvent(
  db: Connection,
  event: Pick<StoredEvent, "seq" | "at" | "stream" | "type" | "data">,
): boolean {
  for (const change of project(event)) {
    const { sql, values, exact } = rowSql(change);
    if (db.run(sql, ...values) !== 1 && exact) return false;
  }
  return true;
}

/**
 * Where the chain goes on. The head record decides; when rows were added behind its back, numbering goes on after
 * them but their hash is not adopted, so the break stays visible to `verify`.
 */
function readHead(db: Connection): Head {
  const row = db.get<{ seq: number; hash: string; last: number | null }>(
    "SELECT seq, lower(hex(hash)) AS hash, (SELECT max(seq) FROM events) AS last FROM chain_head WHERE id = 1",
  );
  if (row === undefined) {
    throw new CutoverError("CUTOVER_STORE_CORRUPT", {
      message: "expected the head record of the event chain, found none",
    });
  }
  return { seq: Math.max(row.seq, row.last ?? 0), hash: row.hash };
}
