import { type BacklogGauge, DoorBacklogs, formatDuration } from "../core/index.ts";
import { type Examiner, noUse } from "./examiner.ts";
import { requireCount, requireNonNegative, requireOneOf } from "./input.ts";
import type { BacklogRule } from "./rules.ts";

/** How far back the pace is looked at at which the backlog shrinks. */
const paceMs = 60_000;

/**
 * Second writes that are open, as `DoorBacklogs` counts them; doors that fell silent with some are named. Below the limit for `forMs` without a break: pass. At or above
 * it: holds, or (`over: "fail"`) fails once that has lasted `forMs`. Holds while no door reports: silence is no proof
 * of an empty journal. Reports from before the stretch that is judged count too, since a gauge stands until the next.
 */
export function examineBacklog({ limit, over, forMs }: BacklogRule): Examiner {
  requireCount("limit", limit, 1);
  requireOneOf("over", over, ["hold", "fail"]);
  requireNonNegative("forMs", forMs);
  const doors = new DoorBacklogs();
  /** Since when the sum has been on its side of the limit. */
  let since = Number.NEGATIVE_INFINITY;
  let above = false;
  let samples: readonly BacklogGauge[] = [];

  const add = (door: string, open: number, to: number): void => {
    const taken = doors.take(door, open, to);
    if (taken === "late") return;
    if (taken === "set-back") {
      since = to;
      samples = [];
    }
    const { open: total, newest } = doors;
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
    finding(now = doors.newest) {
      const { newest, open: total } = doors;
      if (doors.doors.size === 0)
        return { kind: "hold", reason: "no door has reported second writes yet", figures: { limit } };
      const lost = doors.lost(now);
      const mute = doors.isMute(now);
      const lasted = Math.max(0, newest - since);
      const long = lasted >= forMs;
      const kind = mute || !long ? "hold" : !above ? "pass" : over;
      const wait = mute || lost.length > 0 ? Number.NaN : above ? drained() + forMs : forMs - lasted;
      const told = lost.map(
        ({ door, open, silentMs }) => `${open} of ${door}, silent for ${formatDuration(silentMs)}`,
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
          doors: Object.fromEntries([...doors.doors].map(([door, { open }]) => [door, open])),
          silent: lost.map(({ door }) => door),
        },
        ...(kind === "hold" && Number.isFinite(wait) ? { waitMs: Math.max(0, Math.round(wait)) } : {}),
      };
    },
  };
}
