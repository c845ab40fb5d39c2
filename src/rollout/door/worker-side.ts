import { deserialize } from "node:v8";
import { Worker } from "node:worker_threads";
import { type Clock, heapLimits, ownThread, type Timer } from "../../core/index.ts";
import type { Outcome } from "./apart.ts";
import type { Candidate, CandidateCall, CandidateEnd } from "./candidate.ts";
import { Bounded, type Deadlines } from "./deadlines.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { StreamBounds } from "./stream-record.ts";

/** A module whose function is called at stage `shadow` in a thread of its own, in place of `new`. */
export interface WorkerOptions {
  readonly module: URL;
  /** Which of its exports. Default `default`. */
  readonly name?: string;
  /** Memory of the thread, megabytes: its heap, and its buffers apart from it. Default 256. */
  readonly memory?: number;
}

export interface WorkerSettings {
  readonly module: string;
  readonly name: string;
  readonly memory: number;
}

/** What the thread is told when it starts. */
export interface ThreadSettings extends WorkerSettings {
  readonly copyLimit: number;
  readonly bounds: StreamBounds;
}

export type ToThread =
  | { readonly id: number; readonly args: readonly unknown[] }
  | { readonly id: number; readonly limit: { readonly events: number; readonly weight: number } };

export type FromThread =
  | { readonly ready: true }
  | { readonly failed: string }
  /** Serialised, so that its size was looked at before it came here; undefined: too large, or not to be sent. */
  | { readonly id: number; readonly outcome: Uint8Array | undefined };

/** A thread that has not loaded its module after so long is given up, milliseconds. */
const longestStart = 30_000;
/** Memory outside the heap has no limit of its own and is looked at so often while calls are under way, milliseconds. */
const memoryEvery = 50;

const threadFile = ownThread("rollout/door/shadow-thread");

class OpenCall extends Bounded {
  readonly args: readonly unknown[];
  readonly end: CandidateEnd;
  readonly late: () => void;
  limit: { readonly events: number; readonly weight: number } | undefined;

  constructor(args: readonly unknown[], end: CandidateEnd, late: () => void) {
    super();
    this.args = args;
    this.end = end;
    this.late = late;
  }
}

/**
 * Runs the new side in a thread of its own, so that it cannot hold up the callers: one that blocks or passes its
 * deadline ends with its thread, and so does one that takes too much memory. The next call starts another thread; how
 * often that happens is for the breaker to say. Calls that a thread takes with it when another one passes its deadline
 * prove nothing; those under way when it dies by itself count as failed.
 */
export class WorkerSide implements Candidate {
  readonly #route: string;
  readonly #settings: ThreadSettings;
  readonly #deadlines: Deadlines;
  readonly #clock: Clock;
  readonly #errors: ErrorReporter;
  #thread: Worker | undefined;
  #ready = false;
  #closed = false;
  #nextId = 1;
  #calls = new Map<number, OpenCall>();
  #timer: Timer | undefined;

  constructor(
    route: string,
    settings: ThreadSettings,
    deadlines: Deadlines,
    shared: { readonly clock: Clock; readonly errors: ErrorReporter },
  ) {
    this.#route = route;
    this.#settings = settings;
    this.#deadlines = deadlines;
    this.#clock = shared.clock;
    this.#errors = shared.errors;
  }

  call(_self: unknown, args: readonly unknown[], end: CandidateEnd): CandidateCall {
    const id = this.#nextId++;
    const call = new OpenCall(args, end, () => this.#late(call));
    this.#calls.set(id, call);
    if (this.#thread === undefined) this.#start();
    else if (this.#ready) this.#send(id, call);
    return {
      limit: (size) => {
        call.limit = size;
        if (this.#ready && this.#calls.get(id) === call) this.#post({ id, limit: size });
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#drop();
    for (const call of this.#calls.values()) this.#deadlines.remove(call);
    this.#calls.clear();
  }

  #start(): void {
    if (this.#closed) return;
    let thread: Worker;
    try {
      thread = new Worker(threadFile, {
        workerData: this.#settings,
        name: `shadow of ${this.#route}`,
        resourceLimits: heapLimits(this.#settings.memory * 2 ** 20),
      });
    } catch (error) {
      return this.#failAll(error);
    }
    this.#thread = thread;
    // Shadow calls never keep a process alive that has nothing else to do.
    thread.unref();
    const mine = (act: () => void): void => {
      if (this.#thread === thread) act();
    };
    thread.on("message", (message: FromThread) => mine(() => this.#hear(message)));
    thread.on("messageerror", (error) => mine(() => this.#died(error)));
    thread.on("error", (error) => mine(() => this.#died(error)));
    thread.on("exit", (code) =>
      mine(() => this.#died(new Error(`the thread of the new side ended with code ${code}`))),
    );
    this.#after(longestStart, () =>
      this.#died(new Error(`the module did not load within ${longestStart} ms`)),
    );
  }

  #hear(message: FromThread): void {
    if ("ready" in message) {
      this.#ready = true;
      this.#watchMemory();
      for (const [id, call] of this.#calls) this.#send(id, call);
      return;
    }
    if ("failed" in message) return this.#died(new Error(message.failed));
    const call = this.#calls.get(message.id);
    if (call === undefined) return;
    this.#calls.delete(message.id);
    this.#deadlines.remove(call);
    if (message.outcome === undefined) call.end.skipped();
    else call.end.ended(deserialize(message.outcome) as Outcome);
  }

  /** The deadline of a call begins when the thread can take it. */
  #send(id: number, call: OpenCall): void {
    try {
      this.#post({ id, args: call.args });
    } catch (error) {
      this.#calls.delete(id);
      this.#errors.fault(this.#route, "worker", error);
      return call.end.skipped();
    }
    if (call.limit !== undefined) this.#post({ id, limit: call.limit });
    this.#deadlines.add(call);
    if (this.#timer === undefined) this.#watchMemory();
  }

  #post(message: ToThread): void {
    this.#thread?.postMessage(message);
  }

  /** Whether it blocks or only waits, nobody can tell from here: with the thread it ends for certain. */
  #late(call: OpenCall): void {
    this.#drop();
    const others = [...this.#calls.values()].filter((other) => other !== call);
    this.#calls.clear();
    call.end.late();
    for (const other of others) {
      this.#deadlines.remove(other);
      other.end.skipped();
    }
  }

  #died(error: unknown): void {
    this.#drop();
    this.#errors.fault(this.#route, "worker", error);
    this.#failAll(error);
  }

  #failAll(error: unknown): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) {
      this.#deadlines.remove(call);
      call.end.ended({ ok: false, error });
    }
  }

  #drop(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    this.#ready = false;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (thread === undefined) return;
    thread.removeAllListeners();
    thread.on("error", () => {});
    void thread.terminate();
  }

  #watchMemory(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const thread = this.#thread;
    if (thread === undefined || this.#calls.size === 0) return;
    this.#after(memoryEvery, () => {
      // Answered by the engine itself, also while the code in the thread never comes to rest.
      void thread.getHeapStatistics().then(
        ({ external_memory: outside }) => {
          if (this.#thread !== thread) return;
          if (outside > this.#settings.memory * 1_048_576)
            return this.#died(
              new Error(`the new side held ${Math.round(outside / 1_048_576)} MB of buffers`),
            );
          this.#watchMemory();
        },
        () => {}, // the thread ended meanwhile, which is heard of elsewhere
      );
    });
  }

  #after(ms: number, act: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = undefined;
      act();
    });
    this.#timer.unref();
  }
}
