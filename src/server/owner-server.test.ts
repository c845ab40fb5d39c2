import { existsSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../core/index.ts";
import { openSqliteStore, type RunEvent, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/index.ts";
import { type CarriedRun, createOwnerServer, type OwnerServer, socketPath } from "./index.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Owner {
  readonly server: OwnerServer;
  readonly store: Store;
  readonly dir: string;
  readonly asked: string[];
}

async function owner(clock = systemClock): Promise<Owner> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-server-"));
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }));
  const store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
  cleanups.push(() => store.close());
  const asked: string[] = [];
  const run: CarriedRun = {
    live: () => ({ progress: {}, verdicts: [], throttledBy: null, waitsFor: "" }),
    onChange: () => () => {},
    pause: async (by, reason) => void asked.push(`pause ${by} ${reason}`),
    continue: async (by, reason) => void asked.push(`continue ${by} ${reason}`),
    approve: async (phase, by, reason, evidence) =>
      void asked.push(`approve ${phase} ${by} ${reason} ${evidence}`),
    rollback: async (by, reason) => void asked.push(`rollback ${by} ${reason}`),
    settle: async (step, outcome, by) => void asked.push(`settle ${step} ${outcome} ${by}`),
    trigger: async (name, by, reason) => void asked.push(`trigger ${name} ${by} ${reason}`),
    lift: async (name, by, reason) => void asked.push(`lift ${name} ${by} ${reason}`),
  };
  const server = await createOwnerServer({
    store,
    dir,
    clock,
    log: silentLog,
    pid: 42,
    version: "1.2.3",
    run: (id) => (id === "r1" ? run : undefined),
  });
  cleanups.push(() => server.close());
  return { server, store, dir, asked };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

function open(socketPath: string, method: string, path: string, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, agent: false }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function ask({ server }: Owner, method: string, path: string, body?: unknown): Promise<Answer> {
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  const response = await open(server.socket, method, path, text);
  let received = "";
  for await (const chunk of response) received += String(chunk);
  return { status: response.statusCode ?? 0, body: JSON.parse(received) };
}

const codeOf = ({ body }: Answer): string => (body as { error: { code: string } }).error.code;

const graph = { phases: [{ name: "move", approval: { by: 1 }, steps: [] }] };
const created: RunEvent = {
  type: "run.created",
  data: { migration: "queue", hash: "a".repeat(64), source: "crossing.ts", by: "ann", graph },
};

const counts = { calls: 1, errors: 0, latency: [[3, 1]] };
const interval = {
  id: "i1",
  route: "queue.submit",
  door: "d1",
  epoch: 1,
  stage: "live",
  share: 10,
  from: Date.now() - 1_000,
  to: Date.now(),
  old: counts,
  new: counts,
  shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
  compared: 1,
  mismatches: 0,
  failedOver: 0,
  operations: { __proto__x: 1 },
};
const declaration = { route: "queue.submit", door: "d1", operations: [], stages: ["off", "live", "shadow"] };

/** NDJSON lines of a stream, one at a time. */
async function* lines(
  response: IncomingMessage,
): AsyncGenerator<{ type: string; [member: string]: unknown }> {
  let rest = "";
  for await (const chunk of response) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield JSON.parse(part) as { type: string };
  }
}

describe("the owner's socket", () => {
  test("can be opened by this user only, and goes away with the server", async () => {
    const it = await owner();
    expect(statSync(it.server.socket).mode & 0o777).toBe(0o600);
    await it.server.close();
    await it.server.close();
    expect(existsSync(it.server.socket)).toBe(false);
  });

  test("lies in the temp folder when the store's path is too long for a socket", () => {
    const deep = `/${"x".repeat(120)}`;
    expect(socketPath(deep)).toMatch(/cutover-[0-9a-f]{24}\.sock$/);
    expect(Buffer.byteLength(socketPath(deep))).toBeLessThanOrEqual(100);
    expect(socketPath("/short")).toBe("/short/owner.sock");
  });

  test("a socket file left by a killed owner is replaced", async () => {
    const it = await owner();
    const { server, store, dir } = it;
    // Closing the process without cleaning up leaves the file; a second server over it must start.
    const second = await createOwnerServer({
      store,
      dir,
      clock: systemClock,
      log: silentLog,
      pid: 43,
      version: "1.2.3",
      run: () => undefined,
    });
    cleanups.push(() => second.close());
    expect((await ask({ ...it, server: second }, "GET", "/v1/health")).body).toMatchObject({ pid: 43 });
    expect(server.socket).toBe(second.socket);
  });
});

