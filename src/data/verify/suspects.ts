import { compareBytes } from "../bytes.ts";
import { keptIn, keptKey, type Place } from "../map.ts";
import { type Difference, differenceAt } from "./difference.ts";
import type { DifferenceSketch } from "./difference-sketch.ts";
import { expectedFrom, placeId, valuesAt, type Wanted } from "./expected.ts";
import { type MappedSides, ourRows, theirRows } from "./mapped-rows.ts";
import type { PlaceHashes } from "./place-hashes.ts";

/** Rows that are held in memory at once, about. */
const held = 100_000;
/** Rows looked at again together. */
const atOnce = 1_000;

/** A place at which both sides do not hold the same. */
export interface Suspect {
  readonly place: Place;
  /** Rows of the source that have an image here, two at most. */
  readonly from: readonly Place[];
  /** Images less rows of the target, and the sum of their hashes. */
  readonly count: number;
  readonly rows: bigint;
}

/** What the digests of two sides left over. */
export interface Leftover {
  /** Hashes of places at which rows differ. */
  readonly places: ReadonlySet<bigint>;
  /** Rows beyond those: too many of them, or several images at one place. */
  readonly rest: DifferenceSketch;
  /** Rows of both sides. */
  readonly total: number;
}

/**
 * Reads both sides again for the places of what was left over, part by part when there are too many to be held. `passed`: hashes of
 * places that are not asked for.
 */
export async function* suspects(
  sides: MappedSides,
  hashes: PlaceHashes,
  { places, rest, total }: Leftover,
  passed: ReadonlySet<bigint>,
): AsyncGenerator<{ readonly found: readonly Suspect[]; readonly last: boolean }> {
  const { filled } = rest;
  const parts = Math.max(1, Math.ceil((places.size + total * filled ** 3) / held));
  for (let part = 0; part < parts; part++) {
    const asked = (wanted: Wanted, keyHash: bigint): boolean => {
      // The top 20 bits of the hash say to which part a place belongs.
      if (parts > 1 && Math.floor((Number(keyHash >> 44n) * parts) / 2 ** 20) !== part) return false;
      if (passed.has(keyHash)) return false;
      return places.has(keyHash) || (filled > 0 && rest.mayHold(hashes.row(wanted)));
    };
    yield { found: await between(sides, hashes, asked), last: part === parts - 1 };
  }
}

async function between(
  sides: MappedSides,
  hashes: PlaceHashes,
  asked: (wanted: Wanted, keyHash: bigint) => boolean,
): Promise<readonly Suspect[]> {
  const open = new Map<string, Suspect>();
  const note = (wanted: Wanted, sign: 1 | -1): void => {
    if (!asked(wanted, hashes.key(wanted))) return;
    const id = placeId(wanted);
    const known = open.get(id);
    const hash = hashes.row(wanted);
    const count = (known?.count ?? 0) + sign;
    const rows = BigInt.asUintN(64, (known?.rows ?? 0n) + (sign === 1 ? hash : -hash));
    const from = known?.from ?? [];
    if (count === 0 && rows === 0n && from.length < 2) open.delete(id);
    else
      open.set(id, {
        // Keys are parts of whole batches, which would stay in memory with them.
        place: known?.place ?? { collection: wanted.collection, key: Buffer.from(wanted.key) },
        from: wanted.from === undefined || from.length === 2 ? from : [...from, copied(wanted.from)],
        count,
        rows,
      });
  };
  // The source first: where two images meet is seen before the target's row takes one of them away.
  for await (const batch of ourRows(sides)) for (const wanted of batch) note(wanted, 1);
  for await (const batch of theirRows(sides)) for (const wanted of batch) note(wanted, -1);
  return [...open.values()].toSorted((a, b) => compareBytes(a.place.key, b.place.key));
}

const copied = ({ collection, key }: Place): Place => ({ collection, key: Buffer.from(key) });

/** Reads the places of suspects again, row by row, and compares bytes. `same`: those that are equal now. */
export async function compareSuspects(
  sides: MappedSides,
  found: readonly Suspect[],
): Promise<{ readonly differences: readonly Difference[]; readonly same: readonly Suspect[] }> {
  const differences: Difference[] = [];
  const same: Suspect[] = [];
  const { source, target, collections, targets, map } = sides;
  for (let at = 0; at < found.length; at += atOnce) {
    sides.signal?.throwIfAborted();
    const part = found.slice(at, at + atOnce);
    const expected = await expectedFrom(source, collections, map, part);
    const there = await valuesAt(
      target,
      part.map(({ place }) => place),
      targets,
    );
    for (const [index, suspect] of part.entries()) {
      const { place, from } = suspect;
      const difference =
        from.length > 1
          ? { ...place, kind: "clash" as const, rows: from }
          : differenceAt(place, expected[index], there[index]);
      if (difference === undefined) same.push(suspect);
      else differences.push(difference);
    }
  }
  return { differences, same };
}

/** Hashes of the places that have to do with what was touched: those that were written, and those where a row would be set aside. */
export function touchedHashes(
  hashes: PlaceHashes,
  name: string,
  {
    sourceKeys,
    targetPlaces,
  }: { readonly sourceKeys: readonly Place[]; readonly targetPlaces: readonly Place[] },
): ReadonlySet<bigint> {
  return new Set([
    ...targetPlaces.map((place) => hashes.key(place)),
    ...sourceKeys.map((row) => hashes.key({ collection: keptIn.aside, key: keptKey(name, row) })),
  ]);
}
