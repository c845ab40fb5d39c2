/**
 * The thread that watches over heartbeats; see `heartbeat.ts`. It imports next to nothing: it has to be small, and start
 * while the thread of the queue is blocked already.
 */
import { DatabaseSync } from "node:sqlite";
import { hrtime } from "node:process";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { sleep, systemClock, type Timer } from "../core/index.ts";
import type { HeartbeatOrder } from "./heartbeat-order.ts";

interface Renewing {
  /**
   * Renews what the worker holds, of orders that may still run `overdueMs` after the queue's thread fell silent. As with
   * every heartbeat, a lease that is over stays over: somebody may be about to take the order. False when some of them were
   * in the hands of others and were left as they are.
   */
  renew(overdueMs: number): Promise<boolean>;
  close(): Promise<void>;
}

const { reach, queue, worker, leaseMs, graceMs, shared } = workerData as HeartbeatOrder;
const memory = new BigInt64Array(shared);
const beatAt = 0;
const held = 1;
const renewedAt = 2;

let connection: Promise<Renewing> | undefined;
/** When the queue's own thread was found silent; undefined while it beats. */
let silentSince: number | undefined;
/** Up to when a renewal would come before the leases can have ended. */
let unbrokenUntil = 0;
let troubled = false;
let stopped = false;
let timer: Timer | undefined;

const monotonic = (): number => Number(hrtime.bigint() / 1_000_000n);
const read = (at: number): number => Number(Atomics.load(memory, at));

parentPort?.once("message", () => {
  stopped = true;
  timer?.cancel();
  void letGo().finally(() => parentPort?.close());
});
look();

/** A sixth of the lease apart: after half a lease without a heartbeat a third of it is left for the renewal. */
function look(): void {
  void watch().finally(() => {
    if (!stopped) timer = systemClock.after(leaseMs / 6, look);
  });
}

async function watch(): Promise<void> {
  const now = monotonic();
  const beat = read(beatAt);
  if (read(held) === 0 || now - beat < leaseMs / 2) {
    if (silentSince !== undefined) await letGo();
    silentSince = undefined;
    return;
  }
  if (silentSince === undefined) {
    silentSince = now;
    unbrokenUntil = beat + leaseMs;
  }
  if (now - read(renewedAt) < leaseMs / 3) return;
  try {
    connection ??= connect();
    const all = await (await connection).renew(now - silentSince);
    // After a gap somebody else may have taken an order: only a heartbeat of the queue can tell which are left. What was left
    // out is tried again with the next look; in the hands of a heartbeat that waits for its turn it may stay so.
    if (all && monotonic() < unbrokenUntil) {
      unbrokenUntil = now + leaseMs;
      Atomics.store(memory, renewedAt, BigInt(now));
    }
    tell(undefined);
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error));
    await letGo();
  }
}

function tell(trouble: string | undefined): void {
  if (trouble === undefined && !troubled) return;
  troubled = trouble !== undefined;
  parentPort?.postMessage({ trouble });
}

async function letGo(): Promise<void> {
  const old = connection;
  connection = undefined;
  try {
    await (await old)?.close();
  } catch {
    // It is not needed any more.
  }
}

function connect(): Promise<Renewing> {
  return reach.kind === "sqlite" ? Promise.resolve(sqlite(reach.path)) : postgres(reach.url, reach.schema);
}

function sqlite(path: string): Renewing {
  const file = pathToFileURL(path);
  file.searchParams.set("mode", "rw"); // One that is gone is not made anew: it would stand where the next is put.
  const db = new DatabaseSync(file, { timeout: 0 });
  // A renewal need not outlive the machine: nothing is synced. Commits of others that follow sync it with theirs.
  db.exec("PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0");
  const statement = db.prepare(
    `UPDATE orders SET lease_until = MAX(lease_until, ?1 + ?2) WHERE queue = ?3 AND worker = ?4
     AND state IN ('PREPARING', 'RUNNING') AND lease_until >= ?1 AND timeout_ms + ?5 > ?6`,
  );
  return {
    async renew(overdueMs) {
      for (const since = monotonic(); ;) {
        try {
          statement.run(systemClock.now(), leaseMs, queue, worker, graceMs, overdueMs);
          return true;
        } catch (error) {
          const busy = (error as { errcode?: number }).errcode === 5;
          if (!busy || stopped || monotonic() - since > leaseMs / 6) throw error;
          await sleep(systemClock, 1 + Math.random() * 10);
        }
      }
    },
    close: () => Promise.resolve(db.close()),
  };
}

/** What is used of a client of `pg`. */
interface PostgresClient {
  connect(): Promise<void>;
  query(query: {
    readonly text: string;
    readonly values: readonly unknown[];
  }): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
  on(event: "error", listener: (error: Error) => void): unknown;
  end(): Promise<void>;
}

async function postgres(url: string, schema: string): Promise<Renewing> {
  const limit = Math.max(1_000, Math.floor(leaseMs / 3));
  const name = "pg"; // The optional driver, typed by shape.
  const driver = (await import(name)) as {
    readonly default: { readonly Client: new (options: object) => PostgresClient };
  };
  const client = new driver.default.Client({
    connectionString: url,
    connectionTimeoutMillis: limit,
    query_timeout: limit,
    application_name: "cutover heartbeat",
  });
  // A connection that breaks while nothing is asked of it is found out by the next renewal.
  client.on("error", () => {});
  await client.connect();
  const orders = `"${schema.replaceAll('"', '""')}".orders`;
  // Rows that a commit holds are left out: waiting for them with others locked could end in a deadlock.
  const now = "FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
  const due = `${orders} WHERE queue = $1 AND worker = $2 AND state IN ('PREPARING', 'RUNNING')
      AND lease_until >= ${now} AND timeout_ms + $3::bigint > $4::bigint`;
  const text = `WITH mine AS (SELECT id FROM ${due} FOR UPDATE SKIP LOCKED), renewed AS (
      UPDATE ${orders} AS o SET lease_until = GREATEST(o.lease_until, ${now} + $5::bigint)
      FROM mine WHERE o.id = mine.id RETURNING o.id
    )
    SELECT EXISTS (SELECT FROM ${due} AND id NOT IN (SELECT id FROM renewed)) AS missed`;
  return {
    async renew(overdueMs) {
      const values = [queue, worker, graceMs, Math.ceil(overdueMs), leaseMs];
      const { rows } = await client.query({ text, values });
      return rows[0]?.["missed"] === false;
    },
    close: () => client.end(),
  };
}
