import { type AnyFunction, ApartCall } from "./apart.ts";
import { copyValue, uncopied } from "./copy.ts";
import type { Deadlines } from "./deadlines.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Tally } from "./tally.ts";

/** Second writes waiting or under way; beyond it one is dropped and counted rather than filling the memory. */
const mostOpen = 10_000;

interface Write {
  readonly fn: AnyFunction;
  readonly place: "old" | "new";
  readonly self: unknown;
  readonly args: readonly unknown[];
  readonly tally: Tally;
  /** Undefined when the route's key function gave none: then the write stands in no line. */
  readonly key: string | undefined;
}

/**
 * The write to the other side at the stages `dualwrite` and `rampdown`. The caller has its answer already; writes
 * with the same key reach the other side one after the other, in the order in which the first side answered.
 */
export class SecondWrites {
  readonly #route: string;
  readonly #deadlines: Deadlines;
  readonly #errors: ErrorReporter;
  #open = 0;
  /** Writes waiting behind the one under way, by key. */
  readonly #lines = new Map<string, Write[]>();

  constructor(route: string, deadlines: Deadlines, errors: ErrorReporter) {
    this.#route = route;
    this.#deadlines = deadlines;
    this.#errors = errors;
  }

  /** The input, copied before the first side can change it; unlike a shadow call a write is never left out for its size. */
  copyInput(args: readonly unknown[]): readonly unknown[] {
    const copied = copyValue(args, Number.POSITIVE_INFINITY);
    return copied === uncopied ? args : (copied as unknown[]);
  }

  offer(write: Write): void {
    if (this.#open >= mostOpen) {
      write.tally.shadowSkipped++;
      return this.#errors.fault(this.#route, write.place, `dropped, ${mostOpen} second writes are open`);
    }
    this.#open++;
    write.tally.apart++;
    if (write.key !== undefined) {
      const line = this.#lines.get(write.key);
      if (line !== undefined) {
        line.push(write);
        return;
      }
      this.#lines.set(write.key, []);
    }
    setImmediate(() => this.#run(write));
  }

  #run(write: Write): void {
    const { tally } = write;
    tally.shadowCalls++;
    new ApartCall((outcome) => {
      this.#open--;
      tally.apart--;
      if (outcome === undefined) {
        tally.shadowTimeouts++;
        this.#errors.fault(this.#route, write.place, "second write not answered within its deadline");
      } else if (!outcome.ok) {
        tally.shadowErrors++;
        this.#errors.fault(this.#route, write.place, outcome.error);
      }
      if (write.key !== undefined) this.#next(write.key);
    }).run(write.fn, write.self, write.args, this.#deadlines);
  }

  #next(key: string): void {
    const line = this.#lines.get(key);
    const next = line?.shift();
    if (next === undefined) this.#lines.delete(key);
    // A turn of the event loop between two writes: a long line never blocks it.
    else setImmediate(() => this.#run(next));
  }
}
