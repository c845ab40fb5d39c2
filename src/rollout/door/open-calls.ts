import type { Ledger } from "./ledger.ts";
import type { Watch } from "./cohort.ts";
import { mayStream } from "./stream-kind.ts";

/** Slots kept while no call is open. */
const mostIdle = 1_000;

/**
 * A call under way at a share between 0 and 100 %, of which it must be known whose key it is, should it fail or never end.
 * Slots are used again and again: a closure for each call would be paid by all, and only those that fail need it.
 */
export class OpenCall {
  watch: Watch | undefined;
  key = "";
  start = -1;
  next: OpenCall | undefined;
  readonly answered: <T>(value: T) => T;
  readonly failed: (error: unknown) => never;

  constructor(calls: OpenCalls, ledger: Ledger) {
    this.answered = <T>(value: T): T => {
      const { watch, key, start } = this;
      if (watch !== undefined) {
        const given = mayStream(value) ? watch.follow(value, { open: true, start, key }) : undefined;
        if (given !== undefined) {
          calls.release(this);
          return given as T;
        }
        if (this.start < 0) watch.end();
        else watch.endTimed(ledger.sinceStart(this.start));
        calls.release(this);
      }
      return value;
    };
    this.failed = (error) => {
      const { watch, key } = this;
      if (watch !== undefined) {
        calls.release(this);
        watch.endFailedOf(key, error);
      }
      throw error;
    };
  }
}

/** The calls under way of one route. */
export class OpenCalls {
  readonly #ledger: Ledger;
  #all: OpenCall[] = [];
  #idle: OpenCall | undefined;

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  open(watch: Watch, key: string, start: number): OpenCall {
    let call = this.#idle;
    if (call === undefined) {
      call = new OpenCall(this, this.#ledger);
      this.#all.push(call);
    } else {
      this.#idle = call.next;
    }
    call.watch = watch;
    call.key = key;
    call.start = start;
    watch.begin();
    return call;
  }

  release(call: OpenCall): void {
    call.watch = undefined;
    call.next = this.#idle;
    this.#idle = call;
  }

  /** Calls past their deadline are counted as errors of their keys. Their late end, if it ever comes, finds no watch. */
  expire(watch: Watch): void {
    const left: OpenCall[] = [];
    for (const call of this.#all) {
      if (call.watch !== watch) {
        left.push(call);
        continue;
      }
      watch.noteFirst(call.key);
      call.watch = undefined;
    }
    this.#all = left;
  }

  /** After a rush, lets go of what nobody uses. */
  trim(): void {
    if (this.#all.length <= mostIdle || this.#all.some((call) => call.watch !== undefined)) return;
    this.#all = [];
    this.#idle = undefined;
  }
}
