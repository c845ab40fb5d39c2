import type { Reader } from "../connector.ts";
import { type DataMap, imagesOf, type Place } from "../map.ts";
import type { Difference } from "./difference.ts";
import { placeId, valuesAt, wantedBy } from "./expected.ts";

/** A clash is told when so many looks in a row have seen it: rows may hand a place to each other. */
const looks = 3;

/** Two rows of the source that may have their image at one place. */
interface Meeting {
  readonly place: Place;
  readonly rows: readonly [Place, Place];
}

/**
 * Places among these at which two rows of the source have their image. One of the rows is on the target no more, and a look at what
 * was touched does not tell: the row that was written there last is right, and the other one need not have been touched at all. Reads
 * the source once, and not at all for no places; what is written to these places meanwhile may be late, and is no clash.
 */
export async function clashesAt(
  sides: {
    readonly source: Reader;
    readonly collections: readonly string[];
    readonly map: DataMap;
    readonly signal?: AbortSignal;
    /** Rows and bytes of images read since the last call. */
    readonly onRead?: (rows: number, bytes: number) => void;
  },
  places: readonly Place[],
): Promise<readonly Difference[]> {
  const { source, collections, map, signal, onRead } = sides;
  if (places.length === 0) return [];
  const open = new Map<string, Place | undefined>(places.map((place) => [placeId(place), undefined]));
  const meetings = new Map<string, Meeting>();
  for await (const batch of wantedBy(source, collections, map, signal)) {
    let bytes = 0;
    for (const { from, value, ...place } of batch) {
      bytes += place.key.length + value.length;
      const id = placeId(place);
      if (from === undefined || !open.has(id)) continue;
      const row = { collection: from.collection, key: Buffer.from(from.key) };
      const before = open.get(id);
      if (before === undefined) open.set(id, row);
      else if (placeId(before) !== placeId(row))
        meetings.set(id, {
          place: { collection: place.collection, key: Buffer.from(place.key) },
          rows: [before, row],
        });
    }
    onRead?.(batch.length, bytes);
  }
  const found: Difference[] = [];
  for (const meeting of meetings.values()) {
    signal?.throwIfAborted();
    if (await stays(source, new Set(collections), map, meeting))
      found.push({ ...meeting.place, kind: "clash" });
  }
  return found;
}

/** Both rows lead to the place at the same time: they are as they were when they are read again. */
async function stays(
  source: Reader,
  collections: ReadonlySet<string>,
  map: DataMap,
  { place, rows }: Meeting,
): Promise<boolean> {
  const id = placeId(place);
  const meet = async (): Promise<string | undefined> => {
    const values = await valuesAt(source, rows, collections);
    for (const [index, row] of rows.entries()) {
      const value = values[index];
      const images = value === undefined ? [] : imagesOf(map, { ...row, value }).images;
      if (!images.some((image) => placeId(image) === id)) return undefined;
    }
    return values.map((value) => Buffer.from(value as Uint8Array).toString("latin1")).join("\0");
  };
  for (let look = 1; look <= looks; look++) {
    const before = await meet();
    if (before === undefined) return false;
    // Changed between the two reads: nothing is known of one moment.
    if ((await meet()) !== before) return false;
  }
  return true;
}
