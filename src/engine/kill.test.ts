import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../core/index.ts";
import { openSqliteStore } from "../store/index.ts";

const source = new URL("..", import.meta.url).href;

/** A process that starts or takes up the run in its folder, and ends itself with SIGKILL at a named place. */
const program = `
import { appendFileSync, existsSync, rmSync } from "node:fs";
import { setFaultHandler, silentLog, sleep, systemClock } from "${source}core/index.ts";
import { createEngine } from "${source}engine/index.ts";
import { defineMigration, phase, step } from "${source}plan/index.ts";
import { openSqliteStore } from "${source}store/index.ts";

const [dir, breaks, point] = process.argv.slice(2);
const write = (name) => step(name, {
  run: async (context) => {
    appendFileSync(dir + "/" + name, "attempt " + context.attempt + "\\n");
    await context.saveCheckpoint({ half: true });
    await context.evidence("size", { name });
    await sleep(systemClock, 5, context.signal);
    if (breaks === "breaks" && name === "c") throw new Error("the new side broke");
    return name;
  },
  rollback: () => rmSync(dir + "/" + name, { force: true }),
});
const migration = defineMigration({
  name: "killed",
  phases: [
    phase("one", { steps: [write("a"), write("b")] }),
    phase("two", { steps: [write("c")] }),
  ],
});
const store = await openSqliteStore({ path: dir + "/cutover.db", clock: systemClock });
const owner = "process " + process.pid;
const engine = createEngine({ store, clock: systemClock, log: silentLog, owner, dir, isDead: () => true });
if (point !== undefined) setFaultHandler((name) => {
  if (name === point) process.kill(process.pid, "SIGKILL");
});
const [known] = await store.runs.list();
const handle = known === undefined
  ? await engine.start(migration, { by: "ann", source: "killed.ts" })
  : await engine.resume(known.id, migration, { by: "ann" });
const { state } = await handle.done;
await store.close();
console.log(state);
`;

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-kill-"));
  await writeFile(join(dir, "child.ts"), program);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function child(
  ...args: readonly string[]
): Promise<{ readonly signal: string | null; readonly out: string }> {
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, [join(dir, "child.ts"), dir, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let out = "";
    let errors = "";
    started.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    started.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
    started.on("error", reject);
    started.on("close", (code, signal) => {
      if (code !== 0 && signal === null) reject(new Error(errors));
      else resolve({ signal, out: out.trim() });
    });
  });
}

async function expectWholeChain(): Promise<void> {
  await using store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
  expect(await store.events.verify()).toMatchObject({ whole: true });
}

describe("a process ended with kill -9", () => {
  const forward = [
    "engine.run.after-create",
    "engine.step.after-intent",
    "engine.checkpoint.after",
    "engine.step.before-result",
    "engine.seal.before",
    "engine.run.before-finish",
  ];
  test.each(forward)("at %s is followed by one that finishes the run", async (point) => {
    expect(await child("works", point)).toMatchObject({ signal: "SIGKILL" });
    expect(await child("works")).toEqual({ signal: null, out: "COMPLETED" });
    for (const name of ["a", "b", "c"]) {
      const lines = (await readFile(join(dir, name), "utf8")).trim().split("\n");
      expect(lines.length).toBeLessThanOrEqual(2);
    }
    await expectWholeChain();
  });

  const back = [
    "engine.step.before-failure",
    "engine.rollback.before-intent",
    "engine.rollback.after-intent",
    "engine.rollback.before-result",
    "engine.rollback.before-close",
  ];
  test.each(back)("at %s is followed by one that takes the run back", async (point) => {
    expect(await child("breaks", point)).toMatchObject({ signal: "SIGKILL" });
    expect(await child("breaks")).toEqual({ signal: null, out: "ROLLED_BACK" });
    for (const name of ["a", "b", "c"]) expect(existsSync(join(dir, name))).toBe(false);
    await expectWholeChain();
  });
});
