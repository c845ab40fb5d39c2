import { CutoverError } from "../../core/index.ts";
import { equalBytes } from "../bytes.ts";
import type { Change, Reader, Row } from "../connector.ts";
import {
  type DataMap,
  decodePlaces,
  encodeAside,
  encodeOriginal,
  encodePlaces,
  imagesOf,
  keptIn,
  keptKey,
  type Mapped,
  type Place,
  type SourceRow,
} from "../map.ts";

/** A row of the target with its collection. */
export type PlacedRow = Row & { readonly collection: string };

/** What a map makes of changes and rows. */
export interface Written {
  readonly changes: readonly Change[];
  readonly rows: readonly PlacedRow[];
  /** Why the first row that is put in quarantine has no image. */
  readonly reason?: string;
}

/** What came before a change of the source: whether rows may lie in quarantine. */
export interface Before {
  readonly aside: boolean;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

/** How a move turns rows of its source into rows of its target. */
export interface Images {
  /** In the order of the log. */
  ofChanges(changes: readonly Change[], before: Before): Promise<Written>;
  /** Copied rows: no image of them is on the target yet, unless it is the same. */
  ofRows(collection: string, rows: readonly Row[], before: Before): Promise<Written>;
}

/** Rows go over as they are. */
export const unchanged: Images = {
  ofChanges: (changes) => Promise.resolve({ changes: lastOfEach(changes), rows: [] }),
  ofRows: (collection, rows) =>
    Promise.resolve({
      changes: [],
      rows: rows.map(({ key, value }) => ({ collection, key, value })),
    }),
};

/** Rows go through a map. Reads from `target` which images a row had, unless the map can tell from the key. */
export function mapped(map: DataMap, target: Pick<Reader, "get">): Images {
  return {
    async ofChanges(changes, before) {
      const known = map.places === undefined ? await readPlaces(map, target, changes) : undefined;
      // With places told from the key, those of two keys have nothing in common, so that the last change of each is enough.
      const due = known === undefined ? lastOfEach(changes) : changes;
      const out = new Writing(map, before);
      for (const change of due) {
        const had = known?.get(idOf(change));
        out.change(change, had ?? map.places?.(change.collection, change.key) ?? []);
        if (known !== undefined) known.set(idOf(change), out.lastPlaces);
      }
      return out.written();
    },
    ofRows(collection, rows, before) {
      const out = new Writing(map, before);
      for (const { key, value } of rows) out.row({ collection, key, value });
      return Promise.resolve(out.written());
    },
  };
}

/** Collects what a map gives in one transaction. */
class Writing {
  /** Places of the images of the row that changed last. */
  lastPlaces: readonly Place[] = [];
  readonly #map: DataMap;
  readonly #before: Before;
  readonly #changes: Change[] = [];
  readonly #rows: PlacedRow[] = [];
  #reason: string | undefined;

  constructor(map: DataMap, before: Before) {
    this.#map = map;
    this.#before = before;
  }

