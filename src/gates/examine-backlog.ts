import { formatDuration } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { requireCount, requireNonNegative, requireOneOf } from "./input.ts";
import type { BacklogRule } from "./rules.ts";

/** What a door said last, and when. */
interface Gauge {
  readonly open: number;
  readonly to: number;
}

/** A door reports every second; one that has not for so long is gone, or cut off. */
const silenceMs = 30_000;
/** A door's report may come so late after its newer ones; one that is older still says that its clock was set back. */
const lateMs = 10_000;
/** How far back the pace is looked at at which the backlog shrinks. */
const paceMs = 60_000;

/** Doors are named `host:pid`; a journal lies on its host. */
const hostOf = (door: string): string => door.split(":")[0] as string;

/**
 * Second writes that are open, the sum of each door's newest gauge. What a door had open when it fell silent keeps
 * counting, for nobody has seen it done, and is named; until a door on the same host has reported for 30 s longer, which
 * then has found those writes in the journal there and counts them itself. Below the limit for `forMs` without a break: pass. At or above
 * it: holds, or (`over: "fail"`) fails once that has lasted `forMs`. Holds while no door reports: silence is no proof
 * of an empty journal. Reports from before the stretch that is judged count too, since a gauge stands until the next.
 */
export function examineBacklog({ limit, over, forMs }: BacklogRule): Examiner {
  requireCount("limit", limit, 1);
  requireOneOf("over", over, ["hold", "fail"]);
  requireNonNegative("forMs", forMs);
  const doors = new Map<string, Gauge>();
  /** Newest end of an interval, and since when the sum has been on its side of the limit. */
  let newest = Number.NEGATIVE_INFINITY;
  let since = Number.NEGATIVE_INFINITY;
  let above = false;
  let samples: readonly Gauge[] = [];

  const sum = (): number => [...doors.values()].reduce((total, { open }) => total + open, 0);

  const add = (door: string, open: number, to: number): void => {
    const known = doors.get(door);
    if (known !== undefined && to < known.to && to >= known.to - lateMs) return;
    if (to < newest - silenceMs && known !== undefined) {
      // The clock was set back: what lasted before cannot be compared with what comes now.
      since = newest = to;
      samples = [];
    }
    doors.set(door, { open, to });
    newest = Math.max(newest, to);
    for (const [name, gauge] of doors) {
      const done = gauge.open === 0 && gauge.to < newest - silenceMs;
      if (done || (hostOf(name) === hostOf(door) && to > gauge.to + silenceMs)) doors.delete(name);
    }
    const total = sum();
    if (total >= limit !== above || since === Number.NEGATIVE_INFINITY) since = to;
    above = total >= limit;
    samples = [...samples.filter((sample) => sample.to > newest - paceMs), { open: total, to: newest }].slice(
      -240,
    );
  };

  /** Milliseconds until the sum is below the limit at the pace of the last minute. */
  const drained = (): number => {
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined || last.open >= first.open) return Number.NaN;
    return ((last.open - limit + 1) * (last.to - first.to)) / (first.open - last.open);
  };

  const take: Examiner["add"] = ({ door, backlog, to, id }) => {
    if (backlog === undefined) return;
    requireCount(`interval ${id}: backlog`, backlog);
    add(door, backlog, to);
  };

  return {
    add: take,
    remember: take,
    read: noUse,
    finding(now = newest) {
      if (doors.size === 0)
        return { kind: "hold", reason: "no door has reported second writes yet", figures: { limit } };
      const total = sum();
      const silent = [...doors].filter(([, { to }]) => now - to > silenceMs);
      const lost = silent.filter(([, { open }]) => open > 0);
      const mute = silent.length === doors.size;
      const lasted = Math.max(0, newest - since);
      const long = lasted >= forMs;
      const kind = mute || !long ? "hold" : !above ? "pass" : over;
      const wait = mute || lost.length > 0 ? Number.NaN : above ? drained() + forMs : forMs - lasted;
      const told = lost.map(
        ([door, { open, to }]) => `${open} of ${door}, silent for ${formatDuration(now - to)}`,
      );
      const parts = [
        `${total} open, limit ${limit}`,
        mute ? `no door has reported for ${formatDuration(now - newest)}` : "",
        long || mute || (above && over === "hold")
          ? ""
          : `for ${formatDuration(lasted)} of ${formatDuration(forMs)}`,
        told.length === 0 ? "" : `still counted: ${told.join(", ")}`,
      ];
      return {
        kind,
        reason: parts.filter((part) => part !== "").join("; "),
        figures: {
          open: total,
          limit,
          lastedMs: lasted,
          doors: Object.fromEntries([...doors].map(([door, { open }]) => [door, open])),
          silent: lost.map(([door]) => door),
        },
        ...(kind === "hold" && Number.isFinite(wait) ? { waitMs: Math.max(0, Math.round(wait)) } : {}),
      };
    },
  };
}
