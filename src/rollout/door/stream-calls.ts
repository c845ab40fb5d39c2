import type { Clock } from "../../core/index.ts";
import type { Watch } from "./cohort.ts";
import { BoundedWait, Deadlines } from "./deadlines.ts";
import type { StreamRecorder } from "./stream-record.ts";
import { type Stream, streamOf } from "./stream-kind.ts";
import { type StreamListener, tap } from "./stream-tap.ts";
import type { Tally } from "./tally.ts";

/** A call that was answered with a stream, as those who called it know it. */
export interface StreamedCall {
  readonly watch: Watch;
  readonly tally: Tally;
  /** Monotonic milliseconds at which the call began, or -1 when it is not timed. */
  readonly start: number;
  /** Whose key chose the side; absent: nobody's. */
  readonly key?: string;
  /** What the caller reads instead when the stream fails so before its first event; undefined: it sees the error. */
  readonly instead?: (error: unknown) => unknown;
}

/**
 * Answers that are streams. Such a call ends when its stream does, and is counted then: as answered, also when the
 * caller stops early; as failed when the stream fails, or when the caller waits for one event longer than the deadline.
 * One that nobody begins to read within the deadline counts as answered then: objects that are streams besides (a cursor
 * with `toArray`) may be used in other ways, of which nothing is heard.
 * Its latency is the time to the first event, or to the end when there is none: what comes later is asked for at the
 * caller's own pace.
 */
export class StreamCalls {
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;

  constructor(clock: Clock, deadline: number) {
    this.#clock = clock;
    this.#deadlines = new Deadlines(clock, deadline);
  }

  /**
   * What the caller gets, when this answer is a stream: the call is then counted when it ends. Undefined when it is an
   * answer like others, or one that lets nobody listen. `record` makes what keeps the events that the caller reads.
   */
  follow(
    value: unknown,
    call: StreamedCall,
    record?: (stream: Stream) => StreamRecorder | undefined,
  ): unknown {
    const stream = streamOf(value);
    if (stream === undefined) return undefined;
    const open = new OpenStream(call, this.#clock, this.#deadlines);
    let given: unknown;
    try {
      given = tap(stream, open);
    } catch {
      return undefined;
    }
    if (given !== undefined) open.begin(record?.(stream));
    return given;
  }

  close(): void {
    this.#deadlines.close();
  }
}

class OpenStream implements StreamListener {
  readonly #call: StreamedCall;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  /** Latency in milliseconds, once there is one. */
  #latency = -1;
  #counted = false;
  #open = true;
  #wait: BoundedWait | undefined;
  /** Until its reader begins. */
  #unread: BoundedWait | undefined;
  #recorder: StreamRecorder | undefined;

  constructor(call: StreamedCall, clock: Clock, deadlines: Deadlines) {
    this.#call = call;
    this.#clock = clock;
    this.#deadlines = deadlines;
  }

  begin(recorder: StreamRecorder | undefined): void {
    this.#recorder = recorder;
    this.#call.tally.apart++;
    this.#unread = new BoundedWait(() => this.#over(undefined, false));
    this.#deadlines.add(this.#unread);
  }

  asked(): void {
    this.#touch();
    if (this.#counted || this.#wait !== undefined) return;
    this.#wait = new BoundedWait(() => this.#count(undefined, true));
    this.#deadlines.add(this.#wait);
  }

  event(chunk: unknown): void {
    this.#came();
    this.#recorder?.add(chunk);
  }

  ended(): void {
    this.#came();
    this.#recorder?.close("whole");
    this.#over(undefined, false);
  }

  stopped(): void {
    this.#answered();
    this.#recorder?.close("part");
    this.#over(undefined, false);
  }

  failed(error: unknown): void {
    this.#answered();
    this.#recorder?.close("failed", error);
    this.#over({ error }, true);
  }

  instead(error: unknown): Promise<AsyncIterable<unknown>> | undefined {
    if (this.#counted || this.#call.watch.isExpected(error)) return undefined;
    const instead = this.#call.instead?.(error);
    if (instead === undefined) return undefined;
    this.failed(error);
    return Promise.resolve(instead) as Promise<AsyncIterable<unknown>>;
  }

  /** The caller waits no longer; the first time, that was the latency. */
  #came(): void {
    this.#answered();
    if (this.#latency < 0 && this.#call.start >= 0)
      this.#latency = this.#clock.monotonic() - this.#call.start;
  }

  #touch(): void {
    if (this.#unread !== undefined) this.#deadlines.remove(this.#unread);
    this.#unread = undefined;
  }

  #answered(): void {
    this.#touch();
    if (this.#wait !== undefined) this.#deadlines.remove(this.#wait);
    this.#wait = undefined;
  }

  /** Nothing more will be counted of it. */
  #over(failure: { readonly error: unknown } | undefined, failed: boolean): void {
    this.#count(failure, failed);
    if (!this.#open) return;
    this.#open = false;
    this.#call.tally.apart--;
  }

  #count(failure: { readonly error: unknown } | undefined, failed: boolean): void {
    if (this.#counted) return;
    this.#counted = true;
    const { watch, key } = this.#call;
    if (!failed) {
      watch.count();
      if (this.#latency >= 0) watch.addLatency(this.#latency);
    } else if (failure === undefined) {
      watch.countLate(key);
    } else if (key === undefined) {
      watch.countFailed(failure.error);
    } else {
      watch.countFailedOf(key, failure.error);
    }
  }
}
