import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer as createTcpServer, type Server as TcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CutoverError, RouteState } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { createRollout, type Rollout, type RolloutOptions } from "./rollout.ts";

/** A server on a real socket that says whatever a test wants it to: sane, broken or nothing at all. */
class RawServer {
  readonly requests: string[] = [];
  readonly streams = new Set<Socket>();
  /** What a request for the stream is answered with; the connection stays open. */
  onStream: (socket: Socket) => void = (socket) => this.tell(socket, { type: "routes", routes: this.states });
  onPost: (socket: Socket) => void = (socket) =>
    void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
  states: RouteState[] = [];
  port = 0;
  #server: TcpServer | undefined;
  readonly #sockets = new Set<Socket>();

  async start(): Promise<void> {
    this.#server = createTcpServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.streams.delete(socket);
      });
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString();
        for (;;) {
          const head = text.indexOf("\r\n\r\n");
          if (head === -1) return;
          const length = Number(/content-length: (\d+)/i.exec(text.slice(0, head))?.[1] ?? 0);
          if (text.length < head + 4 + length) return;
          const request = text.slice(0, head + 4 + length);
          text = text.slice(head + 4 + length);
          this.requests.push(request);
          if (request.startsWith("GET")) {
            this.streams.add(socket);
            this.onStream(socket);
          } else this.onPost(socket);
        }
      });
    });
    await new Promise<void>((resolve) => this.#server?.listen(this.port, "127.0.0.1", resolve));
    this.port = (this.#server.address() as AddressInfo).port;
  }

  /** As when the process is killed. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  }

  head(socket: Socket, status = "200 OK"): void {
    socket.write(`HTTP/1.1 ${status}\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n`);
  }

  tell(socket: Socket, ...lines: readonly unknown[]): void {
    this.head(socket);
    for (const line of lines) socket.write(`${JSON.stringify(line)}\n`);
  }

  push(state: RouteState): void {
    this.states = [state];
    for (const socket of this.streams) socket.write(`${JSON.stringify({ type: "route", state })}\n`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }
  bodies(path: string): readonly string[] {
    return this.requests
      .filter((text) => text.startsWith(`POST ${path} `))
      .map((text) => text.split("\r\n\r\n")[1] ?? "");
  }
}

let folder: string;
let server: RawServer;
let rollout: Rollout | undefined;
let errors: CutoverError[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cutover-http-"));
  server = new RawServer();
  errors = [];
  await server.start();
});
afterEach(async () => {
  await rollout?.close();
  rollout = undefined;
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const state = (stage: RouteState["stage"], epoch: number, more: Partial<RouteState> = {}): RouteState => ({
  route: "r",
  stage,
  share: 0,
  epoch,
  salt: "s",
  ...more,
});
const sides = { old: (id: string) => `old ${id}`, new: (id: string) => `new ${id}`, key: (id: string) => id };
const open = (more: RolloutOptions = {}): ((id: string) => string) => {
  rollout = createRollout({
    url: server.url,
    name: "door",
    flush: 20,
    onError: (error) => errors.push(error),
    ...more,
  });
  return rollout.route("r", sides);
};

async function until(what: () => boolean, within = 20_000): Promise<number> {
  const start = performance.now();
  while (!what()) {
    if (performance.now() - start > within) throw new Error(`not within ${within} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - start;
}
/** Every answer for a while is the new side's. */
async function answersGoOn(fn: (id: string) => string, ms: number): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    expect(fn("x")).toBe("new x");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
const codes = (): readonly string[] => [...new Set(errors.map(({ code }) => code))];

describe("a door with the address of a server", () => {
  test("follows its stages, shows its token, declares its routes and delivers what it measured", async () => {
    server.states = [state("complete", 3)];
    const fn = open({ token: "0123456789abcdef" });
    await until(() => fn("x") === "new x");
    await until(() => server.bodies("/v1/intervals").some((body) => body.includes('"epoch":3')));
    expect(server.bodies("/v1/doors")[0]).toContain('"route":"r"');
    expect(server.requests.every((text) => /authorization: Bearer 0123456789abcdef\r\n/i.test(text))).toBe(
      true,
    );
    server.push(state("off", 4));
    expect(await until(() => fn("x") === "old x")).toBeLessThan(500);
  });

  test("finds the paths of a server behind a proxy's own path", async () => {
    server.states = [state("complete", 1)];
    const fn = open({ url: `${server.url}/cutover/` });
    await until(() => fn("x") === "new x");
    expect(server.requests[0]).toMatch(/^GET \/cutover\/v1\/routes\/stream\?door=door /);
  });

  test("never keeps its process alive, whether the server answers, refuses or cannot be found", async () => {
    server.states = [state("complete", 1)];
    for (const url of [server.url, "http://127.0.0.1:1", "http://nowhere.invalid:4170"]) {
      const code = `
        import { createRollout } from ${JSON.stringify(join(import.meta.dirname, "../index.ts"))};
        const rollout = createRollout({ url: ${JSON.stringify(url)}, flush: 20 });
        const call = rollout.route("r", { old: () => "old", new: () => "new", key: () => "k" });
        call();
        setTimeout(() => { call(); console.log("end"); }, 100);`;
      const file = join(folder, "app.ts");
      writeFileSync(file, code);
      const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 15_000 });
      expect(stdout).toBe("end\n");
    }
  });

  test.each([
    ["no URL", { url: "10.0.0.5:4170" }, "url"],
    ["another protocol", { url: "ftp://10.0.0.5" }, "url"],
    ["a password in the URL", { url: "http://ann:secret@10.0.0.5" }, "url"],
    ["a token with a line break", { url: "http://10.0.0.5", token: "a\nb" }, "token"],
    ["an empty token", { url: "http://10.0.0.5", token: "" }, "token"],
    ["a token for nobody", { token: "0123456789abcdef" }, "token"],
    ["a cache of nothing", { cache: "stages.json" }, "cache"],
    ["two sources", { url: "http://10.0.0.5", file: "stages.json" }, "file"],
    ["a file that has states beside it", { file: "stages.json", state: [] }, "state"],
    ["a slip of the pen", { ulr: "http://10.0.0.5" } as RolloutOptions, "ulr"],
  ])("is refused with %s", (_, options, place) => {
    const refused = (): Rollout => createRollout(options);
    expect(refused).toThrow(
      expect.objectContaining({ code: "CUTOVER_ROLLOUT_INVALID", place: `createRollout.${place}` }),
    );
    expect(refused).not.toThrow(/secret/);
  });
});

