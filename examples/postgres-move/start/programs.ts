import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError } from "cutover";
import { withPool } from "../service/pool.ts";
import {
  addressOf,
  type LoadRecord,
  places,
  readRecord,
  type ServersRecord,
  type ServiceRecord,
} from "../settings.ts";
import { end, runs, startDetached } from "./processes.ts";

const scripts = { servers: "servers/main.ts", service: "service/main.ts", load: "load/main.ts" } as const;
const startMs = 60_000;

/** Both servers are there; started where they are not. */
export async function keepServers(dir: string): Promise<ServersRecord> {
  const files = places(dir);
  const before = readRecord<ServersRecord>(files.servers);
  const pid =
    before !== undefined && runs(before.pid, scripts.servers)
      ? before.pid
      : startDetached(scripts.servers, dir, files.serversLog);
  for (const until = Date.now() + startMs; Date.now() < until; await wait(50)) {
    const record = readRecord<ServersRecord>(files.servers);
    if (record?.pid === pid && record.ready) return record;
    if (!runs(pid, scripts.servers)) break;
  }
  throw new CutoverError("CUTOVER_INTERNAL", {
    message: `expected two PostgreSQL servers to start, found otherwise; see ${files.serversLog}`,
  });
}

/** Service and load are there; started where they are not. */
export async function keepService(dir: string, options: { readonly load: boolean }): Promise<void> {
  const files = places(dir);
  const service = readRecord<ServiceRecord>(files.service);
  if (service === undefined || !runs(service.pid, scripts.service)) {
    const pid = startDetached(scripts.service, dir, files.serviceLog);
    for (const until = Date.now() + startMs; ; await wait(50)) {
      if (readRecord<ServiceRecord>(files.service)?.pid === pid) break;
      if (Date.now() < until && runs(pid, scripts.service)) continue;
      throw new CutoverError("CUTOVER_INTERNAL", {
        message: `expected the service to start, found otherwise; see ${files.serviceLog}`,
      });
    }
  }
  const load = readRecord<LoadRecord>(files.load);
  if (!options.load || (load !== undefined && runs(load.pid, scripts.load))) return;
  const pid = startDetached(scripts.load, dir, files.loadLog);
  for (const until = Date.now() + startMs; Date.now() < until; await wait(20))
    if (readRecord<LoadRecord>(files.load)?.pid === pid) return;
}

/** Starts again what was killed, until it is told to stop. Only one look goes on at a time. */
export function supervise(dir: string): { stop(): Promise<void> } {
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      await wait(300);
      if (stopped) return;
      try {
        await keepServers(dir);
        await keepService(dir, { load: true });
      } catch {
        // The next look tries again; the run itself says what it misses.
      }
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
    },
  };
}

export async function endLoad(dir: string): Promise<void> {
  await end(readRecord<LoadRecord>(places(dir).load)?.pid, scripts.load);
}

/** Ends everything that runs, servers last. Data stays for whoever goes on. */
export async function endAll(dir: string): Promise<void> {
  const files = places(dir);
  await endLoad(dir);
  await end(readRecord<ServiceRecord>(files.service)?.pid, scripts.service);
  await end(readRecord<ServersRecord>(files.servers)?.pid, scripts.servers);
}

/** Puts what an ended run left behind into `previous/`; what its servers held is removed. */
export async function freshFolders(dir: string, store: string): Promise<void> {
  await endAll(dir);
  const servers = readRecord<ServersRecord>(places(dir).servers);
  for (const place of [servers?.old, servers?.new])
    if (place !== undefined) rmSync(place.folder, { recursive: true, force: true, maxRetries: 10 });
  const previous = join(dirname(dir), "previous");
  rmSync(previous, { recursive: true, force: true });
  mkdirSync(previous, { recursive: true });
  if (existsSync(store) && !store.startsWith(`${dir}/`)) renameSync(store, join(previous, "cutover"));
  if (existsSync(dir)) renameSync(dir, join(previous, "work"));
  mkdirSync(places(dir).switch, { recursive: true });
  mkdirSync(store, { recursive: true });
}

/** The databases of both shops and, with the tables of the old one, a place for the proof of the backup. */
export async function makeShops(
  servers: ServersRecord,
  { orders, strange }: { readonly orders: number; readonly strange: boolean },
): Promise<void> {
  const sql = (name: string): string => readFileSync(join(import.meta.dirname, "../servers", name), "utf8");
  const make = [
    [servers.old, "shop", sql("old.sql")],
    [servers.old, "scratch", sql("old.sql")],
    [servers.new, "sales", sql("new.sql")],
  ] as const;
  for (const [place, database, tables] of make) {
    await withPool(addressOf(place, "postgres"), (pool) => pool.query(`CREATE DATABASE ${database}`));
    await withPool(addressOf(place, database), (pool) => pool.query(tables));
  }
  await withPool(addressOf(servers.old, "shop"), async (pool) => {
    await pool.query(sql("seed.sql").replaceAll("$1::int", String(orders)));
    if (strange) await pool.query("UPDATE shop.orders SET state = 'on hold' WHERE id = 1");
    await pool.query("ANALYZE");
  });
}
