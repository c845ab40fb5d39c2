import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { connectorContract, type ConnectorSubject } from "../../testing/index.ts";
import type { CapturedStore } from "../capture-store.ts";
import type { DataStore } from "../connector.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openLmdb } from "../connectors/lmdb.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { openSqlite, type SqliteStore } from "../connectors/sqlite.ts";
import { encodeKey } from "../key-codec.ts";
import { openDataStore } from "../open-data-store.ts";
import { decodeRecord, encodeRecord } from "../record-codec.ts";
import { serveData } from "./serve-data.ts";

const folders: string[] = [];
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), "cutover-door-"));
  folders.push(path);
  return path;
};
afterEach(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** Memory and SQLite answer in the same turn: who writes to them in a loop would let no socket be heard. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The store of an application as a migration sees it, and how both end. */
async function behindDoor<Store extends DataStore>(
  store: Store,
  dir: string,
): Promise<{ readonly store: DataStore; readonly end: () => Promise<void> }> {
  const door = await serveData({ app: store }, { socket: join(dir, "door.sock") });
  return {
    store: await openDataStore(`${door.address}#app`),
    end: async () => {
      await door[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** `open` opens the same data every time. */
async function keyValue(
  open: (dir: string) => Promise<CapturedStore>,
  dir = folder(),
): Promise<ConnectorSubject> {
  const application = await open(dir);
  const { store, end } = await behindDoor(application, dir);
  return {
    store,
    collection: "",
    write: async (changes, epoch) => {
      await turn();
      await application.write(changes, { epoch });
    },
    reopen: async () => {
      await end();
      return keyValue(open, dir);
    },
    close: end,
  };
}

async function table(dir = folder(), fresh = true): Promise<ConnectorSubject> {
  const path = join(dir, "app.db");
  const served: SqliteStore = await openSqlite(path, { create: true });
  const application = new DatabaseSync(path, { timeout: 5_000 });
  if (fresh) application.exec("CREATE TABLE t (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID");
  const { store, end } = await behindDoor(served, dir);
  const close = async (): Promise<void> => {
    await end();
    if (application.isOpen) application.close();
  };
  return {
    store,
    collection: "t",
    row: (key, value) => ({ key: encodeKey([key]), value: encodeRecord([key, value]) }),
    changesStandAlone: true,
    write: async (changes, epoch) => {
      await turn();
      await served.write(changes, { epoch });
    },
    begin: (changes) => {
      application.exec("BEGIN IMMEDIATE");
      for (const { value } of changes)
        if (value !== null)
          application
            .prepare("INSERT OR REPLACE INTO t VALUES (?, ?)")
            .run(...(decodeRecord(value) as Uint8Array[]));
      return Promise.resolve({
        commit: () => Promise.resolve(application.exec("COMMIT")),
        rollback: () => Promise.resolve(application.exec("ROLLBACK")),
      });
    },
    reopen: async () => {
      await close();
      return table(dir, false);
    },
    close,
  };
}

const tools = { describe, expect, test };
const levelDb = (dir: string): Promise<CapturedStore> => openLevelDb(join(dir, "db"), { create: true });
connectorContract("LevelDB behind a door", () => keyValue(levelDb), tools);
const lmdb = (dir: string): Promise<CapturedStore> => openLmdb(join(dir, "db"), { create: true });
connectorContract(
  "LMDB behind a door",
  async () => {
    const subject = await keyValue(lmdb);
    return { ...subject, longestKey: 1_978, noEmptyKey: "LMDB has no empty keys" };
  },
  tools,
);
connectorContract(
  "a memory store behind a door",
  async () => {
    const { reopen: _, ...subject } = await keyValue(() => Promise.resolve(openMemoryStore()));
    return subject;
  },
  tools,
);
connectorContract("SQLite behind a door", () => table(), tools);
