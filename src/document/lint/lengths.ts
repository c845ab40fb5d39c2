import type { TimeUnit } from "../figure-finding.ts";

/** A length of time as a plan states it. */
export interface Length {
  readonly low: number;
  readonly high: number;
  readonly unit: TimeUnit;
  readonly approximate: boolean;
}

const hours: Readonly<Record<TimeUnit, number>> = {
  ms: 1 / 3_600_000,
  s: 1 / 3_600,
  min: 1 / 60,
  h: 1,
  day: 24,
  workday: 24,
  week: 168,
  month: 730,
  quarter: 2_190,
  year: 8_760,
};

/** A week of a plan has seven days or five; a month four weeks or thirty days. Each reading gives days. */
const readings: readonly Readonly<Partial<Record<TimeUnit, number>>>[] = [
  { week: 7, month: 30, quarter: 91, year: 365 },
  { week: 5, month: 20, quarter: 60, year: 240 },
  { week: 5, month: 22, quarter: 65, year: 260 },
  { week: 7, month: 28, quarter: 91, year: 365 },
];

const days = (value: number, unit: TimeUnit, reading: Readonly<Partial<Record<TimeUnit, number>>>): number =>
  value * (reading[unit] ?? hours[unit] / 24);

/**
 * Whether a sum of lengths can be what is stated, whichever way weeks are counted. In one unit it must be exact; across
 * units a quarter of the coarsest is rounding; `about` allows a fifth.
 */
export function addsUp(parts: readonly Length[], stated: Length): boolean {
  const rough = stated.approximate || parts.some(({ approximate }) => approximate);
  const units = new Set([...parts, stated].map(({ unit }) => (unit === "workday" ? "day" : unit)));
  return readings.some((reading) => {
    const low = parts.reduce((sum, part) => sum + days(part.low, part.unit, reading), 0);
    const high = parts.reduce((sum, part) => sum + days(part.high, part.unit, reading), 0);
    const wanted = [days(stated.low, stated.unit, reading), days(stated.high, stated.unit, reading)] as const;
    const coarsest = Math.max(...[...units].map((unit) => days(1, unit, reading)));
    const slack = rough ? 0.2 * wanted[1] : units.size === 1 ? 1e-6 : coarsest / 4;
    return low <= wanted[1] + slack && high >= wanted[0] - slack;
  });
}

const shownUnits: Readonly<Record<TimeUnit, string>> = {
  ms: "ms",
  s: "s",
  min: "min",
  h: "h",
  day: "day",
  workday: "working day",
  week: "week",
  month: "month",
  quarter: "quarter",
  year: "year",
};

const many = (value: number, unit: TimeUnit): string =>
  `${Math.round(value * 100) / 100} ${shownUnits[unit]}${value === 1 || shownUnits[unit].length < 4 ? (unit === "day" && value !== 1 ? "s" : "") : "s"}`;

/** The sum in words: `22 days`, `22 days + 1 week`. */
export function sumText(parts: readonly Length[]): string {
  const sums = new Map<TimeUnit, number>();
  for (const { high, unit } of parts) sums.set(unit, (sums.get(unit) ?? 0) + high);
  return [...sums].map(([unit, value]) => many(value, unit)).join(" + ");
}
