import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Clock,
  CutoverError,
  type Json,
  type JsonObject,
  silentLog,
  systemClock,
} from "../core/index.ts";
import { command, type CommandOptions } from "./command.ts";
import { defineMigration } from "./define-migration.ts";
import { phase } from "./phase.ts";
import { startTime } from "./process-group.ts";
import type { RouteControl, StepContext } from "./step-kind.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cutover-command-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Seen {
  readonly context: StepContext;
  readonly abort: AbortController;
  readonly evidence: { name: string; data: JsonObject }[];
  saved: Json | undefined;
}

/** A context that keeps what a step stores; routes and gates are not for commands. */
function contextFor(input: Json, saved?: Json): Seen {
  const abort = new AbortController();
  const none = (): never => {
    throw new Error("a command has no routes and no gates");
  };
  const seen: Seen = {
    abort,
    evidence: [],
    saved,
    context: {
      runId: "r1",
      migration: "queue",
      phase: "move",
      step: "move/work",
      unit: undefined,
      input,
      attempt: 1,
      idempotencyKey: "k",
      fence: 1,
      signal: abort.signal,
      clock: systemClock,
      log: silentLog,
      workDir: folder,
      checkpoint: () => seen.saved,
      saveCheckpoint: (value) => {
        seen.saved = value;
        return Promise.resolve();
      },
      progress: () => {},
      evidence: (name, data) => {
        seen.evidence.push({ name, data });
        return Promise.resolve("id");
      },
      judge: none,
      ask: none,
      routes: { get: none, set: none, declarations: none, intervals: none } satisfies RouteControl,
    },
  };
  return seen;
}

function prepare(options: CommandOptions, saved?: Json): Seen & { kind: ReturnType<typeof command>["kind"] } {
  const made = command("work", options);
  return Object.assign(contextFor(made.input, saved), { kind: made.kind });
}

const script = (text: string): readonly [string, ...string[]] => ["sh", "-c", text];

async function refusalOf(work: Promise<unknown>): Promise<CutoverError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(CutoverError);
  return error as CutoverError;
}

/** Waits until the file exists and is not empty. */
async function written(file: string): Promise<string> {
  for (let tries = 0; tries < 400; tries++) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("\n")) return text.trim();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`${file} was never written`);
}

/** False once nothing but a zombie of it is left. */
const lives = (pid: string): boolean => {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", pid], { encoding: "utf8" }).startsWith("Z");
  } catch {
    return false;
  }
};

/** A clock on which 5 s of patience are over in 50 ms. */
const hundredfold: Clock = {
  now: () => systemClock.now() * 100,
  monotonic: () => systemClock.monotonic() * 100,
  after: (ms, fn) => systemClock.after(ms / 100, fn),
};

