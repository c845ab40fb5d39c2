import { CutoverError } from "../core/index.ts";

/** Bytes, or a text such as `"512 MB"`, `"1.5 GB"`, `"64 kB"`. Units are powers of 1024. */
export type Size = number | string;

const units: Readonly<Record<string, number>> = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 };

/** Sizes are added up and stored as whole numbers; 1,024 TB is beyond any machine. */
const largest = 2 ** 50;

/**
 * A size in bytes, rounded up to a whole one.
 * @throws CUTOVER_QUEUE_INVALID for anything else; `place` names the field.
 */
export function parseSize(value: Size, place: string): number {
  if (typeof value === "number" && value >= 0 && value <= largest) return Math.ceil(value);
  const found = typeof value === "string" ? /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?b)\s*$/i.exec(value) : null;
  const unit = units[(found?.[2] ?? "").toLowerCase().replace("i", "")];
  const bytes = found === null || unit === undefined ? Number.NaN : Math.ceil(Number(found[1]) * unit);
  if (bytes <= largest) return bytes;
  throw new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `${place}: expected a size such as "512 MB" or a number of bytes, at most 1024 TB, found ${typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value)}`,
    place,
    details: { field: place, found: String(value) },
  });
}

/** A size for people: `512 MB`, `1.5 GB`. */
export function formatSize(bytes: number): string {
  for (const [name, unit] of [
    ["TB", 2 ** 40],
    ["GB", 2 ** 30],
    ["MB", 2 ** 20],
    ["kB", 2 ** 10],
  ] as const) {
    if (bytes >= unit) return `${Number((bytes / unit).toFixed(1))} ${name}`;
  }
  return `${bytes} B`;
}
