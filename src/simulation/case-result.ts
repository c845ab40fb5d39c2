import type { Notice, Played } from "./run-play.ts";
import { frequencies, partInterval, quantileOf } from "./statistics.ts";

/** What noticed, what it did, and in how many runs. */
export interface NoticedBy {
  readonly by: string;
  readonly action: string;
  readonly runs: number;
}

/** Runs of the migration while all is well. */
export interface HealthyResult {
  readonly runs: number;
  /** Runs in which something said "bad" of a healthy new side, with its 95 % interval. */
  readonly falseAlarms: {
    readonly runs: number;
    readonly part: number;
    readonly low: number;
    readonly high: number;
  };
  readonly by: readonly NoticedBy[];
  /** Runs in which something was not shown to be good in its time, and what. */
  readonly notCleared: { readonly runs: number; readonly by: readonly NoticedBy[]; readonly reason?: string };
  /** Milliseconds from the first step to the last, of the runs that came to the end; absent when none did. */
  readonly duration?: { readonly median: number; readonly p90: number };
}

/** Runs of the migration with one fault. */
export interface FaultResult {
  readonly fault: string;
  readonly runs: number;
  /** Runs that came to where the fault begins; the figures below are of these. */
  readonly reached: number;
  readonly detected: number;
  /** Of the detected ones, those that were stopped there, not only told of. */
  readonly stopped: number;
  /** Milliseconds from the fault's begin to the first notice. Absent when half, or a tenth, of the runs did not notice. */
  readonly detection: { readonly median?: number; readonly p90?: number };
  /** Where the route stood then, most frequent first. */
  readonly where: readonly { readonly at: string; readonly runs: number }[];
  readonly by: readonly NoticedBy[];
  /** Callers' calls that went wrong because of the fault, and keys that had one, until the run was stopped or over. Medians. */
  readonly hit: { readonly calls: number; readonly keys: number };
}

export function healthyResult(played: readonly Played[]): HealthyResult {
  const runs = played.length;
  const alarms = played.flatMap(({ notices }) => notices.find(({ late }) => !late) ?? []);
  const late = played.flatMap(({ notices }) => notices.find((notice) => notice.late) ?? []);
  const times = played.filter(({ stopped }) => !stopped).map(({ ms }) => ms);
  const [median, p90] = [quantileOf(times, 0.5), quantileOf(times, 0.9)];
  const [reason] = frequencies(late.map((notice) => notice.reason));
  return {
    runs,
    falseAlarms: {
      runs: alarms.length,
      part: runs === 0 ? 0 : alarms.length / runs,
      ...partInterval(alarms.length, runs),
    },
    by: noticedBy(alarms),
    notCleared: {
      runs: late.length,
      by: noticedBy(late),
      ...(reason === undefined ? {} : { reason: reason.text }),
    },
    ...(median === undefined || p90 === undefined ? {} : { duration: { median, p90 } }),
  };
}

export function faultResult(fault: string, played: readonly Played[]): FaultResult {
  const found = played.flatMap(({ faultAt, notices, stopped, harm }) => {
    if (faultAt === undefined) return [];
    const notice = notices.find(({ at }) => at >= faultAt);
    return [
      { notice, stopped, harm, after: notice === undefined ? Number.POSITIVE_INFINITY : notice.at - faultAt },
    ];
  });
  const detected = found.filter(({ notice }) => notice !== undefined);
  const notices = detected.flatMap(({ notice }) => notice ?? []);
  const times = found.map(({ after }) => after);
  const finite = (
    name: "median" | "p90",
    value: number | undefined,
  ): { [name in "median" | "p90"]?: number } =>
    value === undefined || !Number.isFinite(value) ? {} : { [name]: value };
  return {
    fault,
    runs: played.length,
    reached: found.length,
    detected: detected.length,
    stopped: detected.filter(({ stopped }) => stopped).length,
    detection: {
      ...finite("median", quantileOf(times, 0.5)),
      ...finite("p90", quantileOf(times, 0.9)),
    },
    where: frequencies(notices.map(({ where }) => where)).map(({ text, count }) => ({
      at: text,
      runs: count,
    })),
    by: noticedBy(notices),
    hit: {
      calls: Math.round(
        quantileOf(
          found.map(({ harm }) => harm.calls),
          0.5,
        ) ?? 0,
      ),
      keys: Math.round(
        quantileOf(
          found.map(({ harm }) => harm.keys),
          0.5,
        ) ?? 0,
      ),
    },
  };
}

function noticedBy(notices: readonly Notice[]): readonly NoticedBy[] {
  return frequencies(notices.map(({ by, action }) => `${action}\n${by}`)).map(({ text, count }) => {
    const [action = "", by = ""] = text.split("\n");
    return { by, action, runs: count };
  });
}
