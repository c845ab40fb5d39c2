import { type Clock, CutoverError, type Duration, parseDuration, systemClock } from "../../core/index.ts";
import { onlyKnown } from "../known-options.ts";
import { fencedAt } from "./refusal.ts";
import type { Standing } from "./switch.ts";

/** What happens to those who follow a switch, for logs and metrics. */
export type FollowEvent =
  /** Another side or epoch is in charge. */
  | { readonly type: "turned"; readonly standing: Standing }
  /** A write was refused, and now waits with all that come after it. */
  | { readonly type: "waiting"; readonly standing: Standing }
  /** Nobody waits any more. `calls` have waited, the longest of them `waitedMs`. */
  | {
      readonly type: "going-on";
      readonly standing: Standing;
      readonly calls: number;
      readonly waitedMs: number;
    }
  /** The wait was too long: the side was given back by this process. */
  | { readonly type: "gave-back"; readonly standing: Standing; readonly waitedMs: number }
  /** The switch cannot be read or turned. Calls go on with what was read before, as fences keep them right. */
  | { readonly type: "switch-trouble"; readonly error: unknown };

export interface FollowOptions {
  /**
   * How long a call waits, from its refusal or from the last turn of the switch, whichever was later. Then the side is given
   * back, or the call fails. Longer than a cutover's pause may be. Default "30s".
   */
  readonly longestPause?: Duration;
  /** Calls that may wait at a time; others are refused at once. Default 10,000. */
  readonly mostWaiting?: number;
  /**
   * Whether the side that refuses is given back to its writers when `longestPause` is over, by turning the switch to it under
   * the epoch it asks for: the migration, dead or late, then finds the crossing refused. A function is called after that
   * turn, and again while the side still refuses; it is for sides whose writers name no epoch, as those of plain SQL on
   * SQLite: `(to) => store.lift(to.epoch)`. False: the call fails. Default true.
   */
  readonly giveBack?: boolean | ((to: Standing) => Promise<void>);
  /**
   * Whether an error says that the side is not in charge, and which epoch it would have taken (true: it does not say). The default
   * knows CUTOVER_DATA_FENCED and what the triggers in PostgreSQL and SQLite raise, also as a `cause`.
   */
  readonly isFenced?: (error: unknown) => number | boolean;
  /** What it throws is dropped: no write waits because a log is full. */
  readonly onEvent?: (event: FollowEvent) => void;
  readonly clock?: Clock;
  /** Spreads the tries of many processes, 0 up to 1. Default `Math.random`. */
  readonly random?: () => number;
}

export interface FollowSettings {
  readonly longestPauseMs: number;
  readonly mostWaiting: number;
  readonly giveBack: boolean | ((to: Standing) => Promise<void>);
  readonly isFenced: (error: unknown) => number | boolean;
  readonly onEvent: (event: FollowEvent) => void;
  readonly clock: Clock;
  readonly random: () => number;
}

const known: Readonly<Record<keyof FollowOptions, true>> = {
  longestPause: true,
  mostWaiting: true,
  giveBack: true,
  isFenced: true,
  onEvent: true,
  clock: true,
  random: true,
};

/** @throws CUTOVER_DATA_OPTIONS, CUTOVER_DURATION_INVALID */
export function followSettings(what: string, options: FollowOptions): FollowSettings {
  onlyKnown(what, options, known);
  const { mostWaiting = 10_000, giveBack = true, isFenced = fencedAt, onEvent = () => {} } = options;
  if (!Number.isSafeInteger(mostWaiting) || mostWaiting < 1)
    throw wrong(what, "mostWaiting", "a whole number from 1 on", mostWaiting);
  if (typeof giveBack !== "boolean" && typeof giveBack !== "function")
    throw wrong(what, "giveBack", "true, false or a function", giveBack);
  for (const [name, value] of Object.entries({ isFenced, onEvent }))
    if (typeof value !== "function") throw wrong(what, name, "a function", value);
  const longestPauseMs = parseDuration(options.longestPause ?? "30s");
  if (longestPauseMs === 0) throw wrong(what, "longestPause", "more than 0", options.longestPause);
  return {
    longestPauseMs,
    mostWaiting,
    giveBack,
    isFenced,
    onEvent: (event) => {
      try {
        onEvent(event);
      } catch {
        // As its documentation says.
      }
    },
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
  };
}

function wrong(what: string, option: string, expected: string, found: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected ${expected} for \`${option}\`, found ${String(JSON.stringify(found) ?? found)}`,
    place: `${what}: ${option}`,
  });
}
