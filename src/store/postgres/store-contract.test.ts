import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { type CallersTransaction, storeContract, type Tamper } from "../../testing/index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

const callersTransaction: CallersTransaction = async (store) => {
  const { reach } = store;
  const connection = await connectClient(reach?.kind === "postgres" ? reach.url : "");
  await connection.query("BEGIN");
  const end = async (how: string): Promise<void> => {
    await connection.query(how);
    await connection.end();
  };
  return { connection, commit: () => end("COMMIT"), rollback: () => end("ROLLBACK") };
};

const tamper: Tamper = async ({ reach }, sql) => {
  const schema = reach?.kind === "postgres" ? reach.schema : "";
  await server.query(`SET search_path = ${schema}; ALTER TABLE events DISABLE TRIGGER ALL; ${sql}`);
};

storeContract(
  "postgres",
  (clock) => openPostgresStore({ url: server.url(), schema: server.schema(), clock }),
  { describe, expect, test },
  { callersTransaction, tamper },
);
