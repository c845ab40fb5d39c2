import { CutoverError } from "./errors.ts";

/** Milliseconds, or a text such as `"250ms"`, `"1.5s"`, `"10m"`, `"2h"`, `"1d"`, `"1h 30m"`. */
export type Duration = number | string;

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The last millisecond that a `Date` can name, and the longest duration: a time that can be named plus such a one is still a whole number. */
export const lastTime = 8_640_000_000_000_000;

/**
 * A duration in milliseconds. A bare number is milliseconds already.
 * @throws CUTOVER_DURATION_INVALID for anything else; an unreadable interval never becomes 0.
 */
export function parseDuration(value: Duration): number {
  if (typeof value === "number" && value >= 0 && value <= lastTime) return value;
  if (typeof value === "string" && /^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d)\s*)+$/.test(value)) {
    let total = 0;
    for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g)) {
      total += Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
    }
    if (total <= lastTime) return total;
  }
  // Plain JavaScript may hand in anything, also what cannot be put into words.
  const found = typeof value === "object" && value !== null ? "an object" : String(value).slice(0, 80);
  throw new CutoverError("CUTOVER_DURATION_INVALID", {
    message: `expected a duration such as "250ms", "10m" or "1h 30m", found ${typeof value === "string" ? JSON.stringify(found) : found}`,
    details: { found },
  });
}

/** A duration for people: `0 ms`, `850 ms`, `1.4 s`, `38 s`, `02:41`, `1 h 05 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${pad(minutes)}:${pad(seconds % 60)}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${pad(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const pad = (n: number): string => String(n).padStart(2, "0");