  /** Copied: only writes. */
  row(row: SourceRow): void {
    const images = this.#imagesOf(row);
    for (const image of images) {
      this.#rows.push(image);
      this.#keepOriginal(row, image, this.#rows);
    }
    if (this.#map.places === undefined && images.length > 0) {
      const key = keptKey(this.#map.name ?? "", row);
      this.#rows.push({ collection: keptIn.images, key, value: encodePlaces(images) });
    }
  }

  /** Changed: what the row had and has no more is removed. */
  change(change: Change, had: readonly Place[]): void {
    const { collection, key, value } = change;
    const kept = keptKey(this.#map.name ?? "", change);
    const { aside } = this.#before;
    if (aside || this.#reason !== undefined)
      this.#changes.push({ collection: keptIn.aside, key: kept, value: null });
    const row = value === null ? undefined : { collection, key, value };
    const images = row === undefined ? [] : this.#imagesOf(row);
    this.lastPlaces = images;
    const stays = among(images);
    for (const place of had) {
      if (stays(place)) continue;
      this.#changes.push({ collection: place.collection, key: place.key, value: null });
      if (this.#map.originals === true) this.#changes.push({ ...originalAt(this.#map, place), value: null });
    }
    for (const image of images) {
      this.#changes.push(image);
      if (row !== undefined) this.#keepOriginal(row, image, this.#changes);
    }
    if (this.#map.places !== undefined || (had.length === 0 && images.length === 0)) return;
    const places = images.length === 0 ? null : encodePlaces(images);
    this.#changes.push({ collection: keptIn.images, key: kept, value: places });
  }

  written(): Written {
    return {
      changes: this.#changes,
      rows: this.#rows,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  #imagesOf(row: SourceRow): readonly (Place & { readonly value: Uint8Array })[] {
    const { images, aside }: Mapped = imagesOf(this.#map, row);
    this.#check(row, images);
    if (aside !== undefined) {
      this.#reason ??= aside;
      const { now: at } = this.#before;
      const value = encodeAside({ reason: aside, at, value: row.value });
      this.#changes.push({ collection: keptIn.aside, key: keptKey(this.#map.name ?? "", row), value });
    }
    return images;
  }

  /** An image where nobody looks for it would stay when its row is gone. */
  #check(row: SourceRow, images: readonly Place[]): void {
    const told = this.#map.places?.(row.collection, row.key);
    const known = told === undefined ? undefined : among(told);
    const stray = images.find((image) => image.collection.startsWith("cutover_") || known?.(image) === false);
    const twice = images.length > 1 && new Set(images.map(idOf)).size < images.length;
    if (stray === undefined && !twice) return;
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message:
        stray === undefined
          ? `expected images at places of their own, found two at one place from a row of "${row.collection}"`
          : `expected images at the places that the map tells from the key, outside of "cutover_…", found one in "${stray.collection}" from a row of "${row.collection}"`,
      place: `map of "${row.collection}"`,
    });
  }

  #keepOriginal(row: SourceRow, image: Place, to: { push(row: PlacedRow): unknown }): void {
    if (this.#map.originals !== true) return;
    to.push({ ...originalAt(this.#map, image), value: encodeOriginal(row) });
  }
}

function originalAt(map: DataMap, place: Place): Place {
  return { collection: keptIn.originals, key: keptKey(map.name ?? "", place) };
}

/** Where the images of these rows lie, by `idOf`. */
async function readPlaces(
  map: DataMap,
  target: Pick<Reader, "get">,
  changes: readonly Change[],
): Promise<Map<string, readonly Place[]>> {
  const rows = lastOfEach(changes);
  const known = new Map<string, readonly Place[]>();
  if (rows.length === 0) return known;
  const keys = rows.map((row) => keptKey(map.name ?? "", row));
  const found = await target.get(keptIn.images, keys);
  for (const [at, row] of rows.entries()) {
    const places = found[at];
    known.set(idOf(row), places === undefined ? [] : decodePlaces(places));
  }
  return known;
}

/** Of several changes of one key the last, in the order of these last ones. */
function lastOfEach(changes: readonly Change[]): readonly Change[] {
  if (changes.length < 2) return changes;
  const last = new Map<string, Change>();
  for (const change of changes) {
    const id = idOf(change);
    last.delete(id);
    last.set(id, change);
  }
  return last.size === changes.length ? changes : [...last.values()];
}

function idOf({ collection, key }: Place): string {
  return `${collection}\0${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1")}`;
}

/** From here on places are looked up: each against each takes minutes for a row that becomes a hundred thousand. */
const fewPlaces = 8;

/** Whether a place is one of these. */
function among(places: readonly Place[]): (place: Place) => boolean {
  if (places.length <= fewPlaces) return (place) => places.some((other) => samePlace(other, place));
  const ids = new Set(places.map(idOf));
  return (place) => ids.has(idOf(place));
}

function samePlace(a: Place, b: Place): boolean {
  return a.collection === b.collection && equalBytes(a.key, b.key);
}
