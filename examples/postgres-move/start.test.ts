import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { givenSeed } from "../../test/properties/seed.ts";
import { type LoadRecord, places, readRecord, type ServersRecord, type ServiceRecord } from "./settings.ts";
import { commandOf } from "./start/processes.ts";
import { endAll } from "./start/programs.ts";

const example = import.meta.dirname;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cutover-move-"));
});
afterEach(async () => {
  // Only when a test failed is there still something to end; SIGTERM stops the crossing too.
  for (const start of started.splice(0)) start.child.kill("SIGTERM");
  const owner = readRecord<{ pid: number }>(join(dir(), "cutover/owner.json"))?.pid;
  if (owner !== undefined && commandOf(owner).includes("cli/main")) process.kill(owner, "SIGTERM");
  await endAll(dir());
  const servers = readRecord<ServersRecord>(places(dir()).servers);
  for (const place of [servers?.old, servers?.new])
    if (place !== undefined) rmSync(place.folder, { recursive: true, force: true, maxRetries: 10 });
  rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}, 60_000);

const dir = (): string => join(root, "current");

const started: Start[] = [];

/** The command of the example in folders of its own, with what it printed so far. */
class Start {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(...args: readonly string[]) {
    const words = ["--conditions=cutover-source", join(example, "start.ts"), "--dir", dir(), ...args];
    this.child = spawn(process.execPath, words, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString("utf8")));
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
    started.push(this);
  }

  async prints(pattern: RegExp): Promise<void> {
    let over = false;
    void this.ended.then(() => (over = true));
    while (!pattern.test(this.output)) {
      if (over) throw new Error(`ended without printing ${String(pattern)}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** `kill -9` of starter, crossing, service, customers and both database servers at once: none can tidy up. */
function killAll(start: Start): void {
  const files = places(dir());
  const servers = readRecord<ServersRecord>(files.servers);
  const pids = [
    start.child.pid,
    readRecord<{ pid: number }>(join(dir(), "cutover/owner.json"))?.pid,
    readRecord<ServiceRecord>(files.service)?.pid,
    readRecord<LoadRecord>(files.load)?.pid,
    servers?.pid,
  ];
  for (const pid of pids) if (pid !== undefined && commandOf(pid) !== "") process.kill(pid, "SIGKILL");
}

test("killed in the turn, servers and all, the same command brings the shop across and nothing is lost", async () => {
  const first = new Start("--orders", "1000");
  await first.prints(/close-counter done/);
  // The cutover takes some seconds; another moment of it is met with `CUTOVER_SEED=N`.
  await new Promise((resolve) => setTimeout(resolve, 500 + (Math.abs(givenSeed(1_500)) % 4_000)));
  killAll(first);
  await first.ended;

  const second = new Start("--orders", "1000");
  const code = await second.ended;
  expect(second.output).toMatch(/run \w+ of an earlier start is unfinished \((RUNNING|HOLDING)\)/);
  // When the kill fell behind that step, the second start only tells that all steps of its phase are done.
  expect(second.output).toMatch(/rows equal by SQL|cutover sealed .* 5 steps done/);
  expect(second.output).toMatch(/approved by this script in place of a person/);
  expect(second.output).toMatch(/ · 0 lost · 0 twice\n/);
  expect(second.output).toMatch(/the shop moved under load; nothing was lost, nothing was done twice/);
  expect(code).toBe(0);
}, 240_000);

test("taken back after the cutover, the old shop has all that the new one has written", async () => {
  const start = new Start("--orders", "1000", "--back");
  const code = await start.ended;
  expect(start.output).toMatch(/2 rows set aside so far: an amount in an event of kind "note"/);
  expect(start.output).toMatch(
    /the new side is in charge since epoch \d+ · writes were stopped for [\d,]+ ms/,
  );
  expect(start.output).toMatch(/in charge {5}the old shop/);
  expect(start.output).toMatch(/\(\d+ by the old shop, [1-9]\d* by the new one\) · 0 lost · 0 twice\n/);
  expect(start.output).toMatch(/the shop moved and came back/);
  expect(code).toBe(0);
}, 180_000);

test("a state that nobody mapped is refused by name before anything moves", async () => {
  const start = new Start("--orders", "50", "--strange");
  const code = await start.ended;
  expect(start.output).toMatch(/CUTOVER_DATA_UNMAPPED/);
  expect(start.output).toMatch(/found "on hold" in 1 rows, which status\.ts does not know/);
  expect(readRecord<ServiceRecord>(places(dir()).service)).toBe(undefined);
  expect(code).toBe(2);
}, 60_000);

test.each([["--orders", "none"], ["--bakc"], ["surplus"]])(
  "wrong options are refused with nothing started: %s %s",
  async (...args) => {
    const start = new Start(...args.filter((word) => word !== undefined));
    expect([await start.ended, start.output]).toEqual([2, expect.stringContaining("CUTOVER_CLI_USAGE")]);
    expect(readRecord(places(dir()).servers)).toBe(undefined);
  },
);
