import { asError, type Log } from "../../core/index.ts";
import { type Break, ChainWalk, genesis } from "../chain.ts";
import type { Differing } from "../replayed-rows.ts";
import type { StoredEvent } from "../run-events.ts";
import { type EventRow, eventText, toEvent } from "../run-rows.ts";
import type { ChainReport, EventLog, VerifyOptions } from "../store.ts";
import { all, type Dialect, one, type Program } from "./program.ts";
import { type LoggedText, OrderCheck } from "./order-check.ts";
import { RouteCheck } from "./route-check.ts";
import { brokenBy, RunCheck } from "./run-check.ts";
import { isOfQueue } from "./rebuild.ts";
import type { Sql } from "./write-context.ts";

/** Events verified before other work gets its turn: 2 ms, and 30 where each tells of hundreds of orders. */
const chunk = 200;

interface End {
  readonly seq: number;
  readonly hash: string;
  readonly last: number | null;
  readonly events: number;
}

const runStream = "run:";

/** What a walk of the log has come by. */
interface Walk {
  readonly chain: ChainWalk;
  readonly routes: RouteCheck;
  readonly runs: Set<string>;
  /** Of queues, and not replayed yet. */
  queued: LoggedText[];
}

/** As many as are kept, for how far a comparison has come. */
function* countOrders(): Program<number> {
  return (
    (yield* one<{ readonly n: number }>("SELECT CAST(coalesce(sum(n), 0) AS bigint) AS n FROM order_counts"))
      ?.n ?? 0
  );
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
  readonly #runs: RunCheck;
  readonly #routeCheck: () => RouteCheck;
  readonly #orderCheck: () => OrderCheck;
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
    const previous = `CASE WHEN e.seq = 1 THEN '${genesis}'
      ELSE coalesce((SELECT ${dialect.hex("p.hash")} FROM events p WHERE p.seq = e.seq - 1), '') END`;
    this.#withPrevious = `SELECT ${this.#columns}, ${previous} AS previous FROM events e`;
    this.#runs = new RunCheck(sql, dialect, previous);
    this.#routeCheck = () => new RouteCheck(dialect);
    this.#orderCheck = () => new OrderCheck(sql, dialect);
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

  async verify(of: VerifyOptions = {}): Promise<ChainReport> {
    const { run, orders = true, onProgress = () => {}, signal } = of;
    if (run !== undefined) return this.#runs.check(run);
    const check = orders ? this.#orderCheck() : undefined;
    const turn = async (progress: Parameters<typeof onProgress>[0]): Promise<void> => {
      onProgress(progress);
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (signal?.aborted === true) throw asError(signal.reason);
    };
    try {
      return await this.#verify(check, turn);
    } finally {
      check?.close();
    }
  }

  async #verify(
    orders: OrderCheck | undefined,
    turn: (progress: Parameters<NonNullable<VerifyOptions["onProgress"]>>[0]) => Promise<void>,
  ): Promise<ChainReport> {
    // Head and newest row are read together: what is appended while the walk goes on does not concern it.
    const { last, events, ...head } = await this.#sql.read(() => this.#end());
    const end = last ?? 0;
    const walk: Walk = { chain: new ChainWalk(), routes: this.#routeCheck(), runs: new Set(), queued: [] };
    const walked = (): Promise<void> => turn({ part: "events", done: walk.chain.seq, of: end });
    const broken = (found: Break | Differing): ChainReport => brokenBy(events, found);
    let differs: Differing | undefined;
    while (walk.chain.seq < end) {
      const found = await this.#sql.read(() => this.#walkChunk(walk, end, orders !== undefined));
      if (found !== undefined && "row" in found) differs ??= found;
      else if (found !== undefined) return broken(found);
      await orders?.replay(walk.queued, walk.chain.seq, walked);
      walk.queued = [];
      await walked();
    }
    const cut = walk.chain.end(head);
    if (cut !== undefined) return broken(cut);
    // Rows are told of once the log that they follow from has turned out to be whole.
    const routes = differs ?? (await this.#sql.read(() => walk.routes.end(end)));
    if (routes !== undefined) return broken(routes);
    for (const each of await this.#sql.read(() => this.#runs.runs())) walk.runs.add(each);
    for (const each of walk.runs) {
      const found = await this.#runs.check(each);
      if (!found.whole) return { ...found, events };
    }
    const total = orders === undefined ? 0 : await this.#sql.read(countOrders);
    const order = await orders?.compare((done) => turn({ part: "orders", done, of: total }));
    if (order !== undefined) return broken(order);
    return { whole: true, events, head: head.hash };
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

  *#walkChunk(walk: Walk, last: number, orders: boolean): Program<Break | Differing | undefined> {
    const after = walk.chain.seq;
    const rows = yield* all<EventRow>(
      `SELECT ${this.#columns} FROM events e WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq LIMIT ?`,
      after,
      last,
      chunk,
    );
    const events = rows.map((row) => ({ ...row, data: textOrNone(row) }));
    for (const event of events) {
      const found = walk.chain.next(event);
      if (found !== undefined) return found;
      if (event.stream.startsWith(runStream)) walk.runs.add(event.stream.slice(runStream.length));
      else if (orders && isOfQueue(event)) walk.queued.push(event);
    }
    return yield* walk.routes.walk(events, { after, until: walk.chain.seq });
  }
}
