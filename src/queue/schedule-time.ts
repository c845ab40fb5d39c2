import { Cron } from "croner";
import type { Duration } from "../core/index.ts";
import type { ScheduleRecord } from "../store/index.ts";
import { duration, invalid, onlyKnown } from "./settings.ts";

/**
 * When a schedule is due.
 *
 * `cron`: five parts, six with seconds first, or `@hourly`, `@daily`, …; in `timezone` (IANA name, default UTC, so
 * that every worker means the same). A fixed time that does not exist because clocks are put forward is due right
 * after the gap; one that comes twice because they are put back is due the first time only. Fixed are times with no
 * `*` and no step in seconds, minutes and hours: lists and ranges too (`15,45 2 * * *`, `0 8-17 * * *`). All others
 * are intervals (`30 * * * *`) and follow the elapsed hours.
 *
 * `every`: again and again after so long, at least a second, counted from when it was scheduled.
 */
export type ScheduleWhen =
  { readonly cron: string; readonly timezone?: string } | { readonly every: Duration };

/** The times of a schedule, checked. Milliseconds of the wall clock. */
export interface ScheduleTimes {
  /** As stored. */
  readonly text: string;
  /** As stored; null where it means nothing. */
  readonly timezone: string | null;
  /** The first time after `now` of a schedule that begins now. */
  first(now: number): number;
  /** The newest time up to `now`, when `due` is one that has come. */
  newest(due: number, now: number): number;
  /** The time that comes after `at`; undefined when none does. */
  after(at: number): number | undefined;
}

const shortestEvery = 1_000;

/** @throws CUTOVER_QUEUE_INVALID naming `cron`, `timezone` or `every` */
export function scheduleTimes(when: ScheduleWhen): ScheduleTimes {
  onlyKnown<{ cron?: string; timezone?: string; every?: Duration }>(
    when,
    { cron: true, timezone: true, every: true },
    "when",
  );
  if ("every" in when && ("cron" in when || "timezone" in when))
    throw invalid("when", "{ cron, timezone? } or { every }", "members of both");
  if ("every" in when) return everyTimes(when.every);
  isPattern(when.cron);
  return cronTimes(when.cron, when.timezone ?? "UTC");
}

/** The times of a stored schedule. */
export function storedTimes({ when, timezone }: ScheduleRecord): ScheduleTimes {
  if (when.startsWith(everyMark)) return everyTimes(when.slice(everyMark.length));
  return cronTimes(when, timezone ?? "UTC");
}

const everyMark = "every ";

function everyTimes(every: Duration): ScheduleTimes {
  const ms = Math.round(duration(every, "every", shortestEvery));
  return {
    text: everyMark + (typeof every === "number" ? `${ms}ms` : every.trim()),
    timezone: null,
    first: (now) => now + ms,
    newest: (due, now) => due + Math.floor((now - due) / ms) * ms,
    after: (at) => at + ms,
  };
}

function cronTimes(text: string, timezone: string): ScheduleTimes {
  const cron = parseCron(text, checkedZone(timezone));
  const after = (at: number): number | undefined => cron.nextRun(new Date(at))?.getTime();
  return {
    text,
    timezone,
    first(now) {
      const first = after(now);
      if (first === undefined) throw invalid("cron", "times that come", text);
      return first;
    },
    newest(due, now) {
      // Times before the beginning of the next second: cron counts in seconds, and the reference is left out.
      const before = new Date((Math.floor(now / 1_000) + 1) * 1_000);
      return Math.max(due, cron.previousRuns(1, before)[0]?.getTime() ?? due);
    },
    after,
  };
}

const expected = 'five or six cron parts such as "0 3 * * *", or "@daily"';

/** Refuses what the parser takes besides patterns: a date is one time, and a schedule has times without end. */
function isPattern(text: string): void {
  // `?` stands for the moment at which a pattern is read: every worker would mean another time.
  const readable = typeof text === "string" && text.length <= 200 && !text.includes("?");
  if (readable && /^(@\S+|\S+(\s+\S+){4,5})$/.test(text.trim())) return;
  const remedy =
    "for a single time submit the order itself, with runAt; for one again and again write cron parts";
  if (readable && !Number.isNaN(Date.parse(text))) throw invalid("cron", expected, text, remedy);
  throw invalid("cron", expected, text);
}

function parseCron(text: string, timezone: string): Cron {
  try {
    // Lists and ranges are fixed times too: `15,45 2 * * *` comes twice in the night the clocks are put back, not four times.
    return new Cron(text, { timezone, mode: "5-or-6-parts", fixedTimeRule: "no-wildcard", paused: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
    throw invalid("cron", `${expected} (${reason})`, text);
  }
}

function checkedZone(timezone: string): string {
  const expected = 'a time zone such as "Europe/Berlin"';
  if (typeof timezone !== "string") throw invalid("timezone", expected, timezone);
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone }).format(0);
    return timezone;
  } catch {
    throw invalid("timezone", expected, timezone);
  }
}
