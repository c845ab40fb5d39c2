import { type Clock, type Log, type RandomBytes, shortId, silentLog, systemClock } from "../../core/index.ts";
import { SqlEventLog } from "../sql/event-log.ts";
import type { Answer, Dialect, Program, Statement } from "../sql/program.ts";
import { sqlRoutes } from "../sql/routes.ts";
import { sqlRuns } from "../sql/runs.ts";
import type { Sql } from "../sql/write-context.ts";
import type { StoredEvent } from "../run-events.ts";
import type { LostTail, RebuildOptions, Store, StoreReach } from "../store.ts";
import { checkAddress, checkParameters, placeOf } from "./address.ts";
import { Connections } from "./connections.ts";
import { Doorbell, type Told } from "./doorbell.ts";
import { loadDriver, type PgDriver } from "./driver.ts";
import { EventFollower, notableTypes } from "./event-follower.ts";
import { type Ancestry, leastFence, Lineage, timeline } from "./lineage.ts";
import type { Offer } from "./offers.ts";
import { postgresOrders } from "./orders.ts";
import { type Persistence, Tries } from "./persistence.ts";
import { storeError } from "./postgres-error.ts";
import { rebuildProjections } from "./rebuild.ts";
import { Reader } from "./reader.ts";
import { checkSchemaName, migrateSchema, refuseMissing } from "./schema.ts";
import { SecondLook } from "./second-look.ts";
import { ServerClock, serverNow } from "./server-clock.ts";
import { answersOf, type Session } from "./session.ts";
import { WorkListeners } from "./work-listeners.ts";
import { Writer } from "./writer.ts";

export interface PostgresStoreOptions {
  /**
   * `postgres://user:password@host:port/database`, with the parameters that `pg` knows (`sslmode` …). Any `/?#@%` in user
   * and password is written as `%xx`. The password is told to `pg` and to nobody else.
   */
  readonly url: string;
  /** Default `cutover`. */
  readonly schema?: string;
  /** Whether a schema without a store is made one. Default true. False: it is refused, and nothing is written. */
  readonly make?: boolean;
  /** Stands in for the server's clock; for tests. */
  readonly clock?: Clock;
  /** Local time: of timeouts and pauses. Default the system's. */
  readonly timers?: Clock;
  /** Told when a listener throws. Silent by default. */
  readonly log?: Log;
  /** Spreads retries and polling. Default `Math.random`. */
  readonly random?: () => number;
  /** Makes the salts of new routes. Default: the system's random bytes. */
  readonly randomBytes?: RandomBytes;
  /** Most connections for reading; two more are for writing and for listening. Default 3. */
  readonly readers?: number;
  /** How long a call goes on trying while the server is gone, milliseconds. Default 30,000. */
  readonly retryMs?: number;
  /** The package `pg`, loaded when it is not given. */
  readonly driver?: PgDriver;
}

const postgresDialect: Dialect = {
  name: "postgres",
  hex: (column) => `encode(${column}, 'hex')`,
  text: (column) => `${column}::text`,
  eventData: (table) => `${table}.data, encode(${table}.packed, 'hex') AS packed`,
};

const connectMs = 10_000;

