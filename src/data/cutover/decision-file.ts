import { canonicalJson, CutoverError, type Json, sha256 } from "../../core/index.ts";
import type { Standing } from "./switch.ts";

/** One turn of a switch, as it is kept. */
export interface Decision extends Standing {
  /** When, wall-clock milliseconds of whoever decided. */
  readonly at: number;
  /** Who, where that was said. */
  readonly by?: string;
}

const format = 1;

/** The file that holds the n-th decision; no gaps, from 1 on. */
export const fileOf = (number: number): string => `${String(number).padStart(8, "0")}.json`;

/** Undefined: it is not the name of a decision. */
export function numberOf(file: string): number | undefined {
  const number = Number(/^(\d{8,15})\.json$/.exec(file)?.[1] ?? Number.NaN);
  return number > 0 && fileOf(number) === file ? number : undefined;
}

/** The text of the file: JSON that people read, with a checksum over all of it. */
export function writeDecision(number: number, { side, epoch, at, by }: Decision): string {
  const fields = {
    format,
    number,
    side,
    epoch,
    at: new Date(at).toISOString(),
    ...(by === undefined ? {} : { by }),
  };
  return `${JSON.stringify({ ...fields, sum: sumOf(fields) })}\n`;
}

/** @throws CUTOVER_DATA_FORMAT when the text is none of ours, damaged, or stands in the wrong file */
export function readDecision(text: string, number: number, place: string): Decision {
  const { sum, ...fields } = objectIn(text, place);
  if (typeof fields["format"] === "number" && fields["format"] > format)
    throw damaged(
      place,
      `format ${format}`,
      `format ${fields["format"]}: a newer Cutover has turned this switch`,
    );
  if (sum !== sumOf(fields)) throw damaged(place, "a decision as it was written", "another checksum");
  if (fields["number"] !== number)
    throw damaged(place, `decision ${number}`, `decision ${JSON.stringify(fields["number"])}`);
  const { side, epoch, at, by } = fields;
  return {
    side: side as Standing["side"],
    epoch: epoch as number,
    at: Date.parse(at as string),
    ...(by === undefined ? {} : { by: by as string }),
  };
}

/** CUTOVER_DATA_FORMAT with what to do: a decision must not be guessed. */
export function damaged(place: string, expected: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected ${expected}, found ${found}`,
    place,
    remedy:
      "find out which side took the last writes, bring the folder back from a copy, or stop all writers and begin with a new folder",
  });
}

function objectIn(text: string, place: string): Record<string, Json> {
  try {
    const found = JSON.parse(text) as Json;
    if (typeof found === "object" && found !== null && !Array.isArray(found))
      return found as Record<string, Json>;
  } catch {
    // Told below: what is no JSON and what is no object are the same to whoever has to mend it.
  }
  throw damaged(place, "the record of a decision", text.length === 0 ? "an empty file" : "another text");
}

const sumOf = (fields: Readonly<Record<string, Json>>): string => sha256(canonicalJson(fields)).slice(0, 16);
