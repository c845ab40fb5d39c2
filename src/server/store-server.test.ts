import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../core/index.ts";
import type { Decision } from "../engine/index.ts";
import { openSqliteStore, type RunEvent, type Store } from "../store/index.ts";
import {
  createOwnerServer,
  createStoreServer,
  orderRoute,
  type OwnerServer,
  type ServerChange,
  type StoreServer,
} from "./index.ts";

const token = "a-token-of-enough-characters";
const cleanups: (() => Promise<void> | void)[] = [];
let dir: string;
let store: Store;
let owner: OwnerServer | undefined;
let changes: ServerChange[];
let decided: (Decision & { readonly run: string })[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "cutover-serve-"));
  store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
  owner = undefined;
  changes = [];
  decided = [];
  cleanups.push(
    () => rmSync(dir, { recursive: true, force: true }),
    () => store.close(),
  );
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(more: { token?: string; host?: string; port?: number } = {}): Promise<StoreServer> {
  const server = await createStoreServer({
    host: "127.0.0.1",
    port: 0,
    store,
    clock: systemClock,
    log: silentLog,
    pid: 7,
    version: "1.2.3",
    owner: () => owner?.socket,
    alone: (write) => write(store),
    decide: async (run, decision) => void decided.push({ ...decision, run }),
    nobodyCarries: () => Promise.resolve(true),
    onChange: (change) => changes.push(change),
    ...more,
  });
  cleanups.push(() => server.close());
  return server;
}

