import type { Clock, RandomBytes } from "../../core/index.ts";
import type { DataStore } from "../connector.ts";
import type { DataMap, Image, MapFunction, SourceRow } from "../map.ts";
import type { CrossingState } from "./arrows.ts";
import type { CrossingEvent } from "./crossing-events.ts";
import type { Switch } from "./switch.ts";

/**
 * What rows of the new side are on the old one. `original` is the old row that the image was made from, where the map was told to
 * keep them (`originals`); undefined for a row that was made on the new side. As with `MapFunction`: the same row gives the
 * same images, throwing sets the row aside.
 */
export type BackFunction = (
  row: SourceRow,
  original: SourceRow | undefined,
) => Image | readonly Image[] | null;

/**
 * The way back through a map.
 *
 * - A function, or `{ map, places? }`: what a row of the new side is on the old one. What a row that was removed or changed has
 *   to give up there is known by `places`, or by the originals that the map kept: one of the two is needed.
 * - `"originals"`: a row that is as the map made it is the old row again, one that was removed removes it. Rows that were made or
 *   changed on the new side have no image on the old one: they are set aside there (`cutover_aside`) and counted.
 */
export type BackMap =
  | "originals"
  | BackFunction
  | { readonly map: BackFunction; readonly places?: Exclude<DataMap["places"], undefined> };

/** Limits of a crossing, milliseconds and rows. */
export interface CrossingLimits {
  /** Longest pause that may be predicted; above it nothing is stopped. Default 5,000. */
  readonly pauseMs: number;
  /** A pause that really lasts this long is ended: the side that was in charge goes on. Default 10,000. */
  readonly abortMs: number;
  /** How long applying what the log has may take when the pause begins. Default 2,000. */
  readonly lagMs: number;
  /** Rows touched since the verification that may have to be read again in the pause. Default 20,000. */
  readonly touched: number;
  /** Rows that may be set aside on the way back. Default 1,000. */
  readonly aside: number;
}

/** What a crossing of data, or the way back, is given. Old and new stay old and new on the way back. */
export interface CrossingOptions {
  readonly old: DataStore;
  readonly new: DataStore;
  readonly switch: Switch;
  /** The job of the move from old to new, which has copied everything and whose log is followed. */
  readonly job: string;
  /** Its slot in the old store. Default: the job's name. */
  readonly slot?: string;
  /** Grows with every owner; one with a smaller number is refused. */
  readonly fence: number;
  readonly map?: DataMap | MapFunction;
  readonly back?: BackMap;
  /** With a map and without `back`: there is no way back. Default false: it is refused then. */
  readonly oneWay?: boolean;
  /** Collections of the old side. Default: all. */
  readonly collections?: readonly string[];
  /** With a map: collections of the new side that hold its images. Default: those of the same names. */
  readonly into?: readonly string[];
  /** Folder of a backup that has to be proven. */
  readonly backup?: string;
  readonly limits?: Partial<CrossingLimits>;
  /** Where the crossing stood when a process before this one ended; undefined: it begins. */
  readonly state?: CrossingState;
  /** Keeps where it stands, on disk when it resolves. Default: nothing is kept. */
  readonly save?: (state: CrossingState) => Promise<void>;
  readonly onEvent?: (event: CrossingEvent) => void;
  readonly clock?: Clock;
  readonly random: RandomBytes;
  /** Ends it: before the pause nothing was stopped; in the pause the side that was in charge goes on. */
  readonly signal?: AbortSignal;
}

/** What is compared on the way back before the pause. */
export const backChecks = ["written", "all"] as const;
export type BackCheck = (typeof backChecks)[number];

/** What a way back is given. */
export interface GoBackOptions extends CrossingOptions {
  /**
   * What is compared, and mended on the old side, while applications still write:
   *
   * - `"written"` (default): what was written on the new side since the crossing. Both sides were equal at the turn, and nobody else
   *   has written to the old one; its rows that were damaged since by something else (a disk, a person past the fence) are not seen.
   * - `"all"`: every row. It takes as long as a verification of everything; the pause is no longer for it.
   */
  readonly check?: BackCheck;
}
