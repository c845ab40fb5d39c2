import { type Duration, parseDuration } from "../core/index.ts";

/** Milliseconds, or NaN for what is no duration. For builders: validation names the place later. */
export function parseDurationOrNaN(value: Duration): number {
  try {
    return parseDuration(value);
  } catch {
    return Number.NaN;
  }
}
