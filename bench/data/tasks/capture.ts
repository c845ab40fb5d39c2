import { DatabaseSync } from "node:sqlite";
import type { CaptureWriter } from "../../../src/data/index.ts";
import {
  captureWriter,
  openLevelDb,
  openLmdb,
  openPostgresData,
  openSqlite,
} from "../../../src/data/index.ts";
import { openPlainLevel, openPlainLmdb } from "../drivers.ts";
import { timed } from "../meter.ts";
import { pgClient } from "../peers.ts";
import type { Done } from "../process.ts";
import { keyOf } from "../rows.ts";

/** `plain`: the driver alone. `idle`: through Cutover, nothing moves. `captured`: a slot is open, so changes are kept. */
interface Options {
  readonly to: string;
  readonly how: "plain" | "idle" | "captured";
  readonly writes: number;
}

/** Writes on their way at the same time, as a server has them; of PostgreSQL each on a connection of its own. */
const abreast = 20;
const value = Buffer.alloc(100, 0x61);

type Put = (key: Buffer) => Promise<unknown>;

async function writeAll(writes: number, put: Put): Promise<Done> {
  return timed(async () => {
    for (let at = 0; at < writes; at += abreast)
      await Promise.all(Array.from({ length: abreast }, (_, next) => put(keyOf(at + next))));
    return writes;
  });
}

const through =
  (writer: CaptureWriter): Put =>
  (key) =>
    writer.put(key, value);

export async function level({ to, how, writes }: Options): Promise<Done> {
  if (how === "plain") {
    await (await openLevelDb(to, { create: true }))[Symbol.asyncDispose]();
    const db = await openPlainLevel(to);
    const done = await writeAll(writes, (key) => db.put(key, value));
    await db.close();
    return done;
  }
  await using store = await openLevelDb(to, { create: true });
  if (how === "captured") await store.capture("bench");
  return await writeAll(writes, through(captureWriter(store)));
}

export async function lmdb({ to, how, writes }: Options): Promise<Done> {
  if (how === "plain") {
    const db = await openPlainLmdb(to);
    const done = await writeAll(writes, (key) => db.put(key, value));
    await db.close();
    return done;
  }
  await using store = await openLmdb(to, { create: true });
  if (how === "captured") await store.capture("bench");
  return await writeAll(writes, through(captureWriter(store)));
}

/** The application is the same each time: what is captured is captured by triggers in the file. */
export async function sqlite({ to, how, writes }: Options): Promise<Done> {
  const db = new DatabaseSync(to);
  db.exec(
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE items (k BLOB PRIMARY KEY, v BLOB)",
  );
  if (how !== "plain") {
    await using store = await openSqlite(to);
    if (how === "captured") await store.capture("bench");
  }
  const insert = db.prepare("INSERT INTO items VALUES (?, ?)");
  const done = await writeAll(writes, (key) => Promise.resolve(insert.run(key, value)));
  db.close();
  return done;
}

/** The same here: the log of the server is read, nothing is added to a write. */
export async function postgres({ to, how, writes }: Options): Promise<Done> {
  await using store = await openPostgresData(to);
  if (how === "captured") await store.capture("bench");
  const clients = await Promise.all(Array.from({ length: abreast }, () => pgClient(to)));
  let turn = 0;
  const done = await writeAll(writes, async (key) => {
    const client = clients[turn++ % abreast];
    await client?.query("INSERT INTO kept VALUES ($1, $2)", [key, value]);
  });
  for (const client of clients) await client.end();
  if (how === "captured") await store.release("bench");
  return done;
}