describe("what an application's door sends", () => {
  test("a declaration is kept while its door lives and forgotten when it falls silent", async () => {
    const clock = new ManualClock();
    const it = await owner(clock);
    expect((await ask(it, "POST", "/v1/doors", { declarations: [declaration] })).body).toEqual({
      declared: 1,
    });
    expect(it.server.doors.declarations("queue.submit")).toEqual([declaration]);
    await clock.advance(9_000);
    await ask(it, "POST", "/v1/intervals", { intervals: [interval] });
    await clock.advance(9_000);
    expect(it.server.doors.declarations()).toHaveLength(1);
    await clock.advance(2_000);
    expect(it.server.doors.declarations()).toEqual([]);
  });

  test("intervals are stored once, however often they are delivered", async () => {
    const it = await owner();
    expect((await ask(it, "POST", "/v1/intervals", { intervals: [interval] })).body).toEqual({ stored: 1 });
    expect((await ask(it, "POST", "/v1/intervals", { intervals: [interval] })).body).toEqual({ stored: 0 });
    expect(await it.store.routes.intervals({ since: 0 })).toEqual([interval]);
  });

  test.each([
    ["a share over 100", { ...interval, share: 101 }, "intervals[0].share"],
    ["counts that are no whole numbers", { ...interval, compared: 1.5 }, "intervals[0].compared"],
    ["more errors than calls", { ...interval, old: { ...counts, errors: 2 } }, "intervals[0].old.errors"],
    ["an end before its start", { ...interval, to: 1 }, "intervals[0].to"],
    ["an unknown stage", { ...interval, stage: "on" }, "intervals[0].stage"],
    [
      "a bucket that does not exist",
      { ...interval, new: { ...counts, latency: [[220, 1]] } },
      "intervals[0].new.latency[0][0]",
    ],
    ["a member nobody knows", { ...interval, shares: 1 }, "intervals[0].shares"],
    ["a missing member", { ...interval, route: undefined }, "intervals[0].route"],
  ])("%s is refused with its place, and nothing is stored", async (_what, bad, place) => {
    const it = await owner();
    const answer = await ask(it, "POST", "/v1/intervals", { intervals: [interval, bad].slice(1) });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ error: { code: "CUTOVER_REQUEST_INVALID", place } });
    expect(await it.store.routes.intervals({ since: 0 })).toEqual([]);
  });

  test("a body that is no JSON, or too large, or for a call that does not exist, is refused by code", async () => {
    const it = await owner();
    const broken = await ask(it, "POST", "/v1/doors", "{");
    expect([broken.status, codeOf(broken)]).toEqual([400, "CUTOVER_REQUEST_INVALID"]);
    const large = await ask(it, "POST", "/v1/intervals", `"${"x".repeat(5 * 1024 * 1024)}"`);
    expect([large.status, codeOf(large)]).toEqual([413, "CUTOVER_REQUEST_TOO_LARGE"]);
    const unknown = await ask(it, "DELETE", "/v1/runs/r1");
    expect([unknown.status, codeOf(unknown)]).toEqual([404, "CUTOVER_REQUEST_UNKNOWN"]);
    const path = await ask(it, "GET", "/v1/runs/%E0%A4%A");
    expect([path.status, codeOf(path)]).toEqual([400, "CUTOVER_REQUEST_INVALID"]);
  });
});

