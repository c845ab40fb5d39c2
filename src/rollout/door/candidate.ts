import { type AnyFunction, ApartCall, type Outcome } from "./apart.ts";
import type { Deadlines } from "./deadlines.ts";
import type { StreamBounds, StreamRecord } from "./stream-record.ts";

/** How a call of the new side ended; exactly one of these is called, once. */
export interface CandidateEnd {
  ended(outcome: Outcome): void;
  /** Not done at its deadline; of a stream what had come by then. */
  late(part?: StreamRecord): void;
  /** Nothing was proven, through no fault of the new side. */
  skipped(): void;
}

/** A call under way. */
export interface CandidateCall {
  /** Of a stream no more than this is wanted. */
  limit(size: { readonly events: number; readonly weight: number }): void;
}

/** Where the new side runs that nobody waits for. */
export interface Candidate {
  /** @param now monotonic milliseconds */
  call(self: unknown, args: readonly unknown[], end: CandidateEnd, now: number): CandidateCall;
  close(): void;
}

/** In this thread. */
export function candidateHere(fn: AnyFunction, deadlines: Deadlines, bounds: StreamBounds): Candidate {
  return {
    call(self, args, end, now) {
      const call = new ApartCall((outcome, part) => {
        if (outcome === undefined) end.late(part);
        else end.ended(outcome);
      }, bounds);
      call.run(fn, self, args, deadlines, now);
      return call;
    },
    close() {},
  };
}
