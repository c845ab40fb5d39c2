import type { Reader } from "../connector.ts";
import { type DataMap, imagesOf, type Place } from "../map.ts";
import { type Difference, differenceAt } from "./difference.ts";
import { placeId, valuesAt, wantedBy } from "./expected.ts";

/** A clash is told when so many looks in a row have seen it: rows may hand a place to each other. */
const looks = 3;

/** Two sides through a map. */
interface MappedLook {
  readonly source: Reader;
  readonly target: Reader;
  readonly collections: readonly string[];
  readonly targets: readonly string[];
  readonly map: DataMap;
  /** As in `verifyData`; absent: both sides stand still. */
  readonly caughtUp?: (signal?: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
  /** Rows and bytes of images read since the last call. */
  readonly onRead?: (rows: number, bytes: number) => void;
}

/** A place, and the rows of the source that have their image there, two at most. */
interface Led {
  readonly place: Place;
  readonly rows: readonly Place[];
}

/**
 * Places among these at which two rows of the source have their image, or at which the image of one row is not on the target. One row took
 * another one's place: the row that was written last is right, or gone, and the other one need not have been touched at all, so that a
 * look at what was touched does not tell. Reads the source once, and not at all for no places; what is written to these places meanwhile
 * may be late, and is no difference.
 */
export async function clashesAt(sides: MappedLook, places: readonly Place[]): Promise<readonly Difference[]> {
  if (places.length === 0) return [];
  const found: Difference[] = [];
  for (const led of await rowsLeadingTo(sides, places)) {
    sides.signal?.throwIfAborted();
    const difference = led.rows.length === 1 ? await lost(sides, led) : await meeting(sides, led);
    if (difference !== undefined) found.push(difference);
  }
  return found;
}

async function rowsLeadingTo(
  { source, collections, map, signal, onRead }: MappedLook,
  places: readonly Place[],
): Promise<readonly Led[]> {
  const open = new Map<string, Led>(places.map((place) => [placeId(place), { place, rows: [] }]));
  for await (const batch of wantedBy(source, collections, map, signal)) {
    let bytes = 0;
    for (const { from, value, ...place } of batch) {
      bytes += place.key.length + value.length;
      const id = placeId(place);
      const led = open.get(id);
      if (from === undefined || led === undefined || led.rows.length === 2) continue;
      if (led.rows.some((row) => placeId(row) === placeId(from))) continue;
      // Keys are parts of whole batches, which would stay in memory with them.
      const row = { collection: from.collection, key: Buffer.from(from.key) };
      open.set(id, { ...led, rows: [...led.rows, row] });
    }
    onRead?.(batch.length, bytes);
  }
  return [...open.values()].filter(({ rows }) => rows.length > 0);
}

/** Both rows lead to the place at the same time: they are as they were when they are read again. */
async function meeting(sides: MappedLook, { place, rows }: Led): Promise<Difference | undefined> {
  for (let look = 1; look <= looks; look++) {
    const before = await imagesAt(sides, { place, rows });
    if (before.includes(undefined)) return undefined;
    // Changed between the two reads: nothing is known of one moment.
    if (!sameValues(before, await imagesAt(sides, { place, rows }))) return undefined;
  }
  return { collection: place.collection, key: place.key, kind: "clash", rows };
}

/** The row leads there all the time, and the target does not have its image when it has caught up. */
async function lost(sides: MappedLook, { place, rows }: Led): Promise<Difference | undefined> {
  let difference: Difference | undefined;
  for (let look = 1; look <= looks; look++) {
    const before = await imagesAt(sides, { place, rows });
    const [image] = before;
    if (image === undefined) return undefined;
    await sides.caughtUp?.(sides.signal);
    const [found] = await valuesAt(sides.target, [place], new Set(sides.targets));
    if (!sameValues(before, await imagesAt(sides, { place, rows }))) return undefined;
    difference = differenceAt(place, image, found);
    if (difference === undefined) return undefined;
  }
  return difference;
}

/** Images that these rows have at the place now. */
async function imagesAt(
  { source, collections, map }: MappedLook,
  { place, rows }: Led,
): Promise<readonly (Uint8Array | undefined)[]> {
  const id = placeId(place);
  const values = await valuesAt(source, rows, new Set(collections));
  return rows.map((row, index) => {
    const value = values[index];
    const images = value === undefined ? [] : imagesOf(map, { ...row, value }).images;
    return images.find((image) => placeId(image) === id)?.value;
  });
}

const sameValues = (
  a: readonly (Uint8Array | undefined)[],
  b: readonly (Uint8Array | undefined)[],
): boolean =>
  a.every((value, index) => {
    const other = b[index];
    return value === undefined || other === undefined ? value === other : Buffer.compare(value, other) === 0;
  });