describe("a command step", () => {
  test("runs an argument list without a shell and keeps code and output as evidence", async () => {
    const { kind, context, evidence } = prepare({
      run: ["printf", "%s|", "$HOME", "a b", "*"],
      env: { A: "1" },
    });
    expect(await kind.start(context)).toMatchObject({ exit: 0, outputBytes: 12 });
    expect(evidence).toMatchObject([
      {
        name: "command",
        data: { exit: 0, output: "$HOME|a b|*|", command: ["printf", "%s|", "$HOME", "a b", "*"] },
      },
    ]);
  });

  test("runs in its folder with the environment added to ours, and never records the environment", async () => {
    const { kind, context, evidence } = prepare({
      run: script('pwd; echo "$TOKEN"; test -n "$PATH"'),
      cwd: folder,
      env: { TOKEN: "hidden" },
    });
    await kind.start(context);
    expect(evidence[0]?.data["output"]).toContain(`${folder}\nhidden\n`);
    expect(evidence[0]?.data).not.toHaveProperty("env");
  });

  test("fails on an exit code that was not expected, with the end of what it wrote", async () => {
    const { kind, context, evidence } = prepare({ run: script("echo reason >&2; exit 3") });
    const error = await refusalOf(kind.start(context));
    expect(error).toMatchObject({ code: "CUTOVER_STEP_FAILED", details: { exit: 3, output: "reason\n" } });
    expect(error.message).toMatch(/ended with exit code 3, expected 0$/);
    expect(evidence).toHaveLength(1);
  });

  test("succeeds on a code that was named, and fails when the output it needs is missing", async () => {
    const named = prepare({
      run: script("echo 3 passed; exit 5"),
      expect: { exit: [0, 5], output: /\d+ PASSED/i },
    });
    expect(await named.kind.start(named.context)).toMatchObject({ exit: 5 });
    const missing = prepare({ run: ["true"], expect: { output: "passed" } });
    expect((await refusalOf(missing.kind.start(missing.context))).message).toBe(
      'true did not write "passed"',
    );
  });

  test("says what is wrong when the program or its folder does not exist", async () => {
    const { kind, context } = prepare({ run: ["no-such-program-here"] });
    expect(await refusalOf(kind.start(context))).toMatchObject({
      code: "CUTOVER_STEP_FAILED",
      message: 'expected to start "no-such-program-here": no such file or folder',
    });
    const lost = prepare({ run: ["true"], cwd: join(folder, "gone") });
    expect((await refusalOf(lost.kind.start(lost.context))).message).toContain(join(folder, "gone"));
  });

  test("keeps start and end of a long output and counts the rest", async () => {
    const { kind, context, evidence } = prepare({
      run: script("echo first; yes | head -c 1000000; echo last"),
    });
    await kind.start(context);
    const [kept] = evidence;
    const { output, outputBytes } = (kept?.data ?? {}) as { output: string; outputBytes: number };
    expect(outputBytes).toBe(1_000_011);
    expect(output.length).toBeLessThan(33_000);
    expect(output).toMatch(/^first\n[^]*\n… \d+ bytes left out …\n[^]*last\n$/);
  });

  test("ends with everything it started when the run aborts, and throws the reason of the abort", async () => {
    const { kind, context, abort } = prepare({
      run: script(`sleep 300 & echo $! > ${folder}/child; echo $$ > ${folder}/own; wait`),
    });
    const work = kind.start(context);
    const pids = [await written(join(folder, "child")), await written(join(folder, "own"))];
    expect(pids.map(lives)).toEqual([true, true]);
    abort.abort(new CutoverError("CUTOVER_INTERRUPTED", { message: "paused" }));
    expect((await refusalOf(work)).code).toBe("CUTOVER_INTERRUPTED");
    expect(pids.map(lives)).toEqual([false, false]);
  });

  test("is killed when it ignores the polite signal for 5 s", async () => {
    const { kind, context, abort } = prepare({
      run: script(`trap "" TERM; echo $$ > ${folder}/own; while :; do sleep 0.05; done`),
    });
    const work = kind.start({ ...context, clock: hundredfold });
    const own = await written(join(folder, "own"));
    abort.abort(new CutoverError("CUTOVER_STEP_TIMEOUT", { message: "over its limit" }));
    expect((await refusalOf(work)).code).toBe("CUTOVER_STEP_TIMEOUT");
    expect(lives(own)).toBe(false);
  });

  test("does not even start when the run has aborted before", async () => {
    const { kind, context, abort } = prepare({ run: ["touch", "started"], cwd: folder });
    abort.abort(new CutoverError("CUTOVER_INTERRUPTED", { message: "paused" }));
    await refusalOf(kind.start(context));
    await expect(readFile(join(folder, "started"))).rejects.toThrow("ENOENT");
  });

  test("is done when it ended, also while a service it left behind holds its output open", async () => {
    const { kind, context } = prepare({ run: script(`sleep 300 & echo $! > ${folder}/service`) });
    expect(await kind.start(context)).toMatchObject({ exit: 0 });
    const service = await written(join(folder, "service"));
    expect(lives(service)).toBe(true);
    process.kill(Number(service));
  });

  test("ends what a killed engine left running before it starts again", async () => {
    const first = prepare({ run: script(`echo $$ > ${folder}/first; sleep 300`) });
    const work = first.kind.start(first.context);
    work.catch(() => {});
    const left = await written(join(folder, "first"));
    const again = prepare({ run: script(`kill -0 ${left} && exit 9; exit 0`) }, first.saved);
    expect(await again.kind.start(again.context)).toMatchObject({ exit: 0 });
    expect((await refusalOf(work)).message).toContain("was ended by SIGTERM");
  });

  test("leaves a process alone that only has the number of an old one", async () => {
    const { kind, context } = prepare({ run: ["true"] }, { pid: process.pid, started: "another time" });
    expect(await kind.start(context)).toMatchObject({ exit: 0 });
    expect(await startTime(process.pid)).toMatch(/^\d+$|\d\d:\d\d/);
  });

  test.each([
    ["exit 0", { kind: "done", result: { exit: 0, verified: true } }],
    ["exit 1", { kind: "not-done" }],
    ["exit 2", { kind: "unknown", reason: 'sh -c "exit 2" ended with 2, expected 0 or 1' }],
  ])("its verify command answers with %s", async (text, expected) => {
    const { kind, context } = prepare({ run: ["true"], verify: script(text) });
    expect(await kind.verify?.(context)).toEqual(expected);
  });

  test("its rollback command undoes it, and a failing one says so", async () => {
    await writeFile(join(folder, "mark"), "");
    const good = prepare({ run: ["true"], rollback: ["rm", "mark"], cwd: folder });
    await good.kind.rollback?.(good.context);
    await expect(readFile(join(folder, "mark"))).rejects.toThrow("ENOENT");
    expect(await refusalOf(good.kind.rollback?.(good.context) ?? Promise.resolve())).toMatchObject({
      code: "CUTOVER_STEP_FAILED",
    });
  });

  test.each<[CommandOptions, string]>([
    [{ run: [] as never }, "expected `run` to be a program and its arguments, found a list of 0"],
    [{ run: "npm test" as never }, 'expected `run` to be a program and its arguments, found "npm test"'],
    [{ run: ["a", 1] as never }, "expected `run` to be a program and its arguments, found a list of 2"],
    [
      { run: ["a"], rollback: ["b\0"] },
      "expected `rollback` to be a program and its arguments, found a list of 1",
    ],
    [{ run: ["a"], cwd: "" }, 'expected `cwd` to be a folder, found ""'],
    [{ run: ["a"], env: { A: 1 } as never }, "expected `env` to hold texts only"],
    [
      { run: ["a"], expect: { exit: [300] } },
      "expected `expect.exit` to be a list of exit codes 0 … 255, found [300]",
    ],
    [
      { run: ["a"], expect: { output: 5 as never } },
      "expected `expect.output` to be a text or a regular expression, found 5",
    ],
    [{ run: ["a"], estimate: "soon" }, 'expected `estimate` to be a duration, found "soon"'],
  ])("refuses %j when it is defined", (options, message) => {
    const define = (): unknown =>
      defineMigration({ name: "queue", phases: [phase("move", { steps: [command("work", options)] })] });
    expect(define).toThrow(message);
  });

  test("tells what it would run, for how long and where", async () => {
    const { kind, input } = command("tests", {
      run: ["npm", "test", "--", "a b"],
      cwd: "old",
      estimate: "2m",
    });
    expect(await kind.plan(input)).toEqual({
      summary: 'run npm test -- "a b"',
      estimateMs: 120_000,
      touches: ["old"],
    });
    const summed = command("tests", { run: ["npm", "test"], summary: "old tests" });
    expect(await summed.kind.plan(summed.input)).toEqual({ summary: "old tests" });
  });
});
