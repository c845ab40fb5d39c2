import { type Clock, CutoverError, type RandomBytes, systemClock } from "../../core/index.ts";
import { onlyKnown } from "../known-options.ts";
import type { DataStore } from "../connector.ts";
import type { DataMap } from "../map.ts";
import { chooseCollections } from "../verify/collections.ts";
import type { Side } from "./arrows.ts";
import type { CrossingEvent } from "./crossing-events.ts";
import {
  type BackCheck,
  backChecks,
  type CrossingLimits,
  type CrossingOptions,
  type GoBackOptions,
} from "./crossing-options.ts";
import { type StreamNames, streamNames } from "./stream-names.ts";
import type { Switch } from "./switch.ts";
import { backProblem, WayBack } from "./way-back.ts";

export const defaultCrossingLimits: CrossingLimits = {
  pauseMs: 5_000,
  abortMs: 10_000,
  lagMs: 2_000,
  touched: 20_000,
  aside: 1_000,
};

/** The options of a crossing with all that was left out. */
export interface Ground {
  readonly sides: Readonly<Record<Side, DataStore>>;
  readonly switch: Switch;
  readonly names: StreamNames;
  readonly fence: number;
  readonly map: DataMap | undefined;
  /** Undefined without a map: rows go back as they are. */
  readonly wayBack: WayBack | undefined;
  /** Whether nothing leads back: through a map that has no way back. */
  readonly oneWay: boolean;
  /** Collections of each side. */
  readonly collections: Readonly<Record<Side, readonly string[]>>;
  readonly backup: string | undefined;
  /** What a way back compares before the pause. */
  readonly check: BackCheck;
  readonly limits: CrossingLimits;
  readonly tell: (event: CrossingEvent) => void;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
}

const known: Readonly<Record<keyof CrossingOptions, true>> = {
  old: true,
  new: true,
  switch: true,
  job: true,
  slot: true,
  fence: true,
  map: true,
  back: true,
  oneWay: true,
  collections: true,
  into: true,
  backup: true,
  limits: true,
  state: true,
  save: true,
  onEvent: true,
  clock: true,
  random: true,
  signal: true,
};

/** `to`: where it leads, as some options are of one way alone. @throws CUTOVER_DATA_OPTIONS naming the option; CUTOVER_DATA_COLLECTION */
export async function readGround(options: GoBackOptions, to: Side = "new"): Promise<Ground> {
  if (to === "old") onlyKnown("the way back of a crossing", options, { ...known, check: true });
  else onlyKnown<CrossingOptions>("a crossing of data", options, known);
  const { check = "written" } = options;
  if (!backChecks.includes(check)) throw wrong("check", `one of ${backChecks.join(", ")}`, check);
  const { old, new: young, job, slot = job, fence, back, oneWay = false, into, backup } = options;
  const map = typeof options.map === "function" ? { map: options.map } : options.map;
  if (typeof job !== "string" || job === "" || job.length > 190)
    throw wrong("job", "a name of 1 to 190 characters", job);
  if (!Number.isSafeInteger(fence) || fence < 0) throw wrong("fence", "a whole number from 0 on", fence);
  if (into !== undefined && map === undefined) throw wrong("into", "given together with a map", "none");
  const problem = backProblem(map, back);
  if (problem !== undefined) throw wrong("back", "a way back through the map", problem);
  if (map !== undefined && back === undefined && !oneWay)
    throw wrong("back", "a way back through the map, or oneWay: true", "neither");
  if (oneWay && (map === undefined || back !== undefined))
    throw wrong("oneWay", "given with a map that has no way back alone", "a way back");
  const ours = (await chooseCollections(old, options.collections)).map(({ name }) => name);
  const theirs = (await chooseCollections(young, into ?? ours)).map(({ name }) => name);
  return {
    sides: { old, new: young },
    switch: options.switch,
    names: streamNames(job, slot),
    fence,
    map,
    wayBack: map === undefined || back === undefined ? undefined : new WayBack(map, back, young),
    oneWay,
    collections: { old: ours, new: theirs },
    backup,
    check,
    limits: readLimits(options.limits ?? {}),
    tell: options.onEvent ?? (() => {}),
    clock: options.clock ?? systemClock,
    random: options.random,
    signal: options.signal ?? new AbortController().signal,
  };
}

function readLimits(given: Partial<CrossingLimits>): CrossingLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(defaultCrossingLimits, name))
      throw wrong(`limits.${name}`, `one of ${Object.keys(defaultCrossingLimits).join(", ")}`, name);
    if (!(typeof value === "number" && value >= 0))
      throw wrong(`limits.${name}`, "a number from 0 on", value);
  }
  const limits = { ...defaultCrossingLimits, ...given };
  if (limits.abortMs < limits.pauseMs)
    throw wrong("limits.abortMs", `at least pauseMs, ${limits.pauseMs}`, limits.abortMs);
  return limits;
}

function wrong(option: string, expected: string, found: unknown): CutoverError {
  const shown = typeof found === "string" ? found : String(found);
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `${option}: expected ${expected}, found ${shown}`,
    place: option,
    details: { option, found: shown.slice(0, 200) },
  });
}
