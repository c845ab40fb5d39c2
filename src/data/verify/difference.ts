import { keyText } from "../bytes.ts";
import type { Place } from "../map.ts";

/**
 * - `missing`: the source has an image here, the target nothing;
 * - `extra`: the target has a row that nothing in the source gives;
 * - `different`: both have one, with other bytes;
 * - `clash`: two rows of the source have their image here, which no copy can satisfy (`Difference.rows`).
 */
export type DifferenceKind = "missing" | "extra" | "different" | "clash";

/** One place of the target where it is not as the source says. */
export interface Difference extends Place {
  readonly kind: DifferenceKind;
  /** Bytes of the value the source gives; absent when it gives none. */
  readonly sourceBytes?: number;
  readonly targetBytes?: number;
  /** First byte of the two values that is not equal, from 0; absent when one is missing. */
  readonly firstByte?: number;
  /** With `clash` two of the rows of the source that have their image here, where they were found. */
  readonly rows?: readonly Place[];
}

export type DifferenceCounts = Readonly<Record<DifferenceKind, number>>;

export const noDifferences: DifferenceCounts = { missing: 0, extra: 0, different: 0, clash: 0 };

/** `clash "7" of the rows "a:7" and "b:7"`. */
export function differenceText({ kind, rows = [], ...place }: Difference): string {
  const of = rows.length === 0 ? "" : ` of the rows ${rows.map(placeText).join(" and ")}`;
  return `${kind} ${placeText(place)}${of}`;
}

const placeText = ({ collection, key }: Place): string =>
  `${collection === "" ? "" : `${collection} `}${keyText(key)}`;

/** What should be at a place, and what is. Undefined when they are equal. */
export function differenceAt(
  { collection, key }: Place,
  expected: Uint8Array | undefined,
  found: Uint8Array | undefined,
): Difference | undefined {
  if (expected === undefined && found === undefined) return undefined;
  if (expected === undefined)
    return { collection, key, kind: "extra", targetBytes: (found as Uint8Array).length };
  if (found === undefined) return { collection, key, kind: "missing", sourceBytes: expected.length };
  const firstByte = firstUnequal(expected, found);
  if (firstByte === -1) return undefined;
  const sizes = { sourceBytes: expected.length, targetBytes: found.length };
  return { collection, key, kind: "different", ...sizes, firstByte };
}

/** -1 when they are equal. */
function firstUnequal(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) if (a[at] !== b[at]) return at;
  return shared;
}
