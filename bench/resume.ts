/**
 * Time from `kill -9` to the next step running, with 10,000 finished steps behind it and the start of the process
 * included; and what a durable step costs on the way there, beside openworkflow on SQLite in the same minutes. Drives
 * the built command line.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { benchOptions } from "./measure/options.ts";
import { openworkflowStep, peerSteps } from "./resume/openworkflow.ts";

const walks = 3;
const rounds = 9;
const steps = 10_000;
const root: string = join(import.meta.dirname, "..");

export async function run(): Promise<void> {
  benchOptions({});
  const dir = mkdtempSync(join(tmpdir(), "cutover-bench-resume-"));
  try {
    const ours: number[] = [];
    const theirs: number[] = [];
    const times: number[] = [];
    for (let walk = 1; walk <= walks; walk++) {
      const place = project(join(dir, `walk-${walk}`));
      let child = cli(place, "run");
      await nextStart(place, 0);
      ours.push(await stepCost(place));
      // The last walk is the one that is killed again and again.
      for (let round = 1; walk === walks && round <= rounds; round++) {
        const killed = Date.now();
        child.kill("SIGKILL");
        child = cli(place, "resume");
        times.push((await nextStart(place, round)).at - killed);
      }
      child.kill("SIGKILL");
      theirs.push(await openworkflowStep(place));
    }
    print(times, ours, theirs);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A project with the crossing of ten thousand steps. */
function project(dir: string): string {
  mkdirSync(join(dir, "node_modules"), { recursive: true });
  cpSync(join(import.meta.dirname, "resume/crossing.ts"), join(dir, "crossing.ts"));
  symlinkSync(root, join(dir, "node_modules/cutover"));
  return dir;
}

function print(times: readonly number[], ours: readonly number[], theirs: readonly number[]): void {
  const resume = median(times);
  const step = median(ours);
  const row = (what: string, values: readonly number[], digits: number, others: string): void =>
    console.log(
      `${what.padEnd(40)}${median(values).toFixed(digits).padStart(7)} ms  ` +
        `${`${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`.padEnd(13)}${others}`,
    );
  console.log(
    `${steps} finished steps, killed ${rounds} times; ${walks} walks of ${steps} steps, ${peerSteps} for openworkflow\n`,
  );
  console.log(`${"".padEnd(40)} median     range        published by others`);
  row("kill -9 → next step running", times, 0, "Restate 530 · DBOS 1,300 · openworkflow 29,000");
  row("one durable step", ours, 3, "Restate 0.95 · DBOS 1.5");
  row("one durable step, openworkflow on SQLite", theirs, 3, "measured here");
  console.log(`\nreach resume: ${resume <= 300 ? "met" : "short"}, ${resume} ms median, ≤ 300 ms`);
  console.log(`reach durable step: ${step <= 0.3 ? "met" : "short"}, ${step.toFixed(3)} ms, ≤ 0.3 ms`);
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

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
