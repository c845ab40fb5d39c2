import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { systemClock } from "../../core/index.ts";
import { newOrder } from "../../testing/store-contract/tools.ts";
import { loadDriver, type PgClient, type PgDriver, type PgOptions } from "./driver.ts";
import { openPostgresStore } from "./open.ts";
import { refuseSharing } from "./pooler.ts";

let server: TestServer;
let sessions: TestClient[] = [];
beforeAll(async () => {
  server = await postgresServer();
  sessions = await Promise.all([1, 2, 3].map(() => connectClient(server.url())));
}, 120_000);
afterAll(async () => {
  await Promise.all(sessions.map((session) => session.end()));
  await server.stop();
});

/** Clients of a pooler over real sessions: the one that was given back last is given out first, or each in turn. */
function pooler(mode: "transaction" | "session", size: number, inTurn = false): () => PgClient {
  const idle = sessions.slice(0, size);
  const waiting: ((session: TestClient) => void)[] = [];
  const giveBack = (session: TestClient): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(session);
    else next(session);
  };
  return () => {
    let held: TestClient | undefined;
    let open = false;
    const query = async (text: string): Promise<unknown> => {
      held ??=
        (inTurn ? idle.shift() : idle.pop()) ??
        (await new Promise<TestClient>((resolve) => waiting.push(resolve)));
      const session = held;
      const answer: unknown = await session.query(text);
      open = text === "BEGIN" || (open && text !== "ROLLBACK");
      if (mode === "transaction" && !open) {
        held = undefined;
        giveBack(session);
      }
      return answer;
    };
    const destroy = (): void => {
      const session = held;
      held = undefined;
      if (session !== undefined) void session.query("ROLLBACK").then(() => giveBack(session));
    };
    return { processID: 1, connection: { stream: { destroy } }, query } as unknown as PgClient;
  };
}

let asked = 0;
// A name of its own each time, as a store has: the sessions keep the marks of before.
const ask = (open: () => PgClient): Promise<void> =>
  refuseSharing(open(), `mark ${++asked}`, () => Promise.resolve(open()), systemClock);

describe("a pooler", () => {
  test.each([
    [3, false],
    [1, false],
    [2, true],
    [3, true],
  ])("that shares %i connections between transactions is refused (in turn: %s)", async (size, inTurn) => {
    await expect(ask(pooler("transaction", size, inTurn))).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      remedy: expect.stringContaining("session mode"),
    });
  });

  test("in session mode is not", async () => {
    await expect(ask(pooler("session", 3))).resolves.toBeUndefined();
  });

  test("that is not there costs no second connection, and no question of its own", async () => {
    const { Client, Query } = await loadDriver();
    const asked: string[] = [];
    function told(options: PgOptions): PgClient {
      const client = new Client(options);
      const query = client.query.bind(client) as (...parts: readonly unknown[]) => never;
      const tell = (first: unknown, ...others: readonly unknown[]): never => {
        asked.push(options.application_name.replace(/^cutover \S+ /, ""));
        return query(first, ...others);
      };
      return Object.assign(client, { query: tell });
    }
    const driver = { Client: told, ...(Query === undefined ? {} : { Query }) } as unknown as PgDriver;
    const options = { url: server.url(), schema: "s", driver };
    await (await openPostgresStore(options)).close();
    asked.length = 0;
    await using store = await openPostgresStore(options);
    await store.orders.submit([newOrder("o")]);
    expect(asked).not.toContain("probe");
    // Settings; what the schema has and of which version; time and timeline; the transaction's beginning and end.
    expect(asked.filter((name) => name === "write")).toHaveLength(6);
  });
});