describe("answers go on as they were", () => {
  const follow = async (more: RolloutOptions = {}): Promise<(id: string) => string> => {
    server.states = [state("complete", 5)];
    const fn = open(more);
    await until(() => fn("x") === "new x");
    return fn;
  };

  test("when the server is killed; it is found again when it is back, and gets what was measured meanwhile", async () => {
    const fn = await follow();
    await server.stop();
    const before = server.bodies("/v1/intervals").length;
    await answersGoOn(fn, 200);
    await until(() => errors.length > 0);
    // Told once, with where and what to do; not with every attempt.
    expect(errors.map(({ code, place }) => [code, place])).toEqual([
      ["CUTOVER_OWNER_UNREACHABLE", server.url],
    ]);
    server.states = [state("off", 6)];
    await server.start();
    await until(() => fn("x") === "old x");
    await until(() => server.bodies("/v1/intervals").length > before);
    expect(server.bodies("/v1/intervals").at(before)).toContain('"stage":"complete"');
  });

  test("when the network is cut in the middle of a line", async () => {
    const fn = await follow();
    server.onStream = (socket) => {
      server.head(socket);
      socket.write('{"type":"routes","routes":[{"route":"r","stage":"off","share":0,"epo');
      socket.destroy();
    };
    for (const socket of server.streams) {
      socket.write('{"type":"route","state":{"route":"r","stage":"off","share":0,"epoch":');
      socket.destroy();
    }
    await answersGoOn(fn, 300);
    expect(server.streams.size).toBeLessThanOrEqual(1);
  });

  test("when the server answers with garbage, which is told and not pressed", async () => {
    const fn = await follow();
    server.onStream = (socket) => {
      server.head(socket);
      socket.write("<html>the proxy's own page</html>\n");
    };
    server.requests.length = 0;
    for (const socket of server.streams) socket.destroy();
    await answersGoOn(fn, 1_000);
    expect(codes()).toEqual(["CUTOVER_OWNER_UNREACHABLE"]);
    expect(server.requests.filter((text) => text.startsWith("GET")).length).toBeLessThanOrEqual(6);
    // A stranger that is no server of stages is handed nothing.
    expect(server.bodies("/v1/intervals")).toEqual([]);
  });

  test.each([
    [
      "states that are none",
      [{ type: "routes", routes: [null, 7, { route: "r" }, { ...state("off", 9), share: 900 }] }],
    ],
    ["messages of another kind", [{ type: "routes", routes: "all" }, { type: "route" }, [], "off", null]],
    ["a stage nobody knows", [{ type: "routes", routes: [{ ...state("off", 9), stage: "gone" }] }]],
  ])("when the server tells %s", async (_, lines) => {
    const fn = await follow();
    server.onStream = (socket) => server.tell(socket, ...lines);
    for (const socket of server.streams) socket.destroy();
    await answersGoOn(fn, 300);
  });

  test("when the server is silent: it is left after 6 s and looked for again", async () => {
    const clock = new ManualClock();
    const fn = await follow({ clock });
    server.onStream = () => {};
    await clock.advance(5_000);
    expect(server.streams.size).toBe(1);
    await clock.advance(3_000);
    await until(() => server.requests.filter((text) => text.startsWith("GET")).length >= 2);
    expect(fn("x")).toBe("new x");
  });

  test("when the server takes measurements by drops: one delivery is given up after 5 s and comes again", async () => {
    const clock = new ManualClock();
    server.onPost = (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
    const fn = await follow({ clock });
    await until(() => server.bodies("/v1/doors").length === 1);
    server.onPost = (socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    // Its "alive" goes on coming, so it is not silent.
    for (let second = 0; second < 6; second++) {
      for (const socket of server.streams) socket.write('{"type":"alive"}\n');
      await new Promise((resolve) => setTimeout(resolve, 20));
      await clock.advance(1_000);
      expect(fn("x")).toBe("new x");
    }
    await until(() => server.bodies("/v1/intervals").length > 0);
    expect(server.bodies("/v1/doors")).toHaveLength(2);
  });

  test("when the server comes back with another store; that is told, and nothing moves at a higher epoch either", async () => {
    const fn = await follow();
    await server.stop();
    server.states = [state("off", 50, { salt: "another" })];
    await server.start();
    await until(() => codes().includes("CUTOVER_STORE_OTHER"));
    await answersGoOn(fn, 100);
    server.push(state("off", 51, { salt: "another" }));
    await answersGoOn(fn, 100);
    // The store it had comes back: that is followed again.
    server.push(state("off", 6));
    await until(() => fn("x") === "old x");
  });

  test("when the server comes back with an older copy of its store; that is told too", async () => {
    const fn = await follow();
    await server.stop();
    server.states = [state("off", 2)];
    await server.start();
    await until(() => codes().includes("CUTOVER_STORE_OTHER"));
    await answersGoOn(fn, 100);
    expect(errors.find(({ code }) => code === "CUTOVER_STORE_OTHER")?.message).toContain("older copy");
  });

  test("when the server does not take the token any more, and what was measured is kept for the right one", async () => {
    const fn = await follow();
    server.onStream = (socket) => server.head(socket, "401 Unauthorized");
    server.onPost = (socket) => void socket.write("HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}");
    for (const socket of server.streams) socket.destroy();
    await until(() => codes().includes("CUTOVER_TOKEN_REQUIRED"));
    await answersGoOn(fn, 100);
  });
});

describe("a start while the server is away", () => {
  const cache = (): string => join(folder, "stages.cache.json");

  test("begins with the stages that were kept, before the first call", async () => {
    server.states = [state("complete", 5), state("live", 2, { route: "other", share: 25 })];
    const fn = open({ cache: cache() });
    await until(() => fn("x") === "new x");
    await until(() => existsSync(cache()));
    await rollout?.close();
    await server.stop();
    const again = open({ cache: cache() });
    expect(again("x")).toBe("new x");
    expect(JSON.parse(readFileSync(cache(), "utf8"))).toMatchObject({
      routes: [
        { route: "other", share: 25 },
        { route: "r", stage: "complete", epoch: 5 },
      ],
    });
  });

  test("follows the server again, and does not let another store move what was kept", async () => {
    writeFileSync(cache(), JSON.stringify({ savedAt: 1, routes: [state("complete", 5)] }));
    server.states = [state("off", 9, { salt: "another" })];
    const fn = open({ cache: cache() });
    expect(fn("x")).toBe("new x");
    await until(() => codes().includes("CUTOVER_STORE_OTHER"));
    expect(fn("x")).toBe("new x");
    server.push(state("off", 6));
    await until(() => fn("x") === "old x");
    await until(() => readFileSync(cache(), "utf8").includes('"epoch": 6'));
  });

  test.each([
    "",
    "{",
    '{"routes":7}',
    '{"routes":[{"route":"r","stage":"new","share":1,"epoch":1,"salt":"s"}]}',
    "\0\0\0\0",
  ])(
    "tells of a damaged cache (%j), begins at off and mends it when the server is there",
    async (content) => {
      writeFileSync(cache(), content);
      server.states = [state("complete", 5)];
      const fn = open({ cache: cache() });
      expect(codes()).toEqual(["CUTOVER_STAGES_INVALID"]);
      await until(() => fn("x") === "new x");
      await until(() => readFileSync(cache(), "utf8").includes('"epoch": 5'));
    },
  );

  test("a cache that cannot be written is told and harms nothing", async () => {
    server.states = [state("complete", 5)];
    const fn = open({ cache: join(folder, "no/such/folder/stages.json") });
    await until(() => fn("x") === "new x");
    await until(() => codes().includes("CUTOVER_STAGES_INVALID"));
  });

  test("a process that stood still does not put an older state over a newer one", async () => {
    server.states = [state("complete", 5)];
    const fn = open({ cache: cache() });
    await until(() => existsSync(cache()) && fn("x") === "new x");
    writeFileSync(cache(), JSON.stringify({ savedAt: 1, routes: [state("off", 9)] }));
    server.push(state("live", 6));
    await until(() => fn("x") === "old x");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(readFileSync(cache(), "utf8")).toContain('"epoch":9');
  });
});
