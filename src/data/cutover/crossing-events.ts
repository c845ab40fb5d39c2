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

/** A crossing that was made: evidence. */
export interface Crossing {
  readonly standing: Standing;
  /** Where the log of the side that was left ended. */
  readonly position: Position;
  /** From the call of the fence to the end of the lift. */
  readonly pauseMs: number;
  readonly predicted: PredictedPause;
  /** Changes applied in the pause. */
  readonly applied: number;
  /** Rows looked at in the pause. */
  readonly looked: number;
  /** The verification before the pause, which together with what was looked at in it speaks of everything. */
  readonly seed: string;
  readonly digests: { readonly old: DigestForm; readonly new: DigestForm };
  /** Rows set aside on the way back. */
  readonly aside: number;
  /** Without a log all was compared in the pause; rows written then. */
  readonly compared?: number;
}