/**
 * Opens a store on PostgreSQL 14 to 18, making or upgrading its schema: for any number of processes on any number of
 * machines. Every write is durable when its promise resolves; writes of a process that come while another one is under
 * way share the next commit.
 *
 * A lost connection is met with retries for `retryMs`. A commit that was never answered is looked up in the chain before
 * anything is said about it or done again.
 * @throws CUTOVER_DRIVER_MISSING when the package `pg` is not installed
 * @throws CUTOVER_STORE_UNAVAILABLE for an address that cannot be read or has unknown parameters, and when the server
 * does not answer, or does not let this user in, and for a database of another encoding than UTF8 or SQL_ASCII
 * @throws CUTOVER_STORE_CORRUPT when the schema belongs to another program; it is left as it is
 * @throws CUTOVER_STORE_NEWER when a newer Cutover changed it in a way this one cannot read
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const { url, schema = "cutover", timers = systemClock, random = Math.random } = options;
  checkSchemaName(schema);
  checkAddress(url);
  const driver = options.driver ?? (await loadDriver());
  checkParameters(driver, url);
  const place = placeOf(url, schema);
  const self = shortId("", 12, options.randomBytes);
  const given: Given = {
    options,
    schema,
    self,
    persistence: { timers, random, retryMs: options.retryMs ?? 30_000, place },
    connections: new Connections(driver, { url, schema, timers, connectMs, name: `cutover ${self}` }),
    serverClock: new ServerClock(timers),
  };
  const first = await firstSession(given);
  try {
    if (options.make === false) await refuseMissing(first, schema, place);
    await migrateSchema(first, schema, place);
    const sent = timers.monotonic();
    const [looked, line] = await first.settle([look, timeline]);
    const [answer] = answersOf(looked === undefined ? [] : [looked]);
    const { now, seq } = (answer as Answer).rows[0] as unknown as Look;
    given.serverClock.learn(now, sent, timers.monotonic());
    return assemble(given, { session: first, fence: leastFence(line), head: seq });
  } catch (error) {
    await first.end();
    throw storeError(error, place);
  }
}

interface Given {
  readonly options: PostgresStoreOptions;
  readonly schema: string;
  readonly self: string;
  readonly persistence: Persistence;
  readonly connections: Connections;
  readonly serverClock: ServerClock;
}

interface Look {
  readonly now: number;
  readonly seq: number;
}
const look: Statement = {
  sql: `SELECT ${serverNow} AS now, (SELECT seq FROM chain_head) AS seq`,
  values: [],
  wants: "rows",
};

/** The connection that a store was opened with, and what is known by it. */
interface First {
  readonly session: Session;
  readonly fence: number | undefined;
  readonly head: number;
}

