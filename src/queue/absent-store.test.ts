import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { settle } from "../../test/queue/manual-queue.ts";
import { postgresServer, type TestServer } from "../../test/postgres/server.ts";
import { hasCode } from "../core/index.ts";
import { ManualClock } from "../testing/manual-clock.ts";
import { openQueue, type Queue, type QueueOptions } from "./index.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer();
}, 120_000);
afterAll(() => server.stop());

/** Lets time pass, in small steps, until the work is done. */
async function passing<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.finally(() => (isOver = true));
  over.catch(() => {});
  for (; !isOver; await pause(1)) await clock.advance(20);
  return over;
}

async function open(options: QueueOptions): Promise<{ readonly queue: Queue; readonly clock: ManualClock }> {
  const clock = new ManualClock();
  const schema = server.schema();
  const queue = await openQueue(server.url(), { clock, schema, stagger: 0, poll: "1h", ...options });
  onTestFinished(() => passing(clock, queue.stop()));
  return { queue, clock };
}

/** Stops the server as it stands: it keeps its connections, takes new ones, and answers none. */
async function hang(): Promise<() => Promise<void>> {
  const backends = await server.query(
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'cutover %'",
  );
  const all = [server.pid, ...backends.map(({ pid }) => Number(pid))];
  for (const pid of all) process.kill(pid, "SIGSTOP");
  let stopped = true;
  const goOn = (): void => {
    if (stopped) for (const pid of all) process.kill(pid, "SIGCONT");
    stopped = false;
  };
  onTestFinished(goOn);
  return () => Promise.resolve(goOn());
}

async function halt(): Promise<() => Promise<void>> {
  await server.halt("immediate");
  return () => server.start();
}

describe.each([
  ["hangs", hang],
  ["is away", halt],
])("a server that %s", (_, absent) => {
  test("is waited for by calls no longer than callTimeout, and what they asked for is stored once", async () => {
    const { queue, clock } = await open({ callTimeout: "500ms" });
    await queue.submit("k", null, { id: "first" });
    const goOn = await absent();
    const submit = expect(queue.submit("k", null, { id: "second" })).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /may be stored or not$/,
    });
    const get = expect(queue.get("first")).rejects.toMatchObject({
      code: "CUTOVER_STORE_UNAVAILABLE",
      message: /within 500 ms, the queue's callTimeout, found none$/,
    });
    await settle();
    await clock.advance(500);
    await Promise.all([submit, get]);
    await goOn();
    expect(
      await passing(
        clock,
        again(() => queue.submit("k", null, { id: "second" })),
      ),
    ).toMatchObject({
      id: "second",
    });
    expect(
      await passing(
        clock,
        again(() => queue.counts()),
      ),
    ).toMatchObject({ PENDING: 2 });
    const told = await passing(
      clock,
      again(() => queue.history("second")),
    );
    expect(told.map(({ event }) => event)).toEqual(["submitted"]);
  }, 60_000);

  test("is left at once by a call whose signal aborts", async () => {
    const { queue, clock } = await open({});
    const goOn = await absent();
    const controller = new AbortController();
    const { signal } = controller;
    const refused = [
      queue.submit("k", null, { id: "o", signal }),
      queue.submitAll([{ kind: "k", id: "p" }], { signal }),
      queue.counts({ signal }),
    ].map((call) => expect(call).rejects.toThrow("the client has gone"));
    await settle();
    controller.abort(new Error("the client has gone"));
    await Promise.all(refused);
    await goOn();
    expect(await passing(clock, queue.submit("k", null, { id: "o" }))).toMatchObject({ id: "o" });
  }, 60_000);

  test("costs no work that has ended meanwhile: what the queue itself asks for has no callTimeout", async () => {
    const { queue, clock } = await open({ callTimeout: "100ms", lease: "1h" });
    const done = Promise.withResolvers<string>();
    const started = Promise.withResolvers<void>();
    queue.work("k", () => {
      started.resolve();
      return done.promise;
    });
    const { id } = await queue.submit("k");
    await started.promise;
    const goOn = await absent();
    done.resolve("done");
    await settle();
    await clock.advance(1_000);
    await goOn();
    expect(await passing(clock, queue.waitFor(id))).toMatchObject({
      state: "COMPLETED",
      attempt: 1,
      result: "done",
    });
  }, 60_000);
});

/** Time passes faster here than a server answers. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!hasCode(error, "CUTOVER_STORE_UNAVAILABLE")) throw error;
      await settle();
    }
  }
}
