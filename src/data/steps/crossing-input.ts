import type { Duration } from "../../core/index.ts";
import type { BackCheck, BackMap } from "../cutover/crossing-options.ts";
import type { Switch } from "../cutover/switch.ts";
import type { PairOptions } from "./pair.ts";
import type { DataStepPlacement } from "./step-input.ts";

/** Where the standing is kept: `file:FOLDER`, or how to open a switch of one's own. */
export type SwitchRef =
  | string
  | {
      /** For people and records. */
      readonly name: string;
      readonly open: () => Switch | Promise<Switch>;
    };

/** What the two steps between which data crosses have in common. They find each other by stores, map, collections and `into`. */
export interface CrossingPairOptions extends PairOptions {
  /** The way back through `map`. Default: none is needed without a map; with one it has to be given, or `oneWay`. */
  readonly back?: BackMap;
}

export interface CutoverLimits {
  /** Longest pause that may be predicted; above it nothing is stopped and the step fails. Default "5s". */
  readonly pause?: Duration;
  /** A pause that really lasts this long is ended: the old side goes on. Default "10s". */
  readonly abort?: Duration;
  /** How long applying what the log has may take when the pause begins. Default "2s". */
  readonly lag?: Duration;
  /** Rows touched since the verification that may have to be read again in the pause. Default 20,000. */
  readonly touched?: number;
  /** Rows that may be set aside on the way back. Default 1,000. */
  readonly aside?: number;
}

export interface CutoverDataOptions extends CrossingPairOptions, DataStepPlacement {
  readonly switch: SwitchRef;
  /** Folder of a backup that has to be proven, as the step `backup` leaves it. Default: none is asked for. */
  readonly backup?: string;
  /** With a map and without `back`: the step cannot be taken back, and belongs in a forward-only phase. Default false. */
  readonly oneWay?: boolean;
  /**
   * What the way back compares, and mends on the old side, before the pause: what was written since the cutover, or every row, which
   * takes as long as a verification of everything. Default "written".
   */
  readonly backCheck?: BackCheck;
  readonly limits?: CutoverLimits;
}

export interface ReverseSyncOptions extends CrossingPairOptions, DataStepPlacement {
  /** How long the old side is kept up to date before the step is done. Default "24h". */
  readonly for?: Duration;
  /** The old side may be behind by at most this; beyond it the step fails. Default "1m". */
  readonly lag?: Duration;
  /**
   * The new side goes on to keep its log for the way back after the phase. Default false: sealing the phase releases it, and a
   * way back from then on has to compare everything in the pause.
   */
  readonly follow?: boolean;
  /** Rows that may be set aside on the old side. Default 1,000. */
  readonly asideLimit?: number;
}
