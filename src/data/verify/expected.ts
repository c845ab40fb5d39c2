import { hasCode } from "../../core/index.ts";
import { equalBytes } from "../bytes.ts";
import type { Reader, Row } from "../connector.ts";
import { type DataMap, decodeAside, imagesOf, keptIn, keptKey, type Place } from "../map.ts";

/** What the source gives for a place of the target. */
export interface Expected {
  /** Undefined: nothing should be there. */
  readonly value: Uint8Array | undefined;
  /** The place is one of quarantine: why the row was set aside. */
  readonly aside?: string;
  /** Two rows of the source that have their image here. */
  readonly clash?: readonly Place[];
}

/** An image, or a row in quarantine, and where on the target it belongs. */
export interface Wanted extends Place {
  readonly value: Uint8Array;
  readonly aside?: string;
  /** The row of the source that it is of; absent for a row of the target. */
  readonly from?: Place;
}

/** One text for one place. */
export function placeId({ collection, key }: Place): string {
  return `${collection}\0${Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1")}`;
}

/** What is to stand at these places, in their order, read now. */
export async function expectedAt(
  source: Reader,
  collections: readonly string[],
  map: DataMap | undefined,
  places: readonly Place[],
  signal?: AbortSignal,
): Promise<readonly Expected[]> {
  if (map === undefined) {
    const values = await valuesAt(source, places, new Set(collections));
    return values.map((value) => ({ value }));
  }
  // Nothing says which row of the source an image came from: all of them are mapped, those that are asked for are kept.
  type From = Expected & { readonly from?: Place };
  const wanted = new Map<string, From | undefined>(places.map((place) => [placeId(place), undefined]));
  for await (const batch of wantedBy(source, collections, map, signal)) {
    for (const { value, aside, from: row, ...place } of batch) {
      const id = placeId(place);
      if (!wanted.has(id)) continue;
      // Keys are parts of whole batches, which would stay in memory with them.
      const from = row && { collection: row.collection, key: Buffer.from(row.key) };
      const known = wanted.get(id)?.from;
      wanted.set(id, {
        value,
        ...(aside === undefined ? {} : { aside }),
        ...(from === undefined ? {} : { from }),
        ...(known === undefined || from === undefined ? {} : { clash: [known, from] }),
      });
    }
  }
  return places.map((place) => {
    const { from: _row, ...found } = wanted.get(placeId(place)) ?? { value: undefined };
    return found;
  });
}

/** Images of all rows of these collections, batch by batch; a row set aside counts as an image in quarantine. */
export async function* wantedBy(
  source: Reader,
  collections: readonly string[],
  map: DataMap,
  signal?: AbortSignal,
): AsyncGenerator<readonly Wanted[]> {
  for (const collection of collections) {
    for await (const rows of source.scan({ collection }, signal === undefined ? {} : { signal }))
      yield rows.flatMap((row) => wantedOf(collection, row, map));
  }
}

function wantedOf(collection: string, { key, value }: Row, map: DataMap): readonly Wanted[] {
  const row = { collection, key, value };
  const { images, aside } = imagesOf(map, row);
  if (aside === undefined) return images.map((image) => ({ ...image, from: row }));
  return [{ collection: keptIn.aside, key: keptKey(map.name ?? "", row), value, aside, from: row }];
}

/** What is to stand at places of which it is known from which row, read now; undefined where no row is named. */
export async function expectedFrom(
  source: Reader,
  collections: readonly string[],
  map: DataMap,
  places: readonly { readonly place: Place; readonly from: readonly Place[] }[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const asked = places.flatMap(({ from }) => from.slice(0, 1));
  const values = await valuesAt(source, asked, new Set(collections));
  const images = new Map<string, Uint8Array>();
  for (const [index, { collection, key }] of asked.entries()) {
    const value = values[index];
    if (value === undefined) continue;
    for (const wanted of wantedOf(collection, { key, value }, map)) images.set(placeId(wanted), wanted.value);
  }
  return places.map(({ place, from }) => (from.length === 0 ? undefined : images.get(placeId(place))));
}

/** Values that stand at these places; a row in quarantine counts with the value it had. Collections not in `known` are empty. */
export async function valuesAt(
  reader: Reader,
  places: readonly Place[],
  known: ReadonlySet<string>,
): Promise<readonly (Uint8Array | undefined)[]> {
  const values: (Uint8Array | undefined)[] = places.map(() => undefined);
  const byCollection = Map.groupBy(places.keys(), (index) => (places[index] as Place).collection);
  for (const [collection, indexes] of byCollection) {
    const aside = collection === keptIn.aside;
    if (!aside && !known.has(collection)) continue;
    const keys = indexes.map((index) => (places[index] as Place).key);
    const found = await reader.get(collection, keys).catch((error: unknown) => {
      // A store that nothing was ever set aside in need not know the collection.
      if (aside && hasCode(error, "CUTOVER_DATA_COLLECTION")) return [];
      throw error;
    });
    for (const [at, index] of indexes.entries()) {
      const value = found[at];
      values[index] = aside && value !== undefined ? decodeAside(value).value : value;
    }
  }
  return values;
}

export function sameExpected(a: Expected, b: Expected): boolean {
  if ((a.clash === undefined) !== (b.clash === undefined) || a.aside !== b.aside) return false;
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equalBytes(a.value, b.value);
}
