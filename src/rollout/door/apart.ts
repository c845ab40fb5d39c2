import { Bounded, type Deadlines } from "./deadlines.ts";
import { mayStream, type Stream, streamOf } from "./stream-kind.ts";
import { StreamReading } from "./stream-reading.ts";
import { type StreamBounds, type StreamRecord, StreamRecorder } from "./stream-record.ts";

export type Outcome =
  /** `stream`: what was seen of an answer that is a stream; then `value` says nothing. */
  | { readonly ok: true; readonly value: unknown; readonly stream?: StreamRecord }
  | { readonly ok: false; readonly error: unknown };

export type AnyFunction = (...args: unknown[]) => unknown;

/** `undefined`: not done at the deadline; `part` is what a stream had given by then. */
export type ApartDone = (outcome: Outcome | undefined, part?: StreamRecord) => void;

/**
 * Calls a function that must not hurt the caller: a throw becomes an outcome, a hang becomes `undefined` at the
 * deadline, and whatever it does after its first outcome (late answers, second answers) is dropped. An answer that is
 * a stream is read to its end, or as far as `bounds` go, before the call is over: nobody else would read it.
 */
export class ApartCall extends Bounded {
  #ended = false;
  readonly #done: ApartDone;
  readonly #bounds: StreamBounds | undefined;
  /** Where its deadline is; undefined while it has none. */
  #deadlines: Deadlines | undefined;
  #reading: StreamReading | undefined;
  #recorder: StreamRecorder | undefined;
  #enough: { readonly events: number; readonly weight: number } | undefined;

  /** @param bounds how much of a stream is recorded; absent: it is read to its end, and nothing is recorded */
  constructor(done: ApartDone, bounds?: StreamBounds) {
    super();
    this.#done = done;
    this.#bounds = bounds;
  }

  run(fn: AnyFunction, self: unknown, args: readonly unknown[], deadlines: Deadlines, now?: number): void {
    let result: unknown;
    try {
      result = callSide(fn, self, args);
      if (!isThenable(result)) return this.#answered(result, deadlines, now);
      this.#bound(deadlines, now);
      result.then(
        (value) => this.#answered(value, deadlines),
        (error) => this.#end({ ok: false, error }),
      );
    } catch (error) {
      this.#end({ ok: false, error });
    }
  }

  /** More of a stream than this is not wanted. */
  limit(size: { readonly events: number; readonly weight: number }): void {
    this.#enough = size;
    this.#recorder?.limit(size);
  }

  late(): void {
    this.#ended = true;
    this.#reading?.stop();
    this.#done(undefined, this.#recorder?.record());
  }

  #bound(deadlines: Deadlines, now?: number): void {
    if (this.#deadlines !== undefined) return;
    this.#deadlines = deadlines;
    deadlines.add(this, now);
  }

  #answered(value: unknown, deadlines: Deadlines, now?: number): void {
    const stream = mayStream(value) ? streamOf(value) : undefined;
    if (stream === undefined) return this.#end({ ok: true, value });
    // Its call may be over already, at its deadline: then the stream is only let go of.
    if (this.#ended && !this.#begun(stream)) return;
    this.#bound(deadlines, now);
    if (this.#reading !== undefined || !this.#begun(stream)) return;
    this.#read(stream);
  }

  /** Opens the stream; one that cannot even be opened is a failure of its side. */
  #begun(stream: Stream): boolean {
    try {
      this.#reading = new StreamReading(stream);
    } catch (error) {
      this.#end({ ok: false, error });
      return false;
    }
    if (this.#ended) this.#reading.stop();
    return !this.#ended;
  }

  #read(stream: Stream): void {
    const reading = this.#reading as StreamReading;
    if (this.#bounds === undefined) {
      void reading.run({
        event: () => {},
        ended: () => this.#end({ ok: true, value: undefined }),
        failed: (error) => this.#end({ ok: false, error }),
      });
      return;
    }
    const recorder = new StreamRecorder(stream, this.#bounds, () => {
      reading.stop();
      this.#end({ ok: true, value: undefined, stream: recorder.record() });
    });
    this.#recorder = recorder;
    if (this.#enough !== undefined) recorder.limit(this.#enough);
    void reading.run({
      event: (chunk) => recorder.add(chunk),
      ended: () => recorder.close("whole"),
      failed: (error) => recorder.close("failed", error),
    });
  }

  #end(outcome: Outcome): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadlines?.remove(this);
    this.#done(outcome);
  }
}

/** Calls a side as its call site would. One argument alone, as most calls have, is handed over without unpacking a list. */
export function callSide(fn: AnyFunction, self: unknown, args: readonly unknown[]): unknown {
  return args.length === 1 ? fn.call(self, args[0]) : fn.apply(self, args as unknown[]);
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}

/** A native promise for anything that can be waited for; `undefined` for a plain answer. */
export function asPromise(value: unknown): Promise<unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof Promise) return value;
  return typeof (value as { then?: unknown }).then === "function" ? Promise.resolve(value) : undefined;
}
