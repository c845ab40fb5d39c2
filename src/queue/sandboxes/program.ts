import { type ChildProcess, spawn } from "node:child_process";
import {
  type Clock,
  CutoverError,
  faultPoint,
  type Json,
  type JsonObject,
  type Timer,
} from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { baseEnvironment, isAlive, markProcess, type ProcessMark, signal } from "../machine.ts";
import { BoundedOutput } from "./bounded-output.ts";
import type { WorkOrder } from "./in-process.ts";
import { memoryError } from "./memory-error.ts";
import {
  claimEnvironment,
  claimMark,
  claimProcesses,
  claimsInSight,
  endProcesses,
  groupGone,
  sendTo,
} from "./process-group.ts";
import { type OutcomeSettings, outputEnds, type ProgramEnd, programResult } from "./program-outcome.ts";
import type { ProcessWatch, Reading, Watched } from "./process-watch.ts";
import type { Execution, Usage, WorkTools } from "./sandbox.ts";
import { spawnTurn } from "./spawn-turns.ts";
import type { Command } from "./subprocess.ts";

/** How long streams may stay open after the program ended: a process outside its group may hold them. */
const drainMs = 1_000;

/** Options of `subprocess` as the program uses them. */
export interface ProgramSettings extends OutcomeSettings {
  readonly enforceMemory: boolean;
  readonly memoryGraceMs: number;
}

/** One attempt of an order as a program. */
export class Program implements Execution {
  readonly #order: OrderRecord;
  readonly #tools: WorkTools;
  readonly #command: Command;
  readonly #settings: ProgramSettings;
  readonly #clock: Clock;
  readonly #watch: ProcessWatch | undefined;
  #child: ChildProcess | undefined;
  #watched: Watched | undefined;
  #over: Reading | undefined;
  /** Its processes besides the leader, as they were told to end: also those that left the group. */
  #others: readonly ProcessMark[] = [];
  /** Asked to end; one that has not begun never does. */
  #cancelled = false;
  /** Ended from outside: it had no time to end what it started. */
  #forced = false;
  #killer: Timer | undefined;
  #ended: Promise<void> = Promise.resolve();

  constructor(
    order: OrderRecord,
    tools: WorkTools,
    command: Command,
    settings: ProgramSettings,
    clock: Clock,
    watch: ProcessWatch | undefined,
  ) {
    this.#order = order;
    this.#tools = tools;
    this.#command = command;
    this.#settings = settings;
    this.#clock = clock;
    this.#watch = watch;
  }

