import { asError, type Log } from "../../core/index.ts";
import { type Break, ChainWalk, genesis } from "../chain.ts";
import type { StoredEvent } from "../run-events.ts";
import { type EventRow, eventText, toEvent } from "../run-rows.ts";
import type { ChainReport, EventLog } from "../store.ts";
import { all, type Dialect, one, type Program } from "./program.ts";
import type { Sql } from "./write-context.ts";

/** Events verified before other work gets its turn: about 5 ms. */
const chunk = 500;

interface End {
  readonly seq: number;
  readonly hash: string;
  readonly last: number | null;
  readonly events: number;
}

/** Empty when it cannot be read: no event was hashed like that. */
function textOrNone(row: EventRow): string {
  try {
    return eventText(row);
  } catch {
    return "";
  }
}

/** The log of a store: reading, verifying, and telling listeners of what its own process committed. */
export class SqlEventLog implements EventLog {
  readonly #sql: Sql;
  readonly #log: Log;
  readonly #columns: string;
  readonly #hashOf: string;
  readonly #withPrevious: string;
  readonly #listeners = new Set<(events: readonly StoredEvent[]) => void>();
  readonly #followers = new Set<object>();
  readonly #followed: () => void;
  readonly #counted: (head: number) => void;

  /**
   * `followed` is called when somebody begins to follow what other processes commit, and nobody did before; `counted` with
   * each answer of `count`.
   */
  constructor(
    sql: Sql,
    dialect: Dialect,
    log: Log,
    followed: () => void = () => {},
    counted: (head: number) => void = () => {},
  ) {
    this.#followed = followed;
    this.#counted = counted;
    this.#sql = sql;
    this.#log = log;
    this.#columns = `e.seq, e.at, e.stream, e.type, ${dialect.eventData("e")}, ${dialect.hex("e.hash")} AS hash`;
    this.#hashOf = dialect.hex("hash");
    // `previous` is the hash of the row before; zeros before the first, empty when that row is gone.
    this.#withPrevious = `SELECT ${this.#columns}, CASE WHEN e.seq = 1 THEN '${genesis}'
      ELSE coalesce((SELECT ${dialect.hex("p.hash")} FROM events p WHERE p.seq = e.seq - 1), '') END AS previous
      FROM events e`;
  }

  read(query: Parameters<EventLog["read"]>[0]): Promise<readonly StoredEvent[]> {
    const { stream, types = [], after = 0, limit } = query;
    const where = ["e.seq > ?"];
    if (stream !== undefined) where.push("e.stream = ?");
    // No index of its own: passing over 20,000 events of a stream takes 10 ms, one more index costs every event.
    if (types.length > 0) where.push(`e.type IN (${types.map(() => "?").join(", ")})`);
    const text = `${this.#withPrevious} WHERE ${where.join(" AND ")} ORDER BY e.seq LIMIT ?`;
    const values = [after, ...(stream === undefined ? [] : [stream]), ...types, limit];
    return this.#sql.read(function* () {
      return (yield* all<EventRow>(text, ...values)).map(toEvent);
    });
  }

  async verify(): Promise<ChainReport> {
    // Head and newest row are read together: what is appended while the walk goes on does not concern it.
    const { last, events, ...head } = await this.#sql.read(() => this.#end());
    const walk = new ChainWalk();
    const broken = (found: Break): ChainReport => ({ whole: false, events, ...found });
    while (walk.seq < (last ?? 0)) {
      const found = await this.#sql.read(() => this.#walkChunk(walk, last ?? 0));
      if (found !== undefined) return broken(found);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const end = walk.end(head);
    return end === undefined ? { whole: true, events, head: head.hash } : broken(end);
  }

  async count(): Promise<number> {
    const head = await this.#sql.read(function* () {
      return (yield* one<{ readonly n: number }>("SELECT seq AS n FROM chain_head"))?.n ?? 0;
    });
    this.#counted(head);
    return head;
  }

  subscribe(
    listener: (events: readonly StoredEvent[]) => void,
    { others = true }: { readonly others?: boolean } = {},
  ): () => void {
    // Each call is a listener of its own.
    const own = (events: readonly StoredEvent[]): void => listener(events);
    this.#listeners.add(own);
    const off = others ? this.follow() : undefined;
    return () => {
      this.#listeners.delete(own);
      off?.();
    };
  }

  follow(): () => void {
    const follower = {};
    this.#followers.add(follower);
    if (this.#followers.size === 1) this.#followed();
    return () => void this.#followers.delete(follower);
  }

  /** Whether somebody here wants to know what other processes commit. */
  get follows(): boolean {
    return this.#followers.size > 0;
  }

  /** Tells every listener; one that throws is logged and harms neither the store nor the others. */
  tell(events: readonly StoredEvent[]): void {
    for (const listener of this.#listeners) {
      try {
        listener(events);
      } catch (error) {
        this.#log.error("a listener of the event log threw", { message: asError(error).message });
      }
    }
  }

  close(): void {
    this.#listeners.clear();
    this.#followers.clear();
  }

  *#end(): Program<End> {
    const found = yield* one<End>(
      `SELECT seq, ${this.#hashOf} AS hash, (SELECT max(seq) FROM events) AS last,
       (SELECT count(*) FROM events) AS events FROM chain_head`,
    );
    return found ?? { seq: 0, hash: "", last: null, events: 0 };
  }

  *#walkChunk(walk: ChainWalk, last: number): Program<Break | undefined> {
    const rows = yield* all<EventRow>(
      `SELECT ${this.#columns} FROM events e WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?`,
      walk.seq,
      last,
      chunk,
    );
    for (const row of rows) {
      const found = walk.next({ ...row, data: textOrNone(row) });
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