/** A process that owns the folder: its store is the same, its doors are its own. */
async function own(): Promise<OwnerServer> {
  owner = await createOwnerServer({
    store,
    dir,
    clock: systemClock,
    log: silentLog,
    pid: 42,
    version: "1.2.3",
    run: () => undefined,
  });
  const opened = owner;
  cleanups.push(() => opened.close());
  return opened;
}

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}
function open(server: StoreServer, method: string, path: string, sent: Sent = {}): Promise<IncomingMessage> {
  const { body } = sent;
  const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const headers = {
      ...(text === undefined ? {} : { "content-type": "application/json" }),
      ...sent.headers,
    };
    const outgoing = request(`${server.url}${path}`, { method, headers, agent: false }, resolve);
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}
async function ask(
  server: StoreServer,
  method: string,
  path: string,
  sent: Sent = {},
): Promise<{ status: number; body: { error?: { code: string; place?: string } } & Record<string, unknown> }> {
  const response = await open(server, method, path, sent);
  let received = "";
  for await (const chunk of response) received += String(chunk);
  return { status: response.statusCode ?? 0, body: JSON.parse(received) as never };
}
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
async function until(what: () => boolean | Promise<boolean>, within = 5_000): Promise<void> {
  const end = performance.now() + within;
  while (!(await what())) {
    if (performance.now() > end) throw new Error(`not within ${within} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const order = { stage: "live", share: 10, by: "ann", reason: "test" };
const declaration = { route: "r", door: "d1", operations: [], stages: ["off", "live"] };
const bearer = { authorization: `Bearer ${token}` };

describe("without a token", () => {
  test("anybody on this machine may read, and doors may report", async () => {
    const server = await serve();
    expect((await ask(server, "GET", "/v1/health")).body).toMatchObject({ pid: 7, version: "1.2.3" });
    expect((await ask(server, "POST", "/v1/doors", { body: { declarations: [declaration] } })).status).toBe(
      200,
    );
    // Whoever declares a route makes it known to every process of the store.
    expect((await ask(server, "GET", "/v1/routes")).body).toMatchObject([
      { route: "r", stage: "off", epoch: 1 },
    ]);
  });

  test("decisions are refused, and nothing is changed", async () => {
    const server = await serve();
    await store.routes.set({ route: "r", epoch: 0, stage: "off", share: 0, by: "ann" });
    for (const path of ["/v1/routes/r", "/v1/runs/r1/pause", "/v1/runs/r1/rollback"]) {
      const { status, body } = await ask(server, "POST", path, { body: order });
      expect([status, body.error?.code]).toEqual([401, "CUTOVER_TOKEN_REQUIRED"]);
    }
    expect((await store.routes.get("r"))?.epoch).toBe(1);
    expect(decided).toEqual([]);
  });

  test.each([
    ["a page of another site", { origin: "http://evil.example" }, "origin"],
    ["a name that another site made point here", { host: "evil.example:80" }, "host"],
    ["a form, which a browser sends without asking", { "content-type": "text/plain" }, "content-type"],
  ])("what %s could send is refused", async (_, headers, place) => {
    const server = await serve();
    const sent = { headers, body: { declarations: [] } };
    const { status, body } = await ask(server, "POST", "/v1/doors", sent);
    expect([status, body.error?.code, body.error?.place]).toEqual([400, "CUTOVER_REQUEST_INVALID", place]);
  });

  test.each(["0.0.0.0", "::", "192.168.7.7", "example.com", ""])("%j is not listened on", async (host) => {
    await expect(serve({ host })).rejects.toMatchObject({ code: "CUTOVER_TOKEN_REQUIRED" });
  });
});

describe("with a token", () => {
  test("every call needs it, exactly", async () => {
    const server = await serve({ token });
    for (const authorization of [
      "",
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      `Basic ${token}`,
      token,
    ]) {
      for (const path of ["/v1/health", "/v1/routes/stream?door=d", "/metrics", "/nowhere"]) {
        const response = await open(server, "GET", path, {
          headers: authorization === "" ? {} : { authorization },
        });
        response.resume();
        expect([response.statusCode, response.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
      }
    }
    expect((await ask(server, "GET", "/v1/health", { headers: bearer })).status).toBe(200);
  });

  test("whoever has it decides, by the same rules as the owner", async () => {
    const server = await serve({ token });
    const set = (body: unknown, route = "r"): ReturnType<typeof ask> =>
      ask(server, "POST", `/v1/routes/${route}`, { headers: bearer, body });
    expect((await set(order)).body.error?.code).toBe("CUTOVER_ROUTE_UNKNOWN");
    await ask(server, "POST", "/v1/doors", { headers: bearer, body: { declarations: [declaration] } });
    expect((await set(order)).body).toMatchObject({ stage: "live", share: 10, epoch: 2 });
    expect((await set({ ...order, epoch: 1 })).body.error?.code).toBe("CUTOVER_ROUTE_EPOCH");
    expect((await set({ ...order, stage: "shadow" })).body.error?.code).toBe("CUTOVER_ROUTE_INVALID");
    expect((await set({ ...order, share: "10" })).body.error?.place).toBe("share");
    expect((await store.routes.get("r"))?.epoch).toBe(2);
  });

  test("what its doors declared binds every process of the store", async () => {
    const server = await serve({ token });
    await ask(server, "POST", "/v1/doors", { headers: bearer, body: { declarations: [declaration] } });
    await expect(orderRoute(store, undefined, "r", { ...order, stage: "shadow" })).rejects.toMatchObject({
      code: "CUTOVER_ROUTE_INVALID",
      details: { door: "d1" },
    });
    expect(await orderRoute(store, undefined, "r", { ...order, stage: "live" })).toMatchObject({ epoch: 2 });
  });

  test("a decision about a run goes into the record, for whoever carries it", async () => {
    const created: RunEvent = {
      type: "run.created",
      data: { migration: "m", hash: "a".repeat(64), source: "m.ts", by: "ann", graph: { phases: [] } },
    };
    await store.runs.commit("r1", [created]);
    const server = await serve({ token });
    const sent = { headers: bearer, body: { by: "bob", reason: "lunch" } };
    const { status, body } = await ask(server, "POST", "/v1/runs/r1/pause", sent);
    expect(status).toBe(200);
    expect(body["run"]).toMatchObject({ id: "r1" });
    expect(decided).toEqual([{ run: "r1", verb: "pause", by: "bob", reason: "lunch" }]);
  });

  test("it may listen on every address of the machine", async () => {
    const server = await serve({ token, host: "0.0.0.0" });
    const other = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === "IPv4" && !each.internal)?.address;
    const address = other ?? "127.0.0.1";
    const answer = await fetch(`http://${address}:${server.port}/v1/health`, { headers: bearer });
    expect(answer.status).toBe(200);
  });

  test.each(["short", "", "a token with spaces in it", "ein-Schlüssel-mit-Umlaut", "x".repeat(5_000)])(
    "%j is too weak to be one, and is not said again",
    async (weak) => {
      const refused = serve({ token: weak });
      await expect(refused).rejects.toMatchObject({ code: "CUTOVER_TOKEN_REQUIRED" });
      if (weak !== "") await expect(refused).rejects.not.toThrow(weak);
    },
  );
});