  async run(attach: (trace: JsonObject) => Promise<void>): Promise<Json> {
    const { file, input } = this.#command;
    await spawnTurn();
    this.#tools.signal.throwIfAborted();
    if (this.#cancelled) throw this.#never(file);
    faultPoint("queue.spawn.before");
    const child = this.#spawn();
    this.#child = child;
    const out = new BoundedOutput(this.#settings.output);
    const err = new BoundedOutput(this.#settings.output);
    child.stdout?.on("data", (chunk: Buffer) => out.write(chunk));
    // Its end is near: the last moment at which the whole of its processor time can be read.
    child.stdout?.once("end", () => this.#watched?.look());
    child.stderr?.on("data", (chunk: Buffer) => err.write(chunk));
    const exit = this.#exit(child);
    this.#ended = exit.then(
      () => {},
      () => {},
    );
    if (child.pid !== undefined) {
      faultPoint("queue.spawn.after-before-record");
      const { pid, startTime } = markProcess(child.pid);
      const limit = this.#settings.enforceMemory ? this.#order.memory : 0;
      this.#watched = this.#watch?.add({ pid, startTime }, limit, (reading) => this.#tooMuch(reading));
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
    const end: ProgramEnd = { code, signal: signalName, stdout: out.text(), stderr: err.text() };
    if (this.#over !== undefined) {
      throw memoryError(this.#order, this.#over.rss, { processes: this.#over.processes, ...outputEnds(end) });
    }
    return programResult(file, end, this.#order as WorkOrder, this.#settings);
  }

  async cancel(graceMs: number): Promise<void> {
    this.#cancelled = true;
    const child = this.#child;
    if (child?.pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      this.#forced = true;
      this.#signalAll("SIGTERM");
      const timer = this.#clock.after(graceMs, () => this.#signalAll("SIGKILL"));
      await this.#ended;
      timer.cancel();
    }
    await this.#ended;
  }

  async cleanup(): Promise<void> {
    // Only when something kept the streams open: a child of the program lives on outside its group. Or when it was ended by
    // force: one that it started since the last look was never seen.
    if (!this.#lingering && this.#over === undefined && !this.#forced) return;
    const claim = claimMark(this.#order);
    if (!this.#others.some(isAlive) && !(await this.#mayBeInSight(claim))) return;
    await endProcesses(() => claimProcesses(claim).own, 0, this.#clock, this.#others);
  }

  /** True also when nobody can tell now. */
  async #mayBeInSight(claim: string): Promise<boolean> {
    try {
      return (await claimsInSight()).has(claim);
    } catch {
      return true;
    }
  }

  usage(): Usage | undefined {
    return this.#watched?.usage;
  }

  #lingering = false;

  /** Over its memory: asked to end, then ended; at once when it does not stop taking more. */
  #tooMuch(reading: Reading): void {
    const first = this.#over === undefined;
    if (first || reading.rss > (this.#over?.rss ?? 0)) this.#over = reading;
    if (reading.rss > 2 * this.#order.memory) return this.#signalAll("SIGKILL");
    if (!first) return;
    this.#signalAll("SIGTERM");
    this.#killer = this.#clock.after(this.#settings.memoryGraceMs, () => this.#signalAll("SIGKILL"));
  }

  /** The group, and members of it that left it. */
  #signalAll(name: NodeJS.Signals): void {
    const group = this.#child?.pid;
    if (group === undefined || this.#child?.exitCode !== null || this.#child.signalCode !== null) return;
    // Before the signal: who has lost its parent is found no more.
    this.#watched?.lookAround();
    signal(-group, name);
    this.#others = (this.#watched?.marks ?? []).filter(({ pid }) => pid !== group);
    sendTo(this.#others, name);
  }

  /** Settles when the program ended, its group is gone and its output was read. */
  #exit(child: ChildProcess): Promise<{ code: number | null; signalName: NodeJS.Signals | null }> {
    return new Promise((resolve, reject) => {
      child.once("error", (cause) => {
        // The program could not be started; a failed kill also comes here and is no reason to give up.
        if (child.pid === undefined) reject(this.#notStarted(cause));
      });
      child.once("exit", (code, signalName) => {
        this.#watched?.stop();
        this.#killer?.cancel();
        // At this moment the number is still the group's as long as anybody is left in it.
        const left = child.pid !== undefined && signal(-child.pid, "SIGKILL");
        const group = left ? groupGone(child.pid, this.#clock) : undefined;
        const timer = this.#clock.after(drainMs, () => {
          this.#lingering = true;
          child.stdout?.destroy();
          child.stderr?.destroy();
        });
        child.once("close", () => {
          timer.cancel();
          const end = { code, signalName };
          if (group === undefined) resolve(end);
          else void group.then(() => resolve(end));
        });
      });
    });
  }

  #spawn(): ChildProcess {
    const { file, args = [], cwd, env = {}, input } = this.#command;
    try {
      return spawn(file, args, {
        ...(cwd === undefined ? {} : { cwd }),
        env: { ...baseEnvironment(), ...env, ...claimEnvironment(this.#order, this.#tools) },
        stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
        shell: false,
        // A group of its own: it is ended as a whole, and Ctrl-C in the terminal does not reach it before the queue.
        detached: true,
      });
    } catch (error) {
      // Node tells of a missing program by an event, of a folder that is a file or arguments that are too long like this.
      throw this.#notStarted(error as NodeJS.ErrnoException);
    }
  }

  #never(file: string): CutoverError {
    return new CutoverError("CUTOVER_ORDER_FAILED", {
      message: `${file} was not started: its order was to end before its turn came`,
      details: { file },
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
}
