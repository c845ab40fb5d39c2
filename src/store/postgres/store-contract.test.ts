import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { storeContract } from "../../testing/index.ts";
import { openPostgresStore } from "./open.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
});
afterAll(() => server.stop());

storeContract(
  "postgres",
  (clock) => openPostgresStore({ url: server.url(), schema: server.schema(), clock }),
  { describe, expect, test },
);
