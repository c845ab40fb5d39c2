import { type ChildProcess, spawn } from "node:child_process";
import {
  type Clock,
  CutoverError,
  faultPoint,
  type Json,
  type JsonObject,
  systemClock,
} from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { baseEnvironment, markProcess, type ProcessMark, signal } from "../machine.ts";
import { invalid } from "../settings.ts";
import { parseSize, type Size } from "../size.ts";
import { BoundedOutput } from "./bounded-output.ts";
import type { WorkOrder } from "./in-process.ts";
import { claimMark, endProcesses, environmentNames, processesOf } from "./process-group.ts";
import type { Execution, Sandbox, WorkTools } from "./sandbox.ts";

/** A program to start: an argument list, never a shell line. */
export interface Command {
  readonly file: string;
  readonly args?: readonly string[];
  /** Folder it runs in. Default: that of this process. */
  readonly cwd?: string;
  /**
   * Added to a small base (PATH, HOME, LANG, TZ, TMPDIR …); nothing else of this process's environment is handed
   * on. CUTOVER_ORDER_ID, CUTOVER_ORDER_KIND, CUTOVER_FENCE, CUTOVER_ATTEMPT and CUTOVER_IDEMPOTENCY_KEY are set.
   */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. Default: no input. */
  readonly input?: string;
}

export interface ProgramOutput {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SubprocessOptions<Payload> {
  readonly command: (order: WorkOrder<Payload>, tools: WorkTools) => Command | Promise<Command>;
  /** Most bytes kept of each of stdout and stderr; more is cut in the middle with a note. Default `"64 kB"`. */
  readonly output?: Size;
  /** Makes the order's result out of what the program wrote. Default: exit code, stdout and stderr. */
  readonly result?: (output: ProgramOutput, order: WorkOrder<Payload>) => Json;
  /** Exit codes that another attempt cannot mend. Default none. */
  readonly fatalExitCodes?: readonly number[];
}

/** How long streams may stay open after the program ended: a process outside its group may hold them. */
const drainMs = 1_000;

/**
 * Runs each order as a program in a process group of its own. Exit code 0 is success, everything else a failure
 * (CUTOVER_ORDER_FAILED with exit code or signal and the output's end). When the program ends, what it left
 * running in its group is ended too.
 */
export function subprocess<Payload = Json>(
  options: SubprocessOptions<Payload>,
  clock: Clock = systemClock,
): Sandbox {
  const limit = parseSize(options.output ?? "64 kB", "output");
  return {
    provider: "subprocess",
    async prepare(order, tools) {
      const command = await options.command(order as WorkOrder<Payload>, tools);
      if (typeof command?.file !== "string" || command.file === "") {
        throw invalid("command.file", "the name or path of a program", command?.file);
      }
      return new Program(order, tools, command, limit, options as SubprocessOptions<Json>, clock);
    },
    findOrphan: (order) => findProgram(order, clock),
  };
}

/** Programs of an order whose worker is gone. Also finds one that was started but never recorded. */
export function findProgram(order: OrderRecord, clock: Clock): ReturnType<Sandbox["findOrphan"]> {
  const { pid, startTime } = order.sandbox ?? {};
  const recorded: ProcessMark | undefined =
    typeof pid === "number"
      ? { pid, startTime: typeof startTime === "string" ? startTime : null }
      : undefined;
  const find = (): readonly ProcessMark[] => processesOf(claimMark(order), recorded);
  const found = find();
  if (found.length === 0) return undefined;
  return {
    description: `processes ${found.map((mark) => mark.pid).join(", ")}`,
    end: (graceMs) => endProcesses(find, graceMs, clock),
  };
}

class Program implements Execution {
  readonly #order: OrderRecord;
  readonly #tools: WorkTools;
  readonly #command: Command;
  readonly #limit: number;
  readonly #options: SubprocessOptions<Json>;
  readonly #clock: Clock;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    order: OrderRecord,
    tools: WorkTools,
    command: Command,
    limit: number,
    options: SubprocessOptions<Json>,
    clock: Clock,
  ) {
    this.#order = order;
    this.#tools = tools;
    this.#command = command;
    this.#limit = limit;
    this.#options = options;
    this.#clock = clock;
  }

