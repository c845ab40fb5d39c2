import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { QueueFull } from "../old/old-queue.ts";
import type { WorkOrder } from "../old/work-order.ts";
import type { CallName, NewQueueCalls, ReplyMessage } from "./messages.ts";

/** The new queue's process is gone and this call's outcome is not known. */
export class NewSideGone extends Error {
  constructor() {
    super("the new queue's process ended before it answered");
  }
}

/** The new queue refused or failed; it did not take effect. */
export class NewSideFailed extends Error {}

/** How long a dead process stays away before it is started again. */
const restartAfterMs = 500;
/** How long a call waits for a process that is being started. */
const patienceMs = 15_000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface NewSideOptions {
  readonly workDir: string;
  readonly onEnded: (order: WorkOrder) => void;
  /** The process came back: what it ended before may not have been told. */
  readonly onReturn: () => void;
  readonly warn: (message: string) => void;
}

/**
 * The new queue as the server sees it: a process of its own, so that nothing it does (crash, leak, block) can take the
 * server along. It is started again when it ends; its own recovery goes on with the orders it held.
 */
export class NewSide {
  readonly #options: NewSideOptions;
  #child: ChildProcess | undefined;
  #isReady = false;
  #number = 0;
  readonly #pending = new Map<number, Pending>();
  #stopping = false;
  #starts = 0;

  constructor(options: NewSideOptions) {
    this.#options = options;
    this.#start();
  }

  /** Times the process was started. */
  get starts(): number {
    return this.#starts;
  }

  /**
   * Calls the new queue.
   * @throws QueueFull, NewSideFailed: it did not take effect. NewSideGone: it may have.
   */
  async call<Name extends CallName>(
    name: Name,
    input: NewQueueCalls[Name]["in"],
    options: { readonly wait: boolean } = { wait: false },
  ): Promise<NewQueueCalls[Name]["out"]> {
    if (options.wait) await this.#untilReady();
    const child = this.#child;
    // Sent to a process that is still starting, it would be lost in a crash and wait for an answer meanwhile.
    if (!this.#isReady || child?.connected !== true) throw new NewSideFailed("the new queue is not running");
    const number = ++this.#number;
    return await new Promise<NewQueueCalls[Name]["out"]>((resolve, reject) => {
      this.#pending.set(number, { resolve: resolve as (value: unknown) => void, reject });
      child.send({ call: name, number, input }, (error) => {
        if (error !== null) this.#take(number)?.reject(new NewSideGone());
      });
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    await Promise.race([
      this.call("stop", null).then(
        () => gone,
        () => child.kill("SIGKILL"),
      ),
      gone,
    ]);
  }

  /** Ends the process as a crash would. */
  kill(): void {
    this.#child?.kill("SIGKILL");
  }

  #start(): void {
    if (this.#stopping) return;
    this.#starts++;
    const child = fork(join(import.meta.dirname, "process.ts"), [this.#options.workDir], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      // It must see the end of the server, not the terminal's Ctrl-C.
      detached: true,
    });
    this.#child = child;
    child.on("message", (message: ReplyMessage) => {
      if ("ready" in message) {
        this.#isReady = true;
        if (this.#starts > 1) this.#options.onReturn();
        return;
      }
      if ("ended" in message) return this.#options.onEnded(message.ended);
      const pending = this.#take(message.number);
      if (message.ok) pending?.resolve(message.value);
      else pending?.reject(message.full ? new QueueFull() : new NewSideFailed(message.message));
    });
    child.once("exit", (code, signal) => {
      this.#isReady = false;
      for (const number of this.#pending.keys()) this.#take(number)?.reject(new NewSideGone());
      if (this.#stopping) return;
      this.#options.warn(
        `the new queue's process ended (${signal ?? code}), started again in ${restartAfterMs} ms`,
      );
      setTimeout(() => this.#start(), restartAfterMs).unref();
    });
  }

  #take(number: number): Pending | undefined {
    const pending = this.#pending.get(number);
    this.#pending.delete(number);
    return pending;
  }

  async #untilReady(): Promise<void> {
    const limit = Date.now() + patienceMs;
    while (!this.#isReady && Date.now() < limit) await wait(20);
    if (this.#isReady) return;
    throw new NewSideFailed("the new queue does not start");
  }
}
