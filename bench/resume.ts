/**
 * Time from `kill -9` to the next step running, with 10,000 finished steps behind it and the start of the process
 * included; and what a durable step costs on the way there. Drives the built command line.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const rounds = 9;
const steps = 10_000;
const root: string = join(import.meta.dirname, "..");

export async function run(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-bench-resume-"));
  try {
    cpSync(join(import.meta.dirname, "resume/crossing.ts"), join(dir, "crossing.ts"));
    mkdirSync(join(dir, "node_modules"));
    symlinkSync(root, join(dir, "node_modules/cutover"));
    let child = cli(dir, "run");
    const started = await nextStart(dir, 0);
    const step = await stepCost(dir);
    const times: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      const killed = Date.now();
      child.kill("SIGKILL");
      child = cli(dir, "resume");
      times.push((await nextStart(dir, round)).at - killed);
    }
    child.kill("SIGKILL");
    times.sort((a, b) => a - b);
    const [median, low, high] = [times[4] as number, times[0] as number, times[8] as number];
    console.log(`${steps} finished steps, ${rounds} rounds, process ${started.pid} killed first\n`);
    console.log(
      "                                   median      range     measured by others on such a machine",
    );
    console.log(
      `kill -9 → next step running      ${pad(median)} ms  ${low}–${high} ms  Restate 530 ms · DBOS 1,300 ms · openworkflow 29 s · BullMQ 30 s`,
    );
    console.log(
      `one durable step                ${step.toFixed(3)} ms                openworkflow on SQLite 0.50 ms · Restate 0.95 ms · DBOS 1.5 ms\n`,
    );
    console.log(`reach resume: ${median <= 300 ? "met" : "short"}, ${median} ms median, ≤ 300 ms`);
    console.log(`reach durable step: ${step <= 0.3 ? "met" : "short"}, ${step.toFixed(3)} ms, ≤ 0.3 ms`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const pad = (value: number): string => String(value).padStart(6);

function cli(dir: string, command: string): ChildProcess {
  const main = join(root, "dist/cli/main.js");
  if (!existsSync(main))
    throw new Error("expected dist/cli/main.js, found nothing; run `npm run build` first");
  return spawn(process.execPath, [main, command, ...(command === "run" ? ["crossing.ts"] : [])], {
    cwd: dir,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

interface Start {
  readonly pid: number;
  readonly at: number;
}

/** Waits until line `index` of the steps' own record is there, two minutes at most. */
async function nextStart(dir: string, index: number): Promise<Start> {
  const file = join(dir, "started.ndjson");
  for (let waited = 0; waited < 120_000; waited += 5) {
    const line = existsSync(file) ? readFileSync(file, "utf8").split("\n")[index] : undefined;
    if (line) return JSON.parse(line) as Start;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`expected the step to start within two minutes, it did not (start ${index})`);
}

/** Milliseconds from the first step's start to the last one's, by the record's own times, over the steps between. */
async function stepCost(dir: string): Promise<number> {
  const { DatabaseSync } = await import("node:sqlite");
  const db = new DatabaseSync(join(dir, ".cutover/cutover.db"), { readOnly: true });
  const span = db.prepare("SELECT min(started_at) AS low, max(started_at) AS high FROM steps").get() as {
    low: number;
    high: number;
  };
  db.close();
  return (span.high - span.low) / steps;
}