describe("the stream of routes", () => {
  test("begins with every route and tells each change within 200 ms", async () => {
    const it = await owner();
    const { store } = it;
    const first = await store.routes.set({ route: "a", epoch: 0, stage: "shadow", share: 0, by: "t" });
    const response = await open(it.server.socket, "GET", "/v1/routes/stream?door=d1");
    const stream = lines(response);
    expect((await stream.next()).value).toEqual({ type: "routes", routes: [first] });
    const times: number[] = [];
    for (let epoch = 1; epoch <= 5; epoch++) {
      const before = performance.now();
      const changed = await store.routes.set({
        route: "a",
        epoch,
        stage: "live",
        share: 10 * epoch,
        by: "t",
      });
      expect((await stream.next()).value).toEqual({ type: "route", state: changed });
      times.push(performance.now() - before);
    }
    // The middle one: a busy machine may hold up one or two.
    expect(times.toSorted((a, b) => a - b)[2]).toBeLessThan(200);
    response.destroy();
  });

  test("says every two seconds that it lives, and ends when the server closes", async () => {
    const clock = new ManualClock();
    const it = await owner(clock);
    const stream = lines(await open(it.server.socket, "GET", "/v1/routes/stream?door=d1"));
    expect((await stream.next()).value?.type).toBe("routes");
    await clock.advance(2_000);
    expect((await stream.next()).value).toEqual({ type: "alive" });
    const closed = it.server.close();
    expect((await stream.next()).done).toBe(true);
    await closed;
  });

  test("a reader that takes nothing costs no memory and sees the newest state when it comes back", async () => {
    const it = await owner();
    const socket = connect(it.server.socket);
    cleanups.push(() => void socket.destroy());
    socket.pause();
    socket.write("GET /v1/routes/stream?door=slow HTTP/1.1\r\nHost: owner\r\n\r\n");
    const wide = "r".repeat(190);
    for (let round = 0; round < 400; round++) {
      const batch = Array.from({ length: 10 }, (_, index) =>
        it.store.routes.set({
          route: `${wide}${index}`,
          epoch: round,
          stage: "live",
          share: round % 100,
          by: "t",
        }),
      );
      await Promise.all(batch);
    }
    let received = "";
    socket.on("data", (chunk) => (received += String(chunk)));
    socket.resume();
    await expect.poll(() => received.includes('"epoch":400'), { timeout: 5_000 }).toBe(true);
    // 4,000 changes were made; a reader that was never slow would have been sent each one.
    const messages = received.split("\n").filter((line) => line.includes('"type":"route"')).length;
    expect(messages).toBeLessThan(4_000);
  });

  test("a door must give its name", async () => {
    const it = await owner();
    expect((await ask(it, "GET", "/v1/routes/stream")).body).toMatchObject({ error: { place: "door" } });
  });
});

describe("a route moved by hand", () => {
  const order = { stage: "live", share: 10, by: "ann", reason: "needed today" };

  test("is an override in the run that is under way", async () => {
    const it = await owner();
    await it.store.runs.commit("r1", [created]);
    await ask(it, "POST", "/v1/doors", { declarations: [declaration] });
    const answer = await ask(it, "POST", "/v1/routes/queue.submit", order);
    expect(answer).toMatchObject({
      status: 200,
      body: { route: "queue.submit", stage: "live", share: 10, epoch: 1 },
    });
    const { body } = await ask(it, "GET", "/v1/runs/r1");
    expect(body).toMatchObject({
      overrides: [{ what: "route queue.submit: unset → live 10 %", by: "ann", reason: "needed today" }],
    });
  });

  test("is refused for a route nobody declared, a stage its call site cannot do, and an old epoch", async () => {
    const it = await owner();
    expect(codeOf(await ask(it, "POST", "/v1/routes/nope", order))).toBe("CUTOVER_ROUTE_UNKNOWN");
    await ask(it, "POST", "/v1/doors", { declarations: [declaration] });
    const unable = await ask(it, "POST", "/v1/routes/queue.submit", { ...order, stage: "complete" });
    expect(codeOf(unable)).toBe("CUTOVER_ROUTE_INVALID");
    await ask(it, "POST", "/v1/routes/queue.submit", order);
    const stale = await ask(it, "POST", "/v1/routes/queue.submit", { ...order, epoch: 0 });
    expect([stale.status, codeOf(stale)]).toEqual([409, "CUTOVER_ROUTE_EPOCH"]);
    const nameless = await ask(it, "POST", "/v1/routes/queue.submit", { ...order, reason: "" });
    expect(codeOf(nameless)).toBe("CUTOVER_REQUEST_INVALID");
    expect(await it.store.routes.get("queue.submit")).toMatchObject({ epoch: 1 });
  });
});

