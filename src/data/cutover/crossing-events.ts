import type { JsonObject } from "../../core/index.ts";
import type { Position } from "../connector.ts";
import type { DigestForm } from "../digest/digest.ts";
import type { Standing } from "./switch.ts";

/** What a crossing tells while it goes on. */
export type CrossingEvent =
  /** A part of the work begins; in words, and of how many rows, where that is known. */
  | { readonly type: "part"; readonly words: string; readonly rows?: number }
  /** Rows and bytes that a verification has read. */
  | { readonly type: "read"; readonly rows: number; readonly bytes: number }
  /** What the pause is going to last, milliseconds, and what it is made of. */
  | { readonly type: "predicted"; readonly pause: PredictedPause }
  /** An arrow of the pause is behind us. */
  | { readonly type: "arrow"; readonly name: string; readonly ms: number };

/** Measured by doing the same without stopping anybody. */
export interface PredictedPause {
  readonly ms: number;
  /** Applying what the log has. */
  readonly applyMs: number;
  /** Reading again what was touched. */
  readonly compareMs: number;
  /** Looking at the switch and at the row that is tried. */
  readonly turnMs: number;
  /** Rows touched. */
  readonly touched: number;
}

/**
 * A crossing that was made: evidence. When a process ended between the turn of the switch and the end, what only it knew is absent.
 */
export interface Crossing {
  readonly standing: Standing;
  /** Where the log of the side that was left ended. */
  readonly position?: Position;
  /** From the call of the fence to the end of the lift. */
  readonly pauseMs?: number;
  /** Absent on a way back without a log. */
  readonly predicted?: PredictedPause;
  /** Changes applied in the pause. */
  readonly applied?: number;
  /** Places read again in the pause on both sides. */
  readonly looked?: number;
  /** The verification of everything, which together with what was looked at in the pause speaks of both sides at the turn. */
  readonly seed?: string;
  readonly digests?: { readonly old: DigestForm; readonly new: DigestForm };
  /** On the way back, in place of a verification of everything: places written since the crossing, compared before the pause. */
  readonly checked?: number;
  /** On the way back: rows that a verification of everything before the pause found unlike on the old side, and wrote there. */
  readonly mended?: number;
  /** Rows set aside on the old side by this crossing. */
  readonly aside?: number;
  /** Without a log: rows written in the pause, in which everything was compared. */
  readonly compared?: number;
  /** What `beforeTurn` did in the pause. */
  readonly settled?: JsonObject;
}
