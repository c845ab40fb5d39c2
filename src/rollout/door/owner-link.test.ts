import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type {
  CutoverError,
  Interval,
  MismatchSample,
  RouteDeclaration,
  RouteState,
} from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { createRollout, type Rollout } from "./rollout.ts";

/** The smallest owner that speaks the protocol of ARCHITECTURE.md. */
class TinyOwner {
  readonly intervals: Interval[] = [];
  readonly samples: MismatchSample[] = [];
  readonly declarations: RouteDeclaration[] = [];
  readonly doors: string[] = [];
  readonly streams = new Set<ServerResponse>();
  states: RouteState[] = [];
  status = 200;
  #server: Server | undefined;
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  async start(): Promise<void> {
    const socket = join(this.#dir, "owner.sock");
    rmSync(socket, { force: true });
    this.#server = createServer((request, response) => void this.#answer(request, response));
    await new Promise<void>((resolve) => this.#server?.listen(socket, resolve));
    writeFileSync(join(this.#dir, "owner.json"), JSON.stringify({ pid: process.pid, socket }));
  }

  /** Ends like a process that is killed: no good-bye, `owner.json` stays behind. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    this.streams.clear();
  }

  push(state: RouteState): void {
    this.states = [...this.states.filter((known) => known.route !== state.route), state];
    for (const stream of this.streams) stream.write(`${JSON.stringify({ type: "route", state })}\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://owner");
    if (url.pathname === "/v1/routes/stream") {
      this.doors.push(url.searchParams.get("door") ?? "");
      this.streams.add(response);
      response.write(`${JSON.stringify({ type: "routes", routes: this.states })}\n`);
      return;
    }
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const body = JSON.parse(text) as Record<string, never[]>;
    if (this.status === 200) {
      this.intervals.push(...(body["intervals"] ?? []));
      this.samples.push(...(body["samples"] ?? []));
      this.declarations.push(...(body["declarations"] ?? []));
    }
    response.writeHead(this.status, { "content-type": "application/json" });
    response.end("{}");
  }
}

let dir: string;
let owner: TinyOwner;
let rollout: Rollout | undefined;
let child: ChildProcess | undefined;

beforeEach(() => {
  const root = mkdtempSync(join(tmpdir(), "cutover-door-"));
  dir = join(root, ".cutover");
  mkdirSync(dir);
  owner = new TinyOwner(dir);
});
afterEach(async () => {
  await rollout?.close();
  await owner.stop();
  child?.kill("SIGKILL");
  rollout = child = undefined;
  rmSync(join(dir, ".."), { recursive: true, force: true });
});

const state = (stage: RouteState["stage"], epoch: number, share = 0): RouteState => ({
  route: "r",
  stage,
  share,
  epoch,
  salt: "s",
});
const sides = { old: (id: string) => `old ${id}`, new: (id: string) => `new ${id}`, key: (id: string) => id };

async function until(what: () => boolean, within = 5_000): Promise<number> {
  const start = performance.now();
  while (!what()) {
    if (performance.now() - start > within)
      throw new Error(`not true within ${within} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  return performance.now() - start;
}
const saveRoutes = (...routes: RouteState[]): void => {
  const file = join(dir, "routes.json");
  writeFileSync(`${file}.new`, JSON.stringify({ savedAt: Date.now(), routes }));
  renameSync(`${file}.new`, file);
};

describe("with an owner", () => {
  test("a door declares its routes, follows the states and delivers what it measured", async () => {
    owner.states = [state("complete", 3)];
    await owner.start();
    rollout = createRollout({ dir, name: "door one", flush: 20 });
    const fn = rollout.route("r", { ...sides, operations: ["a"] });
    await until(() => fn("x") === "new x");
    await until(() => owner.declarations.length > 0);
    expect(owner.doors).toEqual(["door one"]);
    expect(owner.declarations[0]).toEqual({
      route: "r",
      door: "door one",
      operations: ["a"],
      stages: ["off", "dualwrite", "live", "rampdown", "complete"],
    });
    await until(() => owner.intervals.some((interval) => interval.new.calls > 0));
    expect(owner.intervals.every((interval) => interval.door === "door one")).toBe(true);
  });

  test("mismatch samples arrive with the intervals", async () => {
    owner.states = [state("shadow", 1)];
    await owner.start();
    rollout = createRollout({ dir, flush: 20 });
    const fn = rollout.route("r", { ...sides, effects: "none" });
    await until(() => fn.state().stage === "shadow");
    fn("x");
    await until(() => owner.samples.length === 1);
    expect(owner.samples[0]?.differences).toEqual([{ path: "$", old: '"old x"', new: '"new x"' }]);
  });

  test("intervals the owner cannot take now are kept and delivered once it can", async () => {
    owner.states = [state("complete", 1)];
    await owner.start();
    owner.status = 503;
    const errors: CutoverError[] = [];
    rollout = createRollout({ dir, flush: 20, onError: (error) => errors.push(error) });
    const fn = rollout.route("r", sides);
    await until(() => fn("x") === "new x");
    await until(() => errors.length > 0);
    owner.status = 200;
    await until(() => owner.intervals.some((interval) => interval.new.calls > 0));
    expect(errors[0]?.code).toBe("CUTOVER_OWNER_UNREACHABLE");
  });

  test("close() delivers the last interval", async () => {
    await owner.start();
    rollout = createRollout({ dir, flush: "1h" });
    const fn = rollout.route("r", sides);
    await until(() => owner.declarations.length > 0);
    fn("x");
    await rollout.close();
    expect(owner.intervals.map((interval) => interval.old.calls)).toEqual([1]);
  });
});

test("an owner that falls silent for 6 s is left and looked for again, with the stage kept", async () => {
  owner.states = [state("complete", 1)];
  await owner.start();
  const clock = new ManualClock();
  rollout = createRollout({ dir, clock });
  const fn = rollout.route("r", sides);
  await until(() => fn("x") === "new x");
  await clock.advance(5_000);
  expect(owner.doors).toHaveLength(1);
  await clock.advance(3_000);
  await until(() => owner.doors.length === 2);
  expect(fn("x")).toBe("new x");
});

describe("without an owner", () => {
  test("a door starts with the saved stages, before its first call", () => {
    saveRoutes(state("complete", 2));
    rollout = createRollout({ dir });
    expect(rollout.route("r", sides)("x")).toBe("new x");
  });

  test("a change of the saved stages is noticed", async () => {
    saveRoutes(state("complete", 2));
    rollout = createRollout({ dir });
    const fn = rollout.route("r", sides);
    saveRoutes(state("off", 3));
    expect(await until(() => fn("x") === "old x")).toBeLessThan(1_500);
  });

  test("a folder that appears later is found", async () => {
    rmSync(dir, { recursive: true });
    rollout = createRollout({ dir });
    const fn = rollout.route("r", sides);
    expect(fn("x")).toBe("old x");
    mkdirSync(dir);
    saveRoutes(state("complete", 2));
    await until(() => fn("x") === "new x");
  });

  test("damaged files change nothing", async () => {
    saveRoutes(state("complete", 2));
    rollout = createRollout({ dir });
    const fn = rollout.route("r", sides);
    writeFileSync(join(dir, "routes.json"), '{"routes":[{"route":"r","sta');
    writeFileSync(join(dir, "owner.json"), "not json");
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(fn("x")).toBe("new x");
  });
});

test("the last stage is kept when the owner dies, and a new owner is followed as soon as it is there", async () => {
  owner.states = [state("live", 5, 100)];
  await owner.start();
  rollout = createRollout({ dir, flush: 20 });
  const fn = rollout.route("r", sides);
  await until(() => fn("x") === "new x");
  await owner.stop();
  for (let i = 0; i < 20; i++) {
    expect(fn("x")).toBe("new x");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const before = owner.intervals.length;
  owner.states = [state("off", 6)];
  await owner.start();
  expect(await until(() => fn("x") === "old x")).toBeLessThan(1_500);
  // What was measured meanwhile was kept and comes now.
  await until(() => owner.intervals.length > before);
  const calls = owner.intervals.reduce((sum, interval) => sum + interval.new.calls, 0);
  expect(calls).toBeGreaterThanOrEqual(20);
});

describe("in a process of its own", () => {
  const start = (code: string): { lines: string[]; ended: Promise<number | null> } => {
    const file = join(dir, "..", "app.ts");
    writeFileSync(
      file,
      `import { createRollout } from ${JSON.stringify(join(import.meta.dirname, "../index.ts"))};\n${code}`,
    );
    const started = spawn(process.execPath, [file], {
      cwd: join(dir, ".."),
      stdio: ["pipe", "pipe", "inherit"],
    });
    child = started;
    const lines: string[] = [];
    createInterface({ input: started.stdout }).on("line", (line) => lines.push(line));
    return { lines, ended: new Promise((resolve) => started.on("exit", resolve)) };
  };

  test("a change of stage acts on a running server's calls within 200 ms", async () => {
    owner.states = [state("off", 1)];
    await owner.start();
    const { lines } = start(`
      const rollout = createRollout();
      const fn = rollout.route("r", { old: () => "old", new: () => "new", key: (id: number) => id });
      let last = "";
      setInterval(() => { const now = fn(1); if (now !== last) console.log(last = now); }, 2);
    `);
    await until(() => lines.length === 1 && owner.streams.size === 1);
    const times: number[] = [];
    for (let epoch = 2; epoch <= 11; epoch++) {
      owner.push(state(epoch % 2 === 0 ? "complete" : "off", epoch));
      times.push(await until(() => lines.length === epoch));
    }
    expect(lines.slice(0, 3)).toEqual(["old", "new", "old"]);
    // Eight of ten: a busy machine may hold up one or two.
    expect(times.toSorted((a, b) => a - b)[7]).toBeLessThan(200);
  });

  test("an open door never keeps its process alive, with an owner or without", async () => {
    const code = `
      const rollout = createRollout({ flush: 20 });
      const fn = rollout.route("r", { old: () => "old", new: () => "new", key: () => "k", effects: "none" });
      fn(); setTimeout(() => { fn(); console.log("end"); }, 150);
    `;
    const alone = start(code);
    expect(await alone.ended).toBe(0);
    await owner.start();
    const owned = start(code);
    expect(await owned.ended).toBe(0);
    expect(owner.doors).toHaveLength(1);
    expect([...alone.lines, ...owned.lines]).toEqual(["end", "end"]);
  });
});
