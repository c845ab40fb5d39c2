import type { Side } from "../../core/index.ts";
import { type Entry, otherSide } from "./replay-entry.ts";
import type { Replay } from "./replay.ts";
import type { Journal } from "./journal.ts";

/** A second write that is not done yet. */
export interface PendingWrite {
  readonly id: string;
  readonly operation: string;
  /** Null when the key function gave none. */
  readonly key: string | null;
  /** The side that has it, or may have it while `state` is `unknown`; the key is read and written there first. */
  readonly first: Side;
  /** The side that lacks it. */
  readonly missing: Side;
  /** `first`: the first side is being asked; `unknown`: it is not known to have it; `taken`: it has it. */
  readonly state: "first" | "unknown" | "taken";
  /** Calls made off the caller's path in this process. */
  readonly attempts: number;
  /** Wall-clock milliseconds of the call. */
  readonly since: number;
  /** Why it is not tried any more; undefined while it is. Later writes of its key wait behind it. */
  readonly aside: string | undefined;
}

/** Second writes of one entity that are not done yet, as this process sees them. */
export interface Backlog {
  /** All of this process, those under way included. */
  readonly size: number;
  /** Those tried in vain, waiting behind such a one, or left by a process that is gone: what gates and ramps look at. */
  readonly behind: number;
  /** Writes that could not be held, or read from a damaged journal: only a comparison of both sides finds them. */
  readonly lost: number;
  /** The oldest ones, at most `limit`, default 100. */
  list(limit?: number): readonly PendingWrite[];
  /** True when no second write is missing in any process of this host, and none was lost. */
  converged(): boolean;
  /** Tries those again that were set aside: the named ones, or all. How many there were. */
  retry(...ids: readonly string[]): number;
  /** Ends writes that somebody has made or repaired by hand; the key is no longer held to one side. How many. */
  discard(...ids: readonly string[]): number;
  /** Somebody has compared both sides and copied what was missing. */
  clearLost(): void;
}

export function openBacklog(replay: Replay, journal: Journal): Backlog {
  const { entries } = replay.lines;
  return {
    get size() {
      return entries.size;
    },
    get behind() {
      return replay.behind;
    },
    get lost() {
      return journal.lost;
    },
    list: (limit = 100) => [...entries.values()].sort(byId).slice(0, limit).map(pending),
    converged: () => entries.size + journal.lost + (journal.others(0)?.open ?? 0) === 0,
    retry: (...ids) => replay.again(ids),
    discard: (...ids) => replay.discard(ids),
    clearLost: () => journal.clearLost(),
  };
}

const byId = (a: Entry, b: Entry): number => (a.id < b.id ? -1 : 1);

function pending(entry: Entry): PendingWrite {
  const { id, operation, key, first, state, attempts, since, aside } = entry;
  const missing = otherSide(first);
  const shown = state === "waiting" || state === "asked" ? "first" : state;
  return { id, operation, key: key ?? null, first, missing, state: shown, attempts, since, aside };
}
