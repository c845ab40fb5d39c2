import { CutoverError, parseDuration } from "../core/index.ts";

/** @throws CUTOVER_SIMULATION_INPUT always */
export function refuse(place: string, expected: string, found: string, remedy?: string): never {
  throw new CutoverError("CUTOVER_SIMULATION_INPUT", {
    message: `expected ${expected}, found ${JSON.stringify(found.slice(0, 60))}`,
    place,
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** `1%`, `0.5 %` as a part, 0 … 1; undefined when it is no percentage. */
export function percentOf(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)\s*%$/.exec(text.trim())?.[1];
  const part = found === undefined ? Number.NaN : Number(found) / 100;
  return part <= 1 ? part : undefined;
}

/** Milliseconds; undefined when it is no duration. A bare number is none here: its unit would be a guess. */
export function durationOf(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined;
  }
}