  async run(attach: (trace: JsonObject) => Promise<void>): Promise<Json> {
    const { file, args = [], cwd, env = {}, input } = this.#command;
    faultPoint("queue.spawn.before");
    const child = spawn(file, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...baseEnvironment(), ...env, ...this.#marks() },
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      shell: false,
      // A group of its own: it is ended as a whole, and Ctrl-C in the terminal does not reach it before the queue.
      detached: true,
    });
    this.#child = child;
    const out = new BoundedOutput(this.#limit);
    const err = new BoundedOutput(this.#limit);
    child.stdout?.on("data", (chunk: Buffer) => out.write(chunk));
    child.stderr?.on("data", (chunk: Buffer) => err.write(chunk));
    const exit = this.#exit(child);
    this.#ended = exit.then(
      () => {},
      () => {},
    );
    if (child.pid !== undefined) {
      faultPoint("queue.spawn.after-before-record");
      const { pid, startTime } = markProcess(child.pid);
      try {
        await attach({ provider: "subprocess", pid, startTime, file });
      } catch (error) {
        await this.cancel(0);
        throw error;
      }
      faultPoint("queue.spawn.after-record");
      // A program that ends without reading its input must not bring this process down with EPIPE.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
    }
    const { code, signalName } = await exit;
    const output = { exitCode: code ?? -1, stdout: out.text(), stderr: err.text() };
    if (code === 0) {
      return this.#options.result?.(output, this.#order as WorkOrder) ?? { ...output };
    }
    const fatal = code !== null && this.#options.fatalExitCodes?.includes(code) === true;
    throw new CutoverError("CUTOVER_ORDER_FAILED", {
      message:
        code === null
          ? `${file} was ended by ${signalName ?? "a signal"}`
          : `${file} ended with exit code ${code}`,
      details: {
        exitCode: code,
        signal: signalName,
        stdout: output.stdout.slice(-2_000),
        stderr: output.stderr.slice(-2_000),
        ...(fatal ? { class: "fatal" } : {}),
      },
    });
  }

  async cancel(graceMs: number): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      const group = -child.pid;
      signal(group, "SIGTERM");
      const timer = this.#clock.after(graceMs, () => signal(group, "SIGKILL"));
      await this.#ended;
      timer.cancel();
    }
    await this.#ended;
  }

  async cleanup(): Promise<void> {
    // Only when something kept the streams open: a child of the program lives on outside its group.
    if (this.#lingering) await endProcesses(() => processesOf(claimMark(this.#order)), 0, this.#clock);
  }

  #lingering = false;

  /** Settles when the program ended, its group was ended and its output was read. */
  #exit(child: ChildProcess): Promise<{ code: number | null; signalName: NodeJS.Signals | null }> {
    return new Promise((resolve, reject) => {
      child.once("error", (cause) => {
        // The program could not be started; a failed kill also comes here and is no reason to give up.
        if (child.pid === undefined) reject(this.#notStarted(cause));
      });
      child.once("exit", (code, signalName) => {
        // At this moment the number is still the group's as long as anybody is left in it.
        if (child.pid !== undefined) signal(-child.pid, "SIGKILL");
        const timer = this.#clock.after(drainMs, () => {
          this.#lingering = true;
          child.stdout?.destroy();
          child.stderr?.destroy();
        });
        child.once("close", () => {
          timer.cancel();
          resolve({ code, signalName });
        });
      });
    });
  }

  #notStarted(cause: NodeJS.ErrnoException): CutoverError {
    const { file, cwd } = this.#command;
    return new CutoverError("CUTOVER_ORDER_FAILED", {
      message: `${file} could not be started${cwd === undefined ? "" : ` in ${cwd}`}: ${cause.code ?? cause.message}`,
      details: { file, reason: cause.code },
      remedy: "check that the program and its folder exist and may be used",
      cause,
    });
  }

  #marks(): Record<string, string> {
    return {
      [environmentNames.order]: this.#order.id,
      [environmentNames.kind]: this.#order.kind,
      [environmentNames.fence]: String(this.#tools.fence),
      [environmentNames.attempt]: String(this.#tools.attempt),
      [environmentNames.key]: this.#tools.idempotencyKey,
      [environmentNames.claim]: claimMark(this.#order),
    };
  }
}
