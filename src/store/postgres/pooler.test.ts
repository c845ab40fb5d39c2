import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { systemClock } from "../../core/index.ts";
import type { PgClient } from "./driver.ts";
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

  test("that is not there costs no second connection", async () => {
    const direct = await connectClient(server.url());
    try {
      const none = (): Promise<never> => Promise.reject(new Error("not to be opened"));
      await expect(
        refuseSharing(direct as unknown as PgClient, "mark", none, systemClock),
      ).resolves.toBeUndefined();
    } finally {
      await direct.end();
    }
  });
});
