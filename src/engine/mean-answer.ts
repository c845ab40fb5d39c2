import { CutoverError } from "../core/index.ts";
import type { MeanReading } from "../gates/index.ts";

type Sums = NonNullable<MeanReading["old"]>;

const shape = "{ old, new } with values or { count, sum, sumOfSquares }, or a list of { side, value }";

/**
 * What a mean's source answered, as sums of both sides. Sums that no numbers have are found where they are judged.
 * @throws CUTOVER_GATE_INPUT for an answer of another shape, so that a misspelt side is no silent side.
 */
export function meanAnswer(answer: unknown): { readonly old?: Sums; readonly new?: Sums } {
  if (Array.isArray(answer)) {
    const values: { readonly old: number[]; readonly new: number[] } = { old: [], new: [] };
    for (const [index, entry] of answer.entries()) {
      const { side, value } = isRecord(entry) ? entry : {};
      if (side !== "old" && side !== "new") throw refused(`[${index}].side to be "old" or "new"`, side);
      values[side].push(finite(value, `[${index}].value`));
    }
    return { old: sumsOf(values.old), new: sumsOf(values.new) };
  }
  if (!isRecord(answer)) throw refused(shape, answer);
  for (const key of Object.keys(answer))
    if (key !== "old" && key !== "new") throw refused(shape, `a member ${JSON.stringify(key)}`);
  const sides = (["old", "new"] as const).flatMap((side) => {
    const given = answer[side];
    return given === undefined ? [] : [[side, sideOf(given, side)] as const];
  });
  return Object.fromEntries(sides);
}

function sideOf(given: unknown, side: string): Sums {
  if (Array.isArray(given))
    return sumsOf(given.map((value: unknown, index) => finite(value, `${side}[${index}]`)));
  if (!isRecord(given))
    throw refused(`${side} to be a list of values or { count, sum, sumOfSquares }`, given);
  const { count, sum, sumOfSquares } = given;
  return {
    count: finite(count, `${side}.count`),
    sum: finite(sum, `${side}.sum`),
    sumOfSquares: finite(sumOfSquares, `${side}.sumOfSquares`),
  };
}

function sumsOf(values: readonly number[]): Sums {
  let sum = 0;
  let sumOfSquares = 0;
  for (const value of values) {
    sum += value;
    sumOfSquares += value * value;
  }
  return { count: values.length, sum, sumOfSquares };
}

function finite(value: unknown, place: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  // Databases answer with text for large numbers, and with null for the sum of nothing: neither is taken for a figure.
  throw refused(`${place} to be a finite number`, value);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function refused(expected: string, found: unknown): CutoverError {
  const shown = isRecord(found) ? "an object" : typeof found === "string" ? found : String(found as number);
  return new CutoverError("CUTOVER_GATE_INPUT", {
    message: `expected ${expected}, found ${shown.slice(0, 80)}`,
  });
}
