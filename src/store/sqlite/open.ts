import {
  asError,
  type Clock,
  type Log,
  type RandomBytes,
  shortId,
  silentLog,
  sleep,
} from "../../core/index.ts";
import { tellsRoutes, writeRoutesFile } from "../routes-file.ts";
import { SqlEventLog } from "../sql/event-log.ts";
import { listRoutes, sqlRoutes } from "../sql/routes.ts";
import { sqlRuns } from "../sql/runs.ts";
import type { Store } from "../store.ts";
import { Connection } from "./connection.ts";
import { databasePath } from "./database-path.ts";
import { GroupCommit } from "./group-commit.ts";
import { type Look, lookAt } from "./look.ts";
import { sqliteOrders } from "./orders.ts";
import { Reader } from "./reader.ts";
import { rebuildProjections } from "./rebuild.ts";
import { migrateSchema, requireSchema } from "./schema.ts";
import { runProgram, sqliteDialect, sqliteSql } from "./sql.ts";
import { isBusy, storeError } from "./sqlite-error.ts";
import { fileAt, StandingFiles } from "./standing-files.ts";
import { WorkBell } from "./work-bell.ts";

export interface SqliteStoreOptions {
  /** A file, made when it is missing (its folder is not), or `":memory:"`. A relative one counts from the folder of the opening. */
  readonly path: string;
  readonly clock: Clock;
  /** How long a call tries while another process holds the write lock, milliseconds. Default 5000. */
  readonly busyMs?: number;
  /** `routes.json`: replaced with every committed change of a route. None by default. */
  readonly routesFile?: string;
  /** For who only looks: what may not be written is opened read only, and nothing is made beside it. Default false. */
  readonly look?: boolean;
  /** Told when `routesFile` cannot be written or a listener throws. Silent by default. */
  readonly log?: Log;
  /** Spreads retries of a locked file. Default `Math.random`. */
  readonly random?: () => number;
  /** Makes the salts of new routes. Default: the system's random bytes. */
  readonly randomBytes?: RandomBytes;
}

/**
 * Opens the embedded store, making or upgrading its schema. Every write is durable (WAL, synchronous FULL) when its
 * promise resolves; writes of one turn of the event loop share one commit.
 * @throws CUTOVER_STORE_CORRUPT when the file is damaged or not a store; it is left as it is
 * @throws CUTOVER_STORE_NEWER when a newer Cutover changed it in a way this one cannot read
 * @throws CUTOVER_STORE_UNAVAILABLE when the file cannot be opened or written, or has a name that no store can have
 * @throws CUTOVER_STORE_FULL when there is no room to make it
 * @throws CUTOVER_STORE_GONE when the file is replaced meanwhile; from then on, of each call, when that happens later
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { clock, busyMs = 5_000, random = Math.random } = options;
  const path = databasePath(options.path);
  const since = clock.monotonic();
  for (let tries = 0; ; tries++) {
    let db: Connection | undefined;
    try {
      const before = fileAt(path);
      const look = options.look === true ? lookAt(path) : undefined;
      db = new Connection(path, look);
      const opened = before ?? fileAt(path);
      if (look === undefined) migrateSchema(db, clock, path);
      else requireSchema(db, path);
      return sqliteStore(db, { ...options, path }, { opened, look });
    } catch (error) {
      db?.close();
      if (!isBusy(error) || clock.monotonic() - since >= busyMs) throw storeError(error, path);
      await sleep(clock, 1 + random() * Math.min(50, 2 ** tries));
    }
  }
}

/**
 * A store over a connection whose schema is up to date.
 * @param how what the path named when it was opened, and how it is looked at where it may not be written
 */
export function sqliteStore(
  db: Connection,
  options: SqliteStoreOptions,
  how: { readonly opened: ReturnType<typeof fileAt>; readonly look?: Look | undefined } = {
    opened: fileAt(options.path),
  },
): Store {
  const { path, clock, log = silentLog, routesFile } = options;
  const shared = {
    clock,
    random: options.random ?? Math.random,
    busyMs: options.busyMs ?? 5_000,
    place: path,
    files: new StandingFiles(path, clock, how.opened),
    stillWhole: how.look?.stillWhole,
  };
  const reader = new Reader(db, shared);
  let routesFileStale = routesFile !== undefined;
  const saveRoutes = (): void => {
    if (routesFile === undefined || !routesFileStale) return;
    try {
      const routes = runProgram(db, listRoutes());
      if (!tellsRoutes(routesFile, routes)) writeRoutesFile(routesFile, { savedAt: clock.now(), routes });
      routesFileStale = false;
    } catch (error) {
      // The change itself is committed and doors hear of it from the owner; the file is tried again next time.
      log.error("routes file not written", { file: routesFile, message: asError(error).message });
    }
  };
  const bell = new WorkBell(
    clock,
    log,
    () => db.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0,
  );
  const writer = new GroupCommit(db, {
    ...shared,
    ring: (queues) => bell.ring(queues, false),
    committed(stored, routesChanged) {
      if (routesChanged) routesFileStale = true;
      saveRoutes();
      events.tell(stored);
    },
  });
  const sql = sqliteSql(reader, writer, clock);
  const events = new SqlEventLog(sql, sqliteDialect, log);
  saveRoutes(); // a crash may have come between a commit and its file
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closing ??= (async () => {
      await writer.close();
      reader.close();
      bell.close();
      events.close();
      db.close();
    })());
  return {
    description: `sqlite ${path}`,
    // A database in memory, or a temporary one without a name, has no second door.
    reach: path === ":memory:" || path === "" ? undefined : { kind: "sqlite", path },
    runs: sqlRuns(sql),
    routes: sqlRoutes(sql, () => shortId("", 16, options.randomBytes)),
    orders: sqliteOrders(sql, writer, bell, { now: () => clock.now(), path }),
    events,
    clock,
    async rebuild(options) {
      return { events: await writer.write((tx) => rebuildProjections(tx, clock.now(), options)) };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
