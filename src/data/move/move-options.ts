import { type Clock, CutoverError, type Json, systemClock } from "../../core/index.ts";
import { compareBytes, keyText } from "../bytes.ts";
import type { Range, Source, Target } from "../connector.ts";
import type { DataMap, MapFunction } from "../map.ts";
import { type ChunkSizing, defaultSizing, packedSizing } from "./chunk-size.ts";
import { defaultHoldLimits, type HoldLimits } from "./holding.ts";
import type { MoveEvent } from "./progress.ts";

export interface MoveOptions {
  readonly source: Source;
  readonly target: Target;
  /** Name under which the target keeps how far the move is. Two workers that share a move have one each. */
  readonly job: string;
  /** Grows with every owner of the job; one with a smaller number is refused. */
  readonly fence: number;
  /** Name under which the source keeps its log for this job; default: the job's. */
  readonly slot?: string;
  /** Under which name this move's writes appear on the target, so that the way back can leave them out; default: the job's. */
  readonly origin?: string;
  /** Origins whose writes on the source are left out of the log: those of the move in the other direction. */
  readonly without?: readonly string[];
  /** Default: rows go over as they are. A function alone: see `DataMap`. */
  readonly map?: DataMap | MapFunction;
  /** What to move; default: all collections of the source. Two workers take ranges that do not overlap. */
  readonly ranges?: readonly Range[];
  /**
   * Collections of the target that must be empty when the move begins; default: the same ranges. A map that changes keys or
   * collections needs them named.
   */
  readonly into?: readonly string[];
  /** Lets the move begin although rows lie there already. Rows that the source does not have stay. Default false. */
  readonly mix?: boolean;
  /** Most rows that may lie in quarantine at a time before the move gives up; default 1,000. */
  readonly asideLimit?: number;
  readonly chunk?: Partial<ChunkSizing>;
  readonly hold?: Partial<HoldLimits>;
  /** How often a place in the log is saved when there is nothing else to write, milliseconds; default 5,000. */
  readonly checkpointEveryMs?: number;
  /** How often `onEvent` is told the progress, milliseconds; default 1,000. */
  readonly progressEveryMs?: number;
  /** After how long without a move `onEvent` is told that it stalled, milliseconds; default 30,000. */
  readonly stalledAfterMs?: number;
  readonly onEvent?: (event: MoveEvent) => void;
  /** Stops the move after what is being written. It can go on from there at any time. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** The options with all that was left out. */
export interface MoveSettings {
  readonly source: Source;
  readonly target: Target;
  readonly job: string;
  readonly fence: number;
  readonly slot: string;
  readonly origin: string;
  readonly without: readonly string[];
  readonly map: DataMap | undefined;
  readonly ranges: readonly Range[] | undefined;
  readonly into: readonly string[] | undefined;
  readonly mix: boolean;
  readonly asideLimit: number;
  readonly sizing: ChunkSizing;
  /** Of rows that come packed. */
  readonly packedSizing: ChunkSizing;
  readonly hold: HoldLimits;
  readonly checkpointEveryMs: number;
  readonly progressEveryMs: number;
  readonly stalledAfterMs: number;
  readonly onEvent: (event: MoveEvent) => void;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
}

const known: Readonly<Record<keyof MoveOptions, true>> = {
  source: true,
  target: true,
  job: true,
  fence: true,
  slot: true,
  origin: true,
  without: true,
  map: true,
  ranges: true,
  into: true,
  mix: true,
  asideLimit: true,
  chunk: true,
  hold: true,
  checkpointEveryMs: true,
  progressEveryMs: true,
  stalledAfterMs: true,
  onEvent: true,
  signal: true,
  clock: true,
};

/** @throws CUTOVER_DATA_OPTIONS naming the option */
export function readMoveOptions(options: MoveOptions): MoveSettings {
  onlyKnown("", options, Object.keys(known));
  const { job, fence, slot = job, origin = job, without = [], map, ranges, into, mix = false } = options;
  name("job", job);
  name("slot", slot);
  name("origin", origin);
  for (const other of without) name("without", other);
  if (without.includes(origin))
    throw wrong(
      "without",
      "origins of other moves",
      `the move's own, "${origin}": nothing of it would be seen`,
    );
  if (!Number.isSafeInteger(fence) || fence < 0) throw wrong("fence", "a whole number from 0 on", fence);
  onlyKnown("chunk.", options.chunk ?? {}, Object.keys(defaultSizing));
  onlyKnown("hold.", options.hold ?? {}, ["lagMs", "retainedBytes", "latency"]);
  const sizing = { ...defaultSizing, ...options.chunk };
  for (const [key, value] of Object.entries(sizing)) positive(`chunk.${key}`, value);
  const hold = { ...defaultHoldLimits, ...options.hold };
  positive("hold.lagMs", hold.lagMs);
  positive("hold.retainedBytes", hold.retainedBytes);
  if (hold.latency !== undefined) positive("hold.latency.limitMs", hold.latency.limitMs);
  const { asideLimit = 1_000 } = options;
  if (!(asideLimit >= 0)) throw wrong("asideLimit", "a number from 0 on", asideLimit);
  const { checkpointEveryMs = 5_000, progressEveryMs = 1_000, stalledAfterMs = 30_000 } = options;
  positive("checkpointEveryMs", checkpointEveryMs);
  positive("progressEveryMs", progressEveryMs);
  positive("stalledAfterMs", stalledAfterMs);
  const theMap = typeof map === "function" ? { map } : map;
  if (theMap !== undefined) {
    onlyKnown("map.", theMap, ["map", "places", "originals", "name"]);
    if (typeof theMap.map !== "function") throw wrong("map.map", "a function", typeof theMap.map);
    if (theMap.name?.includes("\0") === true)
      throw wrong("map.name", "a name without a zero byte", theMap.name);
  }
  if (ranges !== undefined) checkRanges(ranges);
  const { onEvent = () => {}, signal, clock = systemClock, source, target } = options;
  return {
    source,
    target,
    job,
    fence,
    slot,
    origin,
    without,
    ranges,
    into,
    mix,
    asideLimit,
    sizing,
    packedSizing: { ...packedSizing, ...options.chunk },
    hold,
    checkpointEveryMs,
    progressEveryMs,
    stalledAfterMs,
    onEvent,
    signal,
    clock,
    map: theMap,
  };
}

/** Ranges that have keys and do not overlap. */
function checkRanges(ranges: readonly Range[]): void {
  if (ranges.length === 0) throw wrong("ranges", "at least one range", "none");
  const sorted = ranges.toSorted((a, b) => {
    if (a.collection !== b.collection) return a.collection < b.collection ? -1 : 1;
    if (a.after === undefined || b.after === undefined)
      return (a.after === undefined ? 0 : 1) - (b.after === undefined ? 0 : 1);
    return compareBytes(a.after, b.after);
  });
  for (const [index, { collection, after, upTo }] of sorted.entries()) {
    if (after !== undefined && upTo !== undefined && compareBytes(after, upTo) >= 0) {
      throw wrong("ranges", `in "${collection}" an end after the start ${keyText(after)}`, keyText(upTo));
    }
    const next = sorted[index + 1];
    if (next?.collection !== collection) continue;
    if (upTo === undefined || next.after === undefined || compareBytes(next.after, upTo) < 0) {
      throw wrong("ranges", "ranges that do not overlap", `two in "${collection}" that do`);
    }
  }
}

function onlyKnown(prefix: string, given: object, names: readonly string[]): void {
  const stranger = Object.keys(given).find((key) => !names.includes(key));
  if (stranger !== undefined) throw wrong(`${prefix}${stranger}`, `one of ${names.join(", ")}`, stranger);
}

function name(option: string, value: string): void {
  if (typeof value === "string" && value.length > 0 && value.length <= 200) return;
  throw wrong(option, "a name of 1 to 200 characters", value);
}

function positive(option: string, value: number): void {
  if (!(typeof value === "number" && value > 0)) throw wrong(option, "a number above 0", value);
}

function wrong(option: string, expected: string, found: unknown): CutoverError {
  const shown = typeof found === "string" ? found : String(found);
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `${option}: expected ${expected}, found ${shown}`,
    place: option,
    details: { option, found: shown.slice(0, 200) as Json },
  });
}
