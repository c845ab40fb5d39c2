import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { places, readRecord } from "./server/settings.ts";
import { endLeftovers } from "./start/folders.ts";

const example = import.meta.dirname;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cutover-start-"));
});
afterEach(async () => {
  // Only when a test failed is there still something to end.
  await endLeftovers(join(root, "current"));
  rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
});

/** `npm start` in folders of its own, with what it printed so far. */
class Start {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(args: readonly string[] = []) {
    const own = ["--dir", join(root, "current"), "--store", join(root, "store")];
    const words = ["--conditions=cutover-source", join(example, "start.ts"), ...own, ...args];
    this.child = spawn(process.execPath, words, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString("utf8")));
    this.ended = new Promise((resolve) => this.child.once("close", resolve));
  }

  async prints(pattern: RegExp): Promise<void> {
    let over = false;
    void this.ended.then(() => (over = true));
    while (!pattern.test(this.output)) {
      if (over) throw new Error(`ended without printing ${String(pattern)}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** `kill -9` of starter, crossing, server and load at once: none can tidy up. */
function killAll(start: Start): void {
  const files = places(join(root, "current"));
  const records = [join(root, "store/owner.json"), files.server, files.load];
  const pids = records.map((file) => readRecord<{ pid: number }>(file)?.pid);
  for (const pid of [...pids, start.child.pid]) if (pid !== undefined) process.kill(pid, "SIGKILL");
}

test(
  "killed in the middle of the rollout, the crossing goes on and loses nothing",
  { timeout: 240_000 },
  async () => {
    const first = new Start();
    await first.prints(/ramp at 50 %/);
    killAll(first);
    await first.ended;

    const second = new Start();
    const code = await second.ended;
    expect(second.output).toMatch(/run \w+ of an earlier start is unfinished \(RUNNING\)/);
    expect(second.output).toMatch(/✔ finished/);
    expect(second.output).toMatch(/ (\d[\d,]*) in · \1 finished once · 0 lost · 0 twice/);
    expect(second.output).toMatch(/10 of 10 promises of the API kept after the crossing/);
    expect(second.output).toMatch(/approved by this script in place of a person/);
    expect(code).toBe(0);
    expect(readFileSync(join(root, "current/archive/old/work-orders/bh8Ztue3prjV.json"), "utf8")).toBe("");
  },
);

test(
  "a new side that turns bad at 50 % is taken back, and nothing is lost",
  { timeout: 180_000 },
  async () => {
    const start = new Start(["--fault", "errors"]);
    const code = await start.ended;
    expect(start.output).toMatch(/incident \w+ .*errors/);
    expect(start.output).toMatch(/answers? came from the old side after the new one failed/);
    expect(start.output).toMatch(/ (\d[\d,]*) in · \1 finished once · 0 lost · 0 twice/);
    expect(start.output).toMatch(/0 failed answers · 0 wrong answers/);
    expect(start.output).toMatch(/as it should be: the new side turned bad \(errors\)/);
    expect(code).toBe(0);
  },
);

describe("refuses, with nothing started or changed,", () => {
  const refused = async (...args: string[]): Promise<readonly [number | null, string]> => {
    const start = new Start(args);
    return [await start.ended, start.output];
  };

  test("a data folder that is not there", async () => {
    const [code, output] = await refused("--data", join(root, "nowhere"));
    expect([code, output]).toEqual([2, expect.stringContaining("CUTOVER_DATA_MISSING")]);
  });

  test("a status that nobody mapped, by name and file", async () => {
    const data = join(root, "data");
    cpSync(join(example, "data"), data, { recursive: true });
    const file = join(data, "work-orders/2MFsmV4MkaVI.json");
    writeFileSync(file, readFileSync(file, "utf8").replace('"queued"', '"paused"'));
    const [code, output] = await refused("--data", data);
    expect([code, output]).toEqual([2, expect.stringContaining("CUTOVER_DATA_UNMAPPED")]);
    expect(output).toContain('found "paused" in work-orders/2MFsmV4MkaVI.json');
  });

  test("a port that is taken", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const [code, output] = await refused("--port", String(port));
    other.close();
    expect([code, output]).toEqual([6, expect.stringContaining("CUTOVER_PORT_IN_USE")]);
  });

  test.each([["--fault", "nonsense"], ["--port", "http"], ["--prot", "80"], ["surplus"]])(
    "wrong options: %s %s",
    async (...args) => {
      const [code, output] = await refused(...args.filter((word) => word !== undefined));
      expect([code, output]).toEqual([2, expect.stringContaining("CUTOVER_CLI_USAGE")]);
    },
  );
});
