import { afterAll, beforeAll, expect, test } from "vitest";
import { runPage } from "./page.ts";
import { postgresServer, type TestServer } from "./postgres/server.ts";

const servers: TestServer[] = [];
beforeAll(async () => {
  for (let i = 0; i < 2; i++) servers.push(await postgresServer({ wal_level: "logical" }));
}, 120_000);
afterAll(async () => {
  for (const server of servers) await server.stop();
});

test("every command and every file of the page on moving PostgreSQL works, in the order of the page", async () => {
  const [OLD, NEW] = await Promise.all(servers.map((server) => server.database()));
  expect(
    runPage("docs/data-postgres.md", { packages: ["pg"], env: { OLD: OLD ?? "", NEW: NEW ?? "" } }),
  ).toBe(3);
}, 120_000);
