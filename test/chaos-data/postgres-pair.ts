import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import {
  decodeRecord,
  encodeRecord,
  fileSwitch,
  followSwitch,
  openPostgresData,
  type PostgresPool,
  type PostgresPoolClient,
  postgresSides,
  type SourceRow,
} from "../../src/data/index.ts";
import { connectClient } from "../postgres/client.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import type { Pair } from "./cutover-sides.ts";

/** With the same table on both sides, or with another one on the new side. */
const postgresPairs = ["postgres-postgres", "postgres-mapped"] as const;
export type PostgresPairName = (typeof postgresPairs)[number];
export const isPostgres = (name: string): name is PostgresPairName =>
  postgresPairs.some((known) => known === name);

/** Sessions of the application go by this name. */
const writerName = "chaos writer";
/** Where a run finds its databases. */
const record = (folder: string): string => `${folder}/postgres.json`;
type Addresses = Readonly<Record<"old" | "new", string>>;

interface Table {
  readonly collection: string;
  readonly sql: string;
  readonly put: string;
  readonly remove: string;
  /** Which column holds the value. */
  readonly value: number;
}
const plain: Table = {
  collection: "app.t",
  sql: `CREATE SCHEMA app; CREATE TABLE app.t (k text COLLATE "C" PRIMARY KEY, v text NOT NULL)`,
  put: "INSERT INTO app.t VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
  remove: "DELETE FROM app.t WHERE k = $1",
  value: 1,
};
const mapped: Table = {
  collection: "sales.entries",
  sql: `CREATE SCHEMA sales; CREATE TABLE sales.entries (name text COLLATE "C" PRIMARY KEY, letters int NOT NULL CHECK (letters = length(said)), said text NOT NULL)`,
  put: "INSERT INTO sales.entries VALUES ($1, length($2), $2) ON CONFLICT (name) DO UPDATE SET letters = excluded.letters, said = excluded.said",
  remove: "DELETE FROM sales.entries WHERE name = $1",
  value: 2,
};
const newTable = { "postgres-postgres": plain, "postgres-mapped": mapped } as const;

/** Two databases of a server, in which runs take turns. */
export interface PostgresLane {
  /** Leaves nothing of the run before, and makes the tables of this one. */
  prepare(name: PostgresPairName, folder: string): Promise<void>;
}

/** A server for many runs. */
export class ChaosServer implements AsyncDisposable {
  readonly #server: TestServer;

  private constructor(server: TestServer) {
    this.#server = server;
  }

  static async start(): Promise<ChaosServer> {
    const many = { wal_level: "logical", max_replication_slots: "100", max_wal_senders: "100" };
    return new ChaosServer(await postgresServer(many));
  }

  async lane(): Promise<PostgresLane> {
    const at: Addresses = { old: await this.#server.database(), new: await this.#server.database() };
    return {
      prepare: async (name, folder) => {
        await clear(at.old, plain.sql);
        await clear(at.new, newTable[name].sql);
        writeFileSync(record(folder), JSON.stringify(at));
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop();
  }
}

async function clear(url: string, tables: string): Promise<void> {
  const client = await connectClient(url);
  try {
    const here = "datname = current_database() AND pid <> pg_backend_pid()";
    await client.query(`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE ${here}`);
    await client.query(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
    );
    const { rows } = await client.query("SELECT pubname FROM pg_publication");
    for (const { pubname } of rows) await client.query(`DROP PUBLICATION ${String(pubname)}`);
    await client.query(
      `SET client_min_messages = warning; DROP SCHEMA IF EXISTS app, sales, cutover_data CASCADE; ${tables}`,
    );
  } finally {
    await client.end();
  }
}

/** A server may still carry out what a killed application asked for last. */
async function writersHaveGone(url: string): Promise<void> {
  const client = await connectClient(url);
  try {
    for (let tries = 0; ; tries++) {
      const { rows } = await client.query(
        `SELECT pid FROM pg_stat_activity WHERE application_name = '${writerName}' AND datname = current_database()`,
      );
      if (rows.length === 0) return;
      if (tries === 2_000) throw new Error("the sessions of a killed application did not end within 20 s");
      await pause(10);
    }
  } finally {
    await client.end();
  }
}

interface Client extends PostgresPoolClient {
  query(text: string, values?: readonly unknown[]): Promise<unknown>;
}
type Pool = PostgresPool<Client> & {
  end(): Promise<void>;
  on(event: "error", listener: () => void): unknown;
};

async function openPool(connectionString: string): Promise<Pool> {
  // @ts-expect-error: the package has no declarations
  const { default: pg } = (await import("pg")) as {
    default: { Pool: new (settings: Readonly<Record<string, unknown>>) => Pool };
  };
  const pool = new pg.Pool({ connectionString, max: 2, application_name: writerName });
  pool.on("error", () => {});
  return pool;
}

export async function openPostgresPair(name: PostgresPairName, folder: string): Promise<Pair> {
  const at = JSON.parse(readFileSync(record(folder), "utf8")) as Addresses;
  const tables = { old: plain, new: newTable[name] };
  for (const url of [at.old, at.new]) await writersHaveGone(url);
  const [old, young] = [await openPostgresData(at.old), await openPostgresData(at.new)];
  const pools = { old: await openPool(at.old), new: await openPool(at.new) };
  const sw = fileSwitch(`${folder}/switch`, { create: true });
  const follower = await followSwitch(sw, { longestPause: "60s" });
  const application = postgresSides({ follower, ...pools });
  const stores = { old, new: young };
  return {
    old,
    new: young,
    ...(name === "postgres-mapped" ? { ...across, collections: ["app.t"], into: ["sales.entries"] } : {}),
    write: (writes) =>
      application.transaction(async (client, { side }) => {
        const { put, remove } = tables[side];
        for (const [key, value] of writes)
          await (value === null ? client.query(remove, [key]) : client.query(put, [key, value]));
      }),
    rows: async (side) => {
      const { collection, value: place } = tables[side];
      const found: Record<string, string> = {};
      for await (const batch of stores[side].scan({ collection }))
        for (const { value } of batch) {
          const columns = decodeRecord(value);
          found[columns[0] as string] = columns[place] as string;
        }
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      await follower[Symbol.asyncDispose]();
      for (const pool of [pools.old, pools.new]) await pool.end();
      for (const store of [old, young]) await store[Symbol.asyncDispose]();
    },
  };
}

/** Keys stay; the new table counts the letters. */
const across: Pick<Pair, "map" | "back"> = {
  map: {
    map: ({ value }) => {
      const [key = null, text = null] = decodeRecord(value);
      const letters = BigInt((text as string).length);
      return { collection: "sales.entries", value: encodeRecord([key, letters, text]) };
    },
    places: (_, key) => [{ collection: "sales.entries", key }],
  },
  back: {
    map: ({ key, value }: SourceRow) => {
      const [name = null, , text = null] = decodeRecord(value);
      return { collection: "app.t", key, value: encodeRecord([name, text]) };
    },
    places: (_, key) => [{ collection: "app.t", key }],
  },
};
