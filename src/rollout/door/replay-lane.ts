import { type AnyFunction, ApartCall, type Outcome } from "./apart.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Entry } from "./replay-entry.ts";
import type { Write } from "./write-ids.ts";

/** Second writes and repetitions under way at once. */
const mostRunning = 256;

/** Calls that nobody waits for: admitted in order, begun in the next turn of the event loop, bounded in number. */
export class ReplayLane {
  readonly #apart: Deadlines;
  readonly #begin: (entry: Entry) => void;
  #ready: Entry[] = [];
  #running = 0;
  #pumping = false;
  #whenIdle: (() => void) | undefined;

  /** @param begin looks once more whether the entry may be called now, and then calls it through `call` */
  constructor(apart: Deadlines, begin: (entry: Entry) => void) {
    this.#apart = apart;
    this.#begin = begin;
  }

  admit(entry: Entry): void {
    entry.running = true;
    this.#ready.push(entry);
    this.#pumpLater();
  }

  call(
    entry: Entry,
    fn: AnyFunction,
    self: Write,
    input: readonly unknown[],
    settle: (outcome: Outcome | undefined) => void,
  ): void {
    this.#running++;
    new ApartCall((outcome) => {
      entry.running = false;
      this.#running--;
      settle(outcome);
      if (this.#ready.length > 0) this.#pumpLater();
      if (this.#running === 0) this.#whenIdle?.();
    }).run(fn, self, input, this.#apart);
  }

  /** Begins nothing any more; `idle` is called once when what is under way has ended. False: nothing is. */
  stop(idle: () => void): boolean {
    for (const entry of this.#ready) entry.running = false;
    this.#ready = [];
    if (this.#running === 0) return false;
    this.#whenIdle = idle;
    return true;
  }

  /** A turn of the event loop later: the caller has its answer, and a long line never blocks the loop. */
  #pumpLater(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      for (const entry of this.#ready.splice(0, mostRunning - this.#running)) this.#begin(entry);
    });
  }
}