describe("while a process owns the folder", () => {
  test("calls and streams go to it, and its refusals come back", async () => {
    const server = await serve({ token });
    const { doors } = await own();
    expect((await ask(server, "GET", "/v1/health", { headers: bearer })).body).toMatchObject({ pid: 42 });
    await ask(server, "POST", "/v1/doors", { headers: bearer, body: { declarations: [declaration] } });
    expect(doors.names()).toEqual(["d1"]);
    const set = await ask(server, "POST", "/v1/routes/r", { headers: bearer, body: order });
    expect(set.body).toMatchObject({ stage: "live", epoch: 1 });
    const refused = await ask(server, "POST", "/v1/routes/r", {
      headers: bearer,
      body: { ...order, epoch: 9 },
    });
    expect([refused.status, refused.body.error?.code]).toEqual([409, "CUTOVER_ROUTE_EPOCH"]);

    const stream = lines(await open(server, "GET", "/v1/routes/stream?door=d1", { headers: bearer }));
    expect((await stream.next()).value).toMatchObject({ type: "routes", routes: [{ route: "r" }] });
    await store.routes.set({ route: "r", epoch: 1, stage: "off", share: 0, by: "ann" });
    expect((await stream.next()).value).toMatchObject({ type: "route", state: { epoch: 2 } });
    await stream.return(undefined);
  });

  test("streams end when it leaves or comes, so that doors find who answers now", async () => {
    const server = await serve();
    // As a door does: tried again until somebody answers.
    const follow = async (): Promise<AsyncGenerator<{ type: string }>> => {
      for (;;) {
        const stream = lines(await open(server, "GET", "/v1/routes/stream?door=d"));
        const { value } = (await stream.next()) as { value?: { type: string } };
        if (value?.type === "routes") return stream;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const end = async (stream: AsyncGenerator<unknown>): Promise<void> => {
      while ((await stream.next()).done !== true);
    };
    const first = await follow();
    await own();
    await end(first);
    const second = await follow();
    await owner?.close();
    owner = undefined;
    await end(second).catch(() => {});
    const third = await follow();
    await third.return(undefined);
    await until(() => server.doors() === 0);
    expect(changes.filter(({ type }) => type === "owner")).toHaveLength(2);
  });

  test("one that is gone without a word is answered 503, which doors try again", async () => {
    const server = await serve();
    await own();
    await owner?.close();
    const { status, body } = await ask(server, "GET", "/v1/routes");
    expect([status, body.error?.code]).toEqual([503, "CUTOVER_OWNER_UNREACHABLE"]);
    owner = undefined;
    expect((await ask(server, "GET", "/v1/routes")).status).toBe(200);
  });

  test("a body over the limit is refused here, before it is handed on", async () => {
    const server = await serve();
    await own();
    const { status, body } = await ask(server, "POST", "/v1/intervals", {
      body: " ".repeat(5 * 1024 * 1024),
    });
    expect([status, body.error?.code]).toEqual([413, "CUTOVER_REQUEST_TOO_LARGE"]);
  });
});

describe("the server", () => {
  test("tells of a change that another process makes in the same file", async () => {
    const server = await serve();
    await store.routes.set({ route: "r", epoch: 0, stage: "off", share: 0, by: "ann" });
    const stream = lines(await open(server, "GET", "/v1/routes/stream?door=d"));
    await stream.next();
    await using other = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
    await other.routes.set({ route: "r", epoch: 1, stage: "complete", share: 100, by: "ann" });
    for (;;) {
      const { value } = await stream.next();
      const told = (value as { state?: { epoch: number } }).state?.epoch;
      if (told === 2) break;
    }
    await stream.return(undefined);
  });

  test("a port in use and an address of another machine are refused by name", async () => {
    const { port } = await serve();
    await expect(serve({ port })).rejects.toMatchObject({ code: "CUTOVER_PORT_IN_USE", details: { port } });
    await expect(serve({ token, host: "192.0.2.1" })).rejects.toMatchObject({
      code: "CUTOVER_LISTEN_FAILED",
    });
  });

  test("an unknown path, another method and a broken request are answered with a code", async () => {
    const server = await serve({ token });
    const at = async (method: string, path: string): Promise<unknown> =>
      (await ask(server, method, path, { headers: bearer })).body.error?.code;
    expect(await at("GET", "/v1/nowhere")).toBe("CUTOVER_REQUEST_UNKNOWN");
    expect(await at("OPTIONS", "/v1/routes")).toBe("CUTOVER_REQUEST_UNKNOWN");
    expect(await at("DELETE", "/v1/routes/r")).toBe("CUTOVER_REQUEST_UNKNOWN");
    expect(await at("GET", "/v1/runs/%ff")).toBe("CUTOVER_REQUEST_INVALID");
    const response = await open(server, "GET", "/v1/health", {
      headers: { ...bearer, origin: "http://evil.example" },
    });
    expect(Object.keys(response.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    response.resume();
  });

  test("a caller that is cut off in the middle of its request harms nobody", async () => {
    const server = await serve();
    for (const text of [
      "GET /v1/rou",
      "POST /v1/intervals HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{",
    ]) {
      const socket = connect(server.port, "127.0.0.1");
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      socket.destroy();
    }
    expect((await ask(server, "GET", "/v1/health")).status).toBe(200);
  });

  test("close() ends streams and can be called twice", async () => {
    const server = await serve();
    const stream = lines(await open(server, "GET", "/v1/routes/stream?door=d"));
    await stream.next();
    await Promise.all([server.close(), server.close()]);
    while ((await stream.next()).done !== true);
    expect(server.doors()).toBe(0);
  });
});