function assemble(given: Given, { session: first, fence, head }: First): Store {
  const { options, schema, self, persistence, connections, serverClock } = given;
  const { timers, random, place } = persistence;
  const { clock, log = silentLog } = options;
  const time = clock ?? serverClock;
  const reader = new Reader({
    ...persistence,
    most: options.readers ?? 3,
    open: () => connections.open("read"),
  });
  const ask = (statement: Statement): Promise<Answer> =>
    reader.read(function* (): Program<Answer> {
      return yield statement;
    });
  const secondLook = new SecondLook({
    timers,
    ask,
    ring: (queue) => work.ring([queue], false),
  });
  const writer = new Writer({
    ...persistence,
    secondLook,
    serverClock,
    clock,
    first,
    firstFence: fence,
    open: () => connections.open("write"),
    endOthers: connections.endOthers,
    company: () => bell.hasCompany(),
    announce(ring, offer, events) {
      const told = { ...toldOf(events ?? [], ring), offer };
      const payload = bell.announce(told);
      if (payload === undefined) return undefined;
      const last = events?.at(-1);
      return last === undefined ? tellOfNext(channel, payload, offer) : tellOf(channel, payload, last);
    },
    returned: async (session) => {
      await lookBack(async (statement) => (await session.send([statement]))[0]);
    },
    committed(events, ring, announced) {
      lineage.saw(events, true);
      const [first, last] = [events[0]?.seq ?? 0, events.at(-1)?.seq ?? 0];
      sinceLook.own += Math.max(0, last - Math.max(first - 1, sinceLook.seq));
      if (events.length > 0) follower.own(events);
      work.ring(ring, false);
      if (events.length + ring.length > 0 && !announced) bell.ring(toldOf(events, ring));
    },
  });
  const sql: Sql = {
    read: (program) => reader.read(program),
    write: (work) => writer.write(work),
  };
  const lineage = new Lineage();
  let lost: LostTail | undefined;
  const events = new SqlEventLog(
    sql,
    postgresDialect,
    log,
    () => bell.followed(),
    (end) => lineage.heard(end),
  );
  const follower = new EventFollower(events, head, (seen) => lineage.saw(seen, false));
  const work = new WorkListeners(log);
  /** Where the chain ended at the last look, and how many events of this process came since. */
  let sinceLook = { seq: head, own: 0 };
  /** Another server may stand behind the address, or this one was set back. */
  const lookBack = async (ask: Parameters<Lineage["look"]>[0]): Promise<Ancestry | undefined> => {
    const known = Math.max(follower.newest, lineage.newest);
    const found = await lineage.look(ask);
    if (found === undefined) return undefined;
    const { head, kept, missing } = found;
    if (missing === null && head >= known) return found;
    follower.setBack(kept);
    bell.setBack(head);
    sinceLook = { seq: head, own: 0 };
    lost = { head, kept, missing: missing ?? lost?.missing ?? null, at: time.now() };
    if (missing !== null) {
      const message = `events that this process had committed are gone: the log of ${place} ends at ${head}, and does not have event ${missing} as it was written`;
      log.error(message, { head, missing });
    }
    work.ring(null, true);
    return found;
  };
  const lookAround = async (): Promise<void> => {
    const sent = timers.monotonic();
    const found = await lookBack(ask);
    if (found === undefined) return;
    const { now, head: seq, inbox } = found;
    serverClock.learn(now, sent, timers.monotonic());
    // What this process has committed since lies behind what others have, whether it heard of that or not.
    const others = seq - sinceLook.seq - sinceLook.own;
    sinceLook = { seq, own: 0 };
    if (others > 0 || inbox !== null) work.ring(null, true);
    follower.looked(seq);
  };
  const missed = (): void => {
    // Not to be reached: the next look tells.
    lookAround().catch(() => {});
  };
  const channel = `cutover_${schema}`;
  const bell = new Doorbell({
    timers,
    random,
    channel,
    self,
    openListener: (hooks) => connections.open("listen", hooks),
    notify: (payload) =>
      sql.read(function* () {
        yield { sql: "SELECT pg_notify($1, $2)", values: [channel, payload], wants: "rows" };
      }),
    follows: () => events.follows,
    heard(ring) {
      const { seq, queues, notable } = ring;
      writer.heard(ring);
      work.ring(queues, true);
      if (notable !== undefined) void follower.notable(notable, seq);
      // Whoever claims now goes first: reading what happened is in nobody's way then.
      setImmediate(() => follower.others(seq));
    },
    missed,
  });
  const listening = bell.start();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await writer.close();
      secondLook.close();
      await listening;
      await bell.close();
      await reader.close();
      work.close();
      events.close();
    })());
  const reach: StoreReach = { kind: "postgres", url: options.url, schema };
  const store = {
    description: `postgres ${place}`,
    clock: time,
    get lostTail(): LostTail | undefined {
      return lost;
    },
    runs: sqlRuns(sql),
    routes: sqlRoutes(sql, () => shortId("", 16, options.randomBytes)),
    orders: postgresOrders(sql, postgresDialect, writer, work, {
      now: () => time.now(),
      schema,
      channel,
      place,
    }),
    events,
    rebuild: async (options?: RebuildOptions) => ({
      events: await writer.task((tx) => rebuildProjections(tx, postgresDialect, options), "all"),
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
  // Not to be seen where somebody prints a store: the address may hold a password.
  return Object.defineProperty<Store>(store, "reach", { value: reach });
}

/** What others are told of a commit. */
function toldOf(events: readonly StoredEvent[], queues: readonly string[]): Told {
  return {
    seq: events.at(-1)?.seq ?? 0,
    queues,
    notable: events.find(({ type }) => notableTypes.has(type))?.seq,
  };
}

/**
 * Told only when the commit before it got through, with this as its last event. It has nothing to keep, but reading may tidy
 * the page, and who has written waits for the disk before others are told.
 */
const tellOf = (channel: string, payload: string, { seq, hash }: StoredEvent): Statement => ({
  sql: `SELECT pg_notify($1, $2), set_config('synchronous_commit', 'off', true)
    FROM events WHERE seq = $3 AND hash = decode($4, 'hex')`,
  values: [channel, payload, seq, hash],
  wants: "rows",
});

/**
 * The same of a commit that is given its place by the server: what stands there is the newest that is known here. Should it
 * not get through, others look in vain.
 */
function tellOfNext(channel: string, payload: string, offer: Offer | undefined): Statement {
  const seq = "jsonb_set($2::jsonb, '{seq}', to_jsonb(seq))";
  const trail = "coalesce((SELECT trail::jsonb FROM orders WHERE id = $3), '[]')";
  const told = offer === undefined ? seq : `jsonb_set(${seq}, '{offer,trail}', ${trail}, false)`;
  return {
    sql: `SELECT pg_notify($1, (${told})::text), set_config('synchronous_commit', 'off', true) FROM chain_head`,
    values: [channel, payload, ...(offer === undefined ? [] : [offer.id])],
    wants: "rows",
  };
}

/** Waits for a server that is just starting; any other reason is told at once. */
async function firstSession({ connections, persistence }: Given): Promise<Session> {
  const tries = new Tries(persistence);
  for (;;) {
    try {
      return await connections.open("write");
    } catch (error) {
      await tries.next(error, (error as { code?: unknown }).code === "57P03" ? "lost" : "final");
    }
  }
}
