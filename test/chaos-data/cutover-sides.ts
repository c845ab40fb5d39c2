import { DatabaseSync } from "node:sqlite";
import { hasCode } from "../../src/core/index.ts";
import {
  type CapturedStore,
  type DataMap,
  type DataStore,
  decodeRecord,
  encodeKey,
  encodeRecord,
  fileSwitch,
  movable,
  openFiles,
  openLevelDb,
  openLmdb,
  openSqlite,
  type SourceRow,
} from "../../src/data/index.ts";
import { isPostgres, openPostgresPair } from "./postgres-pair.ts";

/** Pairs of stores between which data crosses and comes back, and how an application writes to them. */
export const pairNames = [
  "leveldb-lmdb",
  // Both are read by a thread, on the way there and on the way back.
  "leveldb-leveldb",
  "lmdb-files",
  "sqlite-sqlite",
  "lmdb-sqlite",
  "postgres-postgres",
  "postgres-mapped",
] as const;
export type PairName = (typeof pairNames)[number];

/** A value of a key; null: the row is gone. */
export type Write = readonly [key: string, value: string | null];

/** What a process does one after the other: copies, crosses, comes back, crosses again. */
export const crossingStages = ["move", "over", "back", "again"] as const;
export type CrossingStage = (typeof crossingStages)[number];

/** What write `n` does stands among the rows with it, in one transaction: a killed writer knows where it was. */
export const writesOf = (n: number): readonly Write[] => [
  [`row${(n * 7919) % 60}`, n % 7 === 6 ? null : `${n} `.repeat(1 + (n % 20))],
  ["done", String(n + 1)],
];

export interface Pair extends AsyncDisposable {
  readonly old: DataStore;
  readonly new: DataStore;
  readonly map?: DataMap;
  readonly back?: {
    map: (row: SourceRow) => { collection: string; key: Uint8Array; value: Uint8Array };
  } & Pick<DataMap, "places">;
  /** What crosses, and where its images lie; absent: all, under the same names. */
  readonly collections?: readonly string[];
  readonly into?: readonly string[];
  /** All of it in one transaction, at the side in charge, however long that takes. A killed process loses nothing of it; the machine stays. */
  write(writes: readonly Write[]): Promise<void>;
  rows(side: "old" | "new"): Promise<Record<string, string>>;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const text = (of: Uint8Array): string => Buffer.from(of).toString();
const keyValue = { open: { leveldb: openLevelDb, lmdb: openLmdb, files: openFiles } };

interface Side {
  readonly store: DataStore;
  readonly rowOf: (row: {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
  }) => readonly [string, string];
  readonly collection: string;
  readonly captured?: CapturedStore;
  /** For a side that is written to by SQL. @throws when it is fenced */
  readonly sql?: (writes: readonly Write[]) => void;
  close(): Promise<void>;
}

async function openKeyValue(
  kind: "leveldb" | "lmdb" | "files",
  path: string,
  byThread: boolean,
): Promise<Side> {
  const store =
    kind === "leveldb" && byThread
      ? await openLevelDb(path, { create: true, threadFrom: { rows: 0, bytes: 0 } })
      : await keyValue.open[kind](path, { create: true });
  return {
    store,
    captured: store,
    collection: "",
    rowOf: ({ key, value }) => [text(key), text(value)],
    close: () => store[Symbol.asyncDispose](),
  };
}

async function openTable(path: string): Promise<Side> {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000");
  db.exec("CREATE TABLE IF NOT EXISTS t (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID");
  const store = await openSqlite(path);
  return {
    store,
    collection: "t",
    rowOf: ({ value }) => {
      const [key, kept] = decodeRecord(value);
      return [key as string, kept as string];
    },
    sql: (writes) => {
      db.exec("BEGIN IMMEDIATE");
      try {
        for (const [key, value] of writes)
          if (value === null) db.prepare("DELETE FROM t WHERE k = ?").run(key);
          else
            db.prepare("INSERT INTO t VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = excluded.v").run(
              key,
              value,
            );
        db.exec("COMMIT");
      } catch (error) {
        db.exec("ROLLBACK");
        throw error;
      }
    },
    close: async () => {
      db.close();
      await store[Symbol.asyncDispose]();
    },
  };
}

const tableKey = (key: Uint8Array): Uint8Array => encodeKey([text(key)]);
const toTable: DataMap = {
  map: ({ key, value }) => ({
    collection: "t",
    key: tableKey(key),
    value: encodeRecord([text(key), text(value)]),
  }),
  places: (_, key) => [{ collection: "t", key: tableKey(key) }],
};
const keyIn = (key: Uint8Array): Uint8Array => {
  // One text column: its bytes, then two zero bytes; keys here hold none.
  const whole = Buffer.from(key);
  return whole.subarray(1, whole.indexOf(0, 1));
};
const fromTable: Exclude<Pair["back"], undefined> = {
  map: ({ value }) => {
    const [key, kept] = decodeRecord(value);
    return { collection: "", key: bytes(key as string), value: bytes(kept as string) };
  },
  places: (_, key) => [{ collection: "", key: keyIn(key) }],
};

/** @param folder where a run keeps everything; for PostgreSQL a lane was prepared for it (`ChaosServer`) */
export async function openPair(name: PairName, folder: string): Promise<Pair> {
  if (isPostgres(name)) return await openPostgresPair(name, folder);
  const [from, to] = name.split("-") as [string, string];
  const open = (kind: string, side: string): Promise<Side> =>
    kind === "sqlite"
      ? openTable(`${folder}/${side}.db`)
      : openKeyValue(kind as "leveldb" | "lmdb" | "files", `${folder}/${side}`, name === "leveldb-leveldb");
  const old = await open(from, "old");
  const young = await open(to, "new");
  const sw = fileSwitch(`${folder}/switch`, { create: true });
  const handle =
    old.captured === undefined || young.captured === undefined
      ? undefined
      : await movable({
          old: old.captured,
          new: young.captured,
          switch: sw,
          longestPause: "60s",
        });
  const sides = { old, new: young };
  /** An application that follows the switch by itself. */
  const follow = async (writes: readonly Write[]): Promise<void> => {
    for (let waits = 0; ; waits++) {
      const { side, epoch } = await sw.read();
      const { captured, sql } = sides[side];
      try {
        if (sql !== undefined) return sql(writes);
        const changes = writes.map(([key, value]) => ({
          collection: "",
          key: bytes(key),
          value: value === null ? null : bytes(value),
        }));
        return await captured?.write(changes, { epoch });
      } catch (error) {
        const fenced = hasCode(error, "CUTOVER_DATA_FENCED") || /takes no writes|locked/.test(String(error));
        if (!fenced || waits > 20_000) throw error;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    }
  };
  return {
    old: old.store,
    new: young.store,
    ...(name === "lmdb-sqlite" ? { map: toTable, back: fromTable, collections: [""], into: ["t"] } : {}),
    write: (writes) =>
      handle === undefined
        ? follow(writes)
        : handle.batch(
            writes.map(([key, value]) =>
              value === null
                ? { type: "del", key: bytes(key) }
                : { type: "put", key: bytes(key), value: bytes(value) },
            ),
          ),
    rows: async (side) => {
      const { store, collection, rowOf } = sides[side];
      const found: Record<string, string> = {};
      for await (const batch of store.scan({ collection }))
        for (const row of batch) {
          const [key, value] = rowOf(row);
          found[key] = value;
        }
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      await handle?.[Symbol.asyncDispose]();
      await old.close();
      await young.close();
    },
  };
}