describe("a run that this process carries", () => {
  test("takes decisions with name and reason, and answers with what is true then", async () => {
    const it = await owner();
    await it.store.runs.commit("r1", [
      created,
      {
        type: "phase.transition",
        data: { phase: "move", from: "PENDING", to: "AWAITING_APPROVAL", event: "ask" },
      },
    ]);
    const said = { by: "ann", reason: "seen" };
    for (const verb of ["pause", "continue", "rollback"]) {
      expect((await ask(it, "POST", `/v1/runs/r1/${verb}`, said)).body).toMatchObject({ run: { id: "r1" } });
    }
    await ask(it, "POST", "/v1/runs/r1/approve", { ...said, evidence: "abc" });
    await ask(it, "POST", "/v1/runs/r1/settle", { ...said, step: "move/copy", outcome: "done" });
    await ask(it, "POST", "/v1/runs/r1/trigger", { ...said, trigger: "customer impact" });
    await ask(it, "POST", "/v1/runs/r1/lift", { ...said, trigger: "customer impact" });
    expect(it.asked).toEqual([
      "pause ann seen",
      "continue ann seen",
      "rollback ann seen",
      "approve move ann seen abc",
      "settle move/copy done ann",
      "trigger customer impact ann seen",
      "lift customer impact ann seen",
    ]);
    expect(codeOf(await ask(it, "POST", "/v1/runs/r1/pause", { by: "ann" }))).toBe("CUTOVER_REQUEST_INVALID");
  });

  test("a run nobody carries, or that is not there, is refused", async () => {
    const it = await owner();
    await it.store.runs.commit("r2", [created]);
    const said = { by: "ann", reason: "seen" };
    const idle = await ask(it, "POST", "/v1/runs/r2/pause", said);
    expect([idle.status, codeOf(idle)]).toEqual([409, "CUTOVER_RUN_STATE"]);
    const missing = await ask(it, "POST", "/v1/runs/r3/pause", said);
    expect([missing.status, codeOf(missing)]).toEqual([404, "CUTOVER_RUN_NOT_FOUND"]);
  });

  test("its stream sends a view at once and another after a change", async () => {
    const it = await owner();
    await it.store.runs.commit("r1", [created]);
    const response = await open(it.server.socket, "GET", "/v1/runs/r1/stream");
    const stream = lines(response);
    expect((await stream.next()).value).toMatchObject({ run: { id: "r1" }, overrides: [] });
    await it.store.runs.commit("r1", [
      { type: "override.recorded", data: { what: "x", by: "ann", reason: "y" } },
    ]);
    expect((await stream.next()).value).toMatchObject({ overrides: [{ what: "x" }] });
    response.destroy();
  });

  test("events and the chain can be read from outside", async () => {
    const it = await owner();
    await it.store.runs.commit("r1", [created]);
    expect((await ask(it, "GET", "/v1/events?after=0&limit=10")).body).toMatchObject([
      { seq: 1, type: "run.created" },
    ]);
    expect((await ask(it, "GET", "/v1/audit")).body).toMatchObject({ whole: true, events: 1 });
    expect((await ask(it, "GET", "/v1/events?after=-1")).status).toBe(400);
    expect((await ask(it, "GET", "/v1/health")).body).toMatchObject({ pid: 42, version: "1.2.3" });
  });
});
