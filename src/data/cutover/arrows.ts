import type { Position } from "../connector.ts";
import type { Crossing } from "./crossing-events.ts";
import type { Standing } from "./switch.ts";

export type Side = Standing["side"];

export const otherSide = (side: Side): Side => (side === "old" ? "new" : "old");

/** What of a crossing is kept on disk. All else is asked of the switch and the stores. */
export interface CrossingState {
  /** The side that is to take charge. */
  readonly to: Side;
  /** The log of the side that is to take charge is, or may be, kept for the stream that leads away from it. */
  readonly armed?: true;
  /** The epoch of the attempt that is stopping writers, or has; absent while none does. */
  readonly epoch?: number;
  /** What was found out, for the record: before writers were stopped, and all of it in the end. */
  readonly known?: Partial<Crossing>;
  /** It is over: `to` is in charge and takes writes, and the stream that led there has ended. */
  readonly finished?: true;
}

/** What the process that carries an attempt knows; it is gone with the process. */
export interface Attempt {
  /** Everything that takes long is done, and the log is followed. */
  readonly prepared?: true;
  /** This process wrote the epoch of the state itself: what it knows below is of that attempt. */
  readonly intended?: true;
  /** The side that is to take charge is fenced above the epoch, so that it takes no writes before the lift. */
  readonly closed?: true;
  /** Where the log of the side in charge ended. */
  readonly position?: Position;
  readonly applied?: true;
  readonly equal?: true;
  readonly tried?: true;
  /** The side in charge was lifted to this epoch. */
  readonly lifted?: number;
  /** Something went wrong: what is not decided goes back to the side in charge. */
  readonly failed?: true;
}

/** The next thing to be done. */
export type Arrow =
  /** All that takes long, while writers write. */
  | { readonly do: "prepare" }
  /** Keep the epoch of the attempt: from here on writers may be stopped. */
  | { readonly do: "intend"; readonly epoch: number }
  /** Fence the side that is to take charge. */
  | { readonly do: "close"; readonly side: Side; readonly epoch: number }
  /** Fence the side in charge, and wait for what is open. */
  | { readonly do: "drain"; readonly side: Side; readonly epoch: number }
  | { readonly do: "apply"; readonly position: Position }
  | { readonly do: "compare" }
  /** Read a row of the side that is to take charge and write it as it is. */
  | { readonly do: "try" }
  | { readonly do: "turn"; readonly to: Standing }
  | { readonly do: "lift"; readonly side: Side; readonly epoch: number }
  /** Keep that the attempt is over and nobody is stopped any more. */
  | { readonly do: "withdraw" }
  /** End the stream that led here, and keep that it is over. */
  | { readonly do: "finish" }
  | { readonly do: "end"; readonly crossed: boolean };

/** How far above the epoch in charge that of an attempt is. */
export const aboveEpoch = 3;

/**
 * What comes next, from what is kept, what the switch says now and what this process knows. The rules of docs/spec/data.md,
 * section 8, are here and nowhere else; a test walks every order of events through it (`test/model/cutover-model.ts`).
 *
 * An attempt takes an epoch three above the one in charge. A side in charge may still be fenced at one above, so that an application
 * that gives up waiting decides that one, and lifts the side some time later; such a lift opens a side that is fenced at one above
 * it (`Source.lift`), and must not open one that this attempt has fenced.
 */
export function nextArrow(state: CrossingState, standing: Standing, attempt: Attempt): Arrow {
  const { to, epoch } = state;
  const from = otherSide(to);
  if (state.finished) return { do: "end", crossed: true };
  if (standing.side === to && epoch !== undefined) {
    // Decided. Whoever may write there may have written from here on: only forward.
    if (attempt.lifted !== standing.epoch) return { do: "lift", side: to, epoch: standing.epoch };
    return { do: "finish" };
  }
  if (standing.side === to) return { do: "end", crossed: false };
  if (epoch === undefined) {
    if (attempt.failed) return { do: "end", crossed: false };
    if (!attempt.prepared) return { do: "prepare" };
    return { do: "intend", epoch: standing.epoch + aboveEpoch };
  }
  if (attempt.failed || !attempt.intended || standing.epoch >= epoch) {
    // The attempt is over: a failure, a process before this one, or an application that waited for too long.
    if (standing.epoch < epoch) return { do: "turn", to: { side: from, epoch } };
    if (attempt.lifted !== standing.epoch) return { do: "lift", side: from, epoch: standing.epoch };
    return { do: "withdraw" };
  }
  if (!attempt.closed) return { do: "close", side: to, epoch: epoch + 1 };
  if (attempt.position === undefined) return { do: "drain", side: from, epoch };
  if (!attempt.applied) return { do: "apply", position: attempt.position };
  if (!attempt.equal) return { do: "compare" };
  if (!attempt.tried) return { do: "try" };
  return { do: "turn", to: { side: to, epoch } };
}

/** What the process knows after an arrow; `position` of a drain. */
export function afterArrow(attempt: Attempt, arrow: Arrow, position?: Position): Attempt {
  switch (arrow.do) {
    case "prepare":
      return { ...attempt, prepared: true };
    case "intend":
      return { ...attempt, intended: true };
    case "close":
      return { ...attempt, closed: true };
    case "drain":
      return position === undefined ? attempt : { ...attempt, position };
    case "apply":
      return { ...attempt, applied: true };
    case "compare":
      return { ...attempt, equal: true };
    case "try":
      return { ...attempt, tried: true };
    case "lift":
      return { ...attempt, lifted: arrow.epoch };
    case "withdraw":
      // A process that has only cleared up behind another one goes on with an attempt of its own.
      return attempt.failed ? attempt : {};
    case "turn":
    case "finish":
    case "end":
      return attempt;
  }
}

/** What is kept after an arrow. */
export function stateAfter(state: CrossingState, arrow: Arrow): CrossingState {
  const { epoch: _over, ...rest } = state;
  if (arrow.do === "intend") return { ...state, epoch: arrow.epoch };
  if (arrow.do === "withdraw") return rest;
  if (arrow.do === "finish") return { ...state, finished: true };
  return state;
}
