import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TestClient, connectClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { CutoverError } from "../../../core/index.ts";
import { connectorContract, type ConnectorSubject } from "../../../testing/index.ts";
import type { Change } from "../../connector.ts";
import { decodeKey, encodeKey } from "../../key-codec.ts";
import { decodeRecord, encodeRecord } from "../../record-codec.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "50", max_wal_senders: "20" });
});
afterAll(() => server.stop());

/** Writes as an application does, with its epoch as a setting of its transaction. */
async function write(client: TestClient, changes: readonly Change[], epoch: number): Promise<void> {
  await client.query(`SET LOCAL cutover.epoch = '${epoch}'`);
  for (const { key, value } of changes) {
    if (value === null) await client.query("DELETE FROM app.t WHERE k = $1", [decodeKey(key)[0]]);
    else
      await client.query(
        "INSERT INTO app.t VALUES ($1, $2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
        decodeRecord(value),
      );
  }
}

const told = (error: unknown): Error =>
  (error as { code?: string }).code === "CUF01"
    ? new CutoverError("CUTOVER_DATA_FENCED", { message: (error as Error).message })
    : (error as Error);

async function subject(url: string, client: TestClient): Promise<ConnectorSubject<PostgresStore>> {
  const store = await openPostgresData(url);
  const clients: TestClient[] = [];
  return {
    store,
    collection: "app.t",
    row: (key, value) => ({ key: encodeKey([key]), value: encodeRecord([key, value]) }),
    write: async (changes, epoch) => {
      const own = clients.pop() ?? (await connectClient(url));
      try {
        await own.query("BEGIN");
        await write(own, changes, epoch);
        await own.query("COMMIT");
      } catch (error) {
        await own.query("ROLLBACK");
        throw told(error);
      } finally {
        clients.push(own);
      }
    },
    begin: async (changes, epoch) => {
      const own = await connectClient(url);
      await own.query("BEGIN");
      await write(own, changes, epoch);
      const end = async (how: string): Promise<void> => {
        await own.query(how);
        await own.end();
      };
      return { commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
    },
    reopen: () => subject(url, client),
    close: async () => {
      for (const own of clients) await own.end();
      await client.query(
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active`,
      );
      await client.end();
    },
  };
}

connectorContract(
  "PostgreSQL",
  async () => {
    const url = await server.database();
    const client = await connectClient(url);
    await client.query("CREATE SCHEMA app; CREATE TABLE app.t (k bytea PRIMARY KEY, v bytea NOT NULL)");
    return subject(url, client);
  },
  { describe, expect, test },
);
