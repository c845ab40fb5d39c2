import { hasCode } from "../../core/index.ts";
import { equalBytes } from "../bytes.ts";
import type { Reader } from "../connector.ts";
import {
  type Aside,
  type DataMap,
  decodeAside,
  decodeOriginal,
  imagesOf,
  keptIn,
  keptKey,
  keptPlace,
  type Place,
  type SourceRow,
} from "../map.ts";

/** A row that is in quarantine: where it lies at the source, why it has no image, and its value as it was. */
export interface AsideRow extends Place, Aside {
  /** Name of the map that set it aside. */
  readonly map: string;
}

/** All rows in quarantine on the new side, in the order of their maps, collections and keys: for reports. */
export async function* asideRows(
  target: Reader,
  options: { readonly signal?: AbortSignal } = {},
): AsyncGenerator<AsideRow> {
  try {
    for await (const rows of target.scan({ collection: keptIn.aside }, options)) {
      for (const { key, value } of rows) {
        const { name, ...place } = keptPlace(key);
        yield { map: name, ...place, ...decodeAside(value) };
      }
    }
  } catch (error) {
    // Nothing was ever set aside there.
    if (!hasCode(error, "CUTOVER_DATA_COLLECTION")) throw error;
  }
}

/** Values of a collection that a move keeps for itself; a store that never kept anything has no such collection. */
export async function getKept(
  reader: Pick<Reader, "get">,
  collection: string,
  keys: readonly Uint8Array[],
): Promise<readonly (Uint8Array | undefined)[]> {
  try {
    return await reader.get(collection, keys);
  } catch (error) {
    if (hasCode(error, "CUTOVER_DATA_COLLECTION")) return [];
    throw error;
  }
}

/** Keys of what was kept under this name, in batches, each with the place that it is of. */
export async function* keptUnder(
  reader: Pick<Reader, "scan">,
  collection: string,
  name: string,
): AsyncGenerator<readonly (Place & { readonly kept: Uint8Array })[]> {
  // Keys are the name, a zero byte, and more.
  const range = { collection, after: Buffer.from(`${name}\0`), upTo: Buffer.from(`${name}\u0001`) };
  try {
    for await (const rows of reader.scan(range)) {
      yield rows.map(({ key }) => {
        const { name: _same, ...place } = keptPlace(key);
        return { ...place, kept: key };
      });
    }
  } catch (error) {
    if (!hasCode(error, "CUTOVER_DATA_COLLECTION")) throw error;
  }
}

/**
 * Rows of the old side from which images of the new side were made, as the sidecar kept them (`DataMap.originals`), in the
 * order asked for. Undefined when none was kept, or when the image was changed since: then only a map back can say what the
 * old row is to be. Where it is defined, the way back is exact, however many rows have equal images.
 */
export async function originalsOf(
  target: Reader,
  map: DataMap,
  images: readonly (Place & { readonly value: Uint8Array })[],
): Promise<readonly (SourceRow | undefined)[]> {
  const keys = images.map((image) => keptKey(map.name ?? "", image));
  const kept = await getKept(target, keptIn.originals, keys);
  return images.map((image, index) => {
    const bytes = kept[index];
    if (bytes === undefined) return undefined;
    const original = decodeOriginal(bytes);
    const same = imagesOf(map, original).images.some(
      ({ collection, key, value }) =>
        collection === image.collection && equalBytes(key, image.key) && equalBytes(value, image.value),
    );
    return same ? original : undefined;
  });
}
