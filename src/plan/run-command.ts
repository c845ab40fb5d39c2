import { spawn } from "node:child_process";
import { env as inherited } from "node:process";
import { type Clock, CutoverError, sleep } from "../core/index.ts";
import { BoundedOutput } from "./bounded-output.ts";
import { endGroup, type GroupMark, startTime } from "./process-group.ts";

export interface CommandOutcome {
  /** Null when a signal ended it. */
  readonly exit: number | null;
  readonly signal: string | null;
  readonly ms: number;
  /** Standard output and error as they came, bounded. */
  readonly output: string;
  readonly outputBytes: number;
  /** Standard output alone, bounded. */
  readonly stdout: BoundedOutput;
}

export interface CommandRun {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string | undefined;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called once the process runs; the command's end is not reported before it resolves. */
  readonly started: (mark: GroupMark) => Promise<void>;
}

/** How long pipes may stay open after the process ended: a service it started may hold them for ever. */
const pipeGrace = 500;

/**
 * Runs an argument list without a shell, in a process group of its own. Resolves with its outcome whatever the exit
 * code; when `signal` aborts, the whole group is ended first and then the signal's reason thrown. A service that
 * the command left running on purpose is not touched.
 *
 * @throws CUTOVER_STEP_FAILED when it cannot be started.
 */
export async function runCommand(run: CommandRun): Promise<CommandOutcome> {
  run.signal.throwIfAborted();
  const { clock } = run;
  const began = clock.monotonic();
  const child = spawn(run.file, run.args, {
    ...(run.cwd === undefined ? {} : { cwd: run.cwd }),
    env: { ...inherited, ...run.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true, // its own group, so that it ends together with everything it started
  });
  const output = new BoundedOutput();
  const stdout = new BoundedOutput();
  child.stdout.on("data", (chunk: Buffer) => {
    output.push(chunk);
    stdout.push(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const ended = new Promise<{ exit: number | null; signal: string | null }>((resolve, reject) => {
    child.once("error", (error) => reject(notStarted(run, error)));
    child.once("exit", (exit, signal) => resolve({ exit, signal }));
  });
  const { pid } = child;
  if (pid === undefined) return await (ended as Promise<never>);
  ended.catch(() => {});

  let ending: Promise<void> | undefined;
  const end = (): void => void (ending ??= endGroup(pid, clock));
  run.signal.addEventListener("abort", end, { once: true });
  try {
    const started = await startTime(pid);
    // A command can be over before its start time is read; then there is nothing to find again either.
    if (started !== undefined) await run.started({ pid, started });
    const { exit, signal } = await ended;
    await drained(closed, clock);
    if (ending === undefined)
      return {
        exit,
        signal,
        ms: clock.monotonic() - began,
        output: output.text(),
        outputBytes: output.bytes,
        stdout,
      };
  } catch (error) {
    end();
    await ending;
    throw error;
  } finally {
    run.signal.removeEventListener("abort", end);
    child.stdout.destroy();
    child.stderr.destroy();
  }
  await ending;
  throw run.signal.reason;
}

async function drained(closed: Promise<void>, clock: Clock): Promise<void> {
  const over = new AbortController();
  const limit = sleep(clock, pipeGrace, over.signal).catch(() => {});
  await Promise.race([closed, limit]);
  over.abort();
}

function notStarted(run: CommandRun, error: NodeJS.ErrnoException): CutoverError {
  const what = error.code === "ENOENT" ? "no such file or folder" : error.message;
  return new CutoverError("CUTOVER_STEP_FAILED", {
    message: `expected to start "${run.file}"${run.cwd === undefined ? "" : ` in ${run.cwd}`}: ${what}`,
    details: { file: run.file, reason: error.code ?? error.message },
    remedy: "check that the program is installed, can be executed, and that the folder exists",
    cause: error,
  });
}
