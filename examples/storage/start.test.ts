import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { places, readRecord } from "./engine/places.ts";
import { readOptions } from "./start/flags.ts";
import { endLeftovers } from "./start/processes.ts";

const example = import.meta.dirname;

/** Folders of a test's own; when it failed there may still be something in them to end. */
async function withFolder(body: (root: string) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "cutover-storage-"));
  try {
    await body(root);
  } finally {
    await endLeftovers(join(root, "current"));
    rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** The start script in folders of its own, with what it printed so far. */
class Start {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(root: string, args: readonly string[]) {
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
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const pidIn = (file: string): number | undefined => readRecord<{ pid: number }>(file)?.pid;

function kill(...pids: readonly (number | undefined)[]): void {
  for (const pid of pids) if (pid !== undefined) process.kill(pid, "SIGKILL");
}

// Both at once: each waits for its own processes most of the time.
test.concurrent(
  "killed in the copy and after the cutover, the store is replaced under load and nothing is lost",
  { timeout: 420_000 },
  () =>
    withFolder(async (root) => {
      const files = places(join(root, "current"));
      const first = new Start(root, []);
      await first.prints(/cache done/);
      kill(pidIn(files.engine), pidIn(files.load));
      await first.prints(/the engine is gone and is started again/);
      await first.prints(/integration begins/);
      // What the engine saw at the turn is counted by then.
      while (!existsSync(files.witness)) await new Promise((resolve) => setTimeout(resolve, 20));
      // Start script, migration, engine and load at once: none can tidy up.
      kill(first.child.pid, pidIn(join(root, "store/owner.json")), pidIn(files.engine), pidIn(files.load));
      await first.ended;

      const second = new Start(root, []);
      const code = await second.ended;
      expect(second.output).toMatch(/run \w+ of an earlier start is unfinished \(RUNNING\)/);
      expect(second.output).toMatch(/memories +1\d\d,\d\d\d on the new side/);
      expect(second.output).toMatch(/[1-9][\d,]* by the new side · 0 lost · 0 wrong · 0 of nobody/);
      expect(second.output).toMatch(/digests +equal at the turn to the new side · 1\d\d,\d\d\d memories/);
      expect(second.output).toMatch(
        /at the end +new side, read by its driver: equal · [1-9][\d,]* not written since/,
      );
      expect(second.output).toMatch(
        /at the end +old side, read by its driver: equal · [1-9][\d,]* not written since/,
      );
      expect(second.output).toMatch(/3 rows that are no memories, kept aside/);
      expect(second.output).toMatch(/the store was replaced under load; nothing was lost/);
      expect(code, second.output).toBe(0);
    }),
);

test.concurrent(
  "when the sign-off is refused after the cutover, everything goes back with all that was written meanwhile",
  { timeout: 420_000 },
  () =>
    withFolder(async (root) => {
      const start = new Start(root, ["--back"]);
      const code = await start.ended;
      expect(start.output).toMatch(/memories +1\d\d,\d\d\d on the old side/);
      expect(start.output).toMatch(/[1-9][\d,]* by the new side · 0 lost · 0 wrong · 0 of nobody/);
      expect(start.output).toMatch(/digests +equal at the turn to the new side · 1\d\d,\d\d\d memories/);
      expect(start.output).toMatch(/digests +equal at the turn to the old side · 1\d\d,\d\d\d memories/);
      expect(start.output).toMatch(
        /at the end +old side, read by its driver: equal · [1-9][\d,]* not written since/,
      );
      expect(start.output).toMatch(/as it should be: everything went back/);
      expect(code, start.output).toBe(0);
    }),
);

test.each([["--records", "few"], ["--bak"], ["surplus"], ["--full", "--records", "5000"], ["--rate", "0"]])(
  "wrong options are refused before anything starts: %s",
  (...args) => {
    expect(() => readOptions(args.filter((word) => word !== undefined))).toThrow(
      expect.objectContaining({ code: "CUTOVER_CLI_USAGE" }) as Error,
    );
  },
);
