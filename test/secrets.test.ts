import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { Log } from "../src/core/index.ts";
import { openQueue } from "../src/queue/index.ts";
import { openPostgresStore, openStore } from "../src/store/index.ts";
import { Project } from "./e2e/command-line.ts";
import { postgresServer, type TestServer } from "./postgres/server.ts";

const secret = "hunter-s3cret";
let server: TestServer;
let closedPort: number;
beforeAll(async () => {
  server = await postgresServer();
  await server.query(`CREATE ROLE ann LOGIN SUPERUSER PASSWORD '${secret}'`);
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  closedPort = (probe.address() as AddressInfo).port;
  await new Promise((resolve) => probe.close(resolve));
});
afterAll(() => server.stop());

const good = (): string => `postgres://ann:${secret}@127.0.0.1:${server.port}/postgres`;

/** Everything that can be wrong with an address, each with the password in it. */
const wrong: readonly (readonly [string, () => string])[] = [
  ["a port where nobody listens", () => good().replace(`:${server.port}/`, `:${closedPort}/`)],
  ["a host that is not there", () => good().replace("127.0.0.1", "nowhere.invalid")],
  ["a wrong password", () => good().replace(secret, `not-${secret}`)],
  ["an unknown user", () => good().replace("ann", "ben")],
  ["an unknown database", () => good().replace(/postgres$/, "nowhere")],
  ["an unknown parameter", () => `${good()}?shema=jobs`],
  ["a parameter that would undo what the store needs", () => `${good()}?application_name=mine`],
  ["a certificate that is not there", () => `${good()}?sslrootcert=/nowhere/at/all`],
  ["a way of encryption that is none", () => `${good()}?sslnegotiation=none`],
  ["a schema name that is none", () => `${good()}?schema=Big`],
  ["a port that is no number", () => `postgres://ann:${secret}@127.0.0.1:port/postgres`],
  ["a port that is too large", () => `postgres://ann:${secret}@127.0.0.1:99999/postgres`],
  ["no host", () => `postgres://ann:${secret}@/postgres`],
  ["a password with a slash", () => `postgres://ann:12/${secret}@127.0.0.1:${server.port}/postgres`],
  ["a password with a question mark", () => `postgres://ann:12?${secret}@127.0.0.1:${server.port}/postgres`],
  ["a password with a hash", () => `postgres://ann:12#${secret}@127.0.0.1:${server.port}/postgres`],
  ["a password with a bare %", () => `postgres://ann:%zz${secret}@127.0.0.1:${server.port}/postgres`],
  [
    "a password in a parameter, and a wrong user",
    () => good().replace(/ann:[^@]*@/, "ben@") + `?password=${secret}`,
  ],
  ["another kind of database", () => `mysql://ann:${secret}@127.0.0.1/db`],
  ["a scheme that is misspelt", () => `pg://${secret}:${secret}@h/db`],
  ["no scheme", () => `${secret}:${secret}@127.0.0.1/db`],
  ["no slashes", () => `postgres:${secret}@127.0.0.1/db`],
];

/** A log that remembers all that was told. */
function memory(): { readonly log: Log; readonly told: unknown[] } {
  const told: unknown[] = [];
  const tell = (...what: unknown[]): void => void told.push(what);
  return { log: { debug: tell, info: tell, warn: tell, error: tell }, told };
}

/** All that can be seen of a value by printing it, deeply. */
const seen = (value: unknown): string => inspect(value, { depth: 20, maxStringLength: null }) + asJson(value);

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "";
  }
}

async function failureOf(work: Promise<AsyncDisposable>): Promise<Error & { code?: string }> {
  try {
    await (await work)[Symbol.asyncDispose]();
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a refusal, found none");
}

describe("the password of an address is never told", () => {
  test.each(wrong)("by a library that fails: %s", async (_, address) => {
    const { log, told } = memory();
    const failures = [
      await failureOf(openStore(address(), { log })),
      await failureOf(openQueue(address(), { log })),
      await failureOf(openPostgresStore({ url: address(), log })),
    ];
    for (const error of failures) {
      expect(error.code).toMatch(/^CUTOVER_(STORE_UNAVAILABLE|QUEUE_INVALID)$/);
      expect(seen(error) + String(error.stack)).not.toContain(secret);
    }
    expect(seen(told)).not.toContain(secret);
  });

  test.each([
    null,
    undefined,
    7,
    { url: `postgres://ann:${secret}@h/db` },
    [`postgres://ann:${secret}@h/db`],
  ])("by a queue that is handed something else: %#", async (where) => {
    const error = await failureOf(openQueue(where as unknown as string));
    expect(error).toMatchObject({ code: "CUTOVER_QUEUE_INVALID", place: "where" });
    expect(seen(error)).not.toContain(secret);
  });

  test("by a store, a queue, its health, figures and log, whether the server answers or not", async () => {
    const { log, told } = memory();
    const other = await postgresServer();
    onTestFinished(() => other.stop());
    await other.query(`CREATE ROLE ann LOGIN SUPERUSER PASSWORD '${secret}'`);
    const url = `postgres://ann:${secret}@127.0.0.1:${other.port}/postgres`;
    const store = await openPostgresStore({ url, log, retryMs: 50 });
    const queue = await openQueue({ store }, { log, lease: "5s" });
    queue.work("job", () => "done");
    const { id } = await queue.submit("job");
    await queue.waitFor(id, { timeout: "20s" });
    const shown: unknown[] = [store, queue, store.description, await queue.health(), await queue.metrics()];
    await other.halt("immediate");
    const failures = [queue.submit("job"), queue.health(), store.events.read({ limit: 1 })];
    shown.push(await Promise.allSettled(failures));
    await other.start();
    shown.push(await queue.stop().catch((error: unknown) => error));
    await store.close();
    for (const value of [...shown, told]) expect(seen(value)).not.toContain(secret);
  });

  test("by the command line", async () => {
    using project = new Project();
    project.write(
      "worker.ts",
      'import { defineWorker } from "cutover/queue"; export default defineWorker({ kinds: { job: () => 1 } });',
    );
    for (const [what, address] of wrong) {
      const url = address();
      const env = { CUTOVER_STORE: url };
      const ended = [
        await project.run("queue", "stats", "--store", url),
        await project.start(["worker", "worker.ts", "--until-empty", "--json"], { env }).ended,
      ];
      for (const { code, stdout, stderr } of ended) {
        expect([what, code === 0]).toEqual([what, false]);
        expect(`${what}: ${stdout}${stderr}`).not.toContain(secret);
      }
    }
  }, 120_000);
});
