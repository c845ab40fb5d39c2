import { asideChange } from "../aside-change.ts";
import { equalBytes } from "../bytes.ts";
import type { Change, Reader, Target, TargetWrite } from "../connector.ts";
import {
  type DataMap,
  decodeOriginal,
  encodePlaces,
  type Image,
  imagesOf,
  keptIn,
  keptKey,
  type Mapped,
  noImage,
  type Place,
  type SourceRow,
} from "../map.ts";
import { mapped } from "../move/images.ts";
import { unpacked } from "../packed-write.ts";
import { placeId } from "../verify/expected.ts";
import { overlay } from "../verify/touched.ts";
import { getKept, keptUnder } from "../verify/kept-rows.ts";
import type { BackMap } from "./crossing-options.ts";

const nothing = new Uint8Array();

/** How rows of the new side become rows of the old one again. */
export class WayBack {
  /** Under which name what is kept on the old side lies there. */
  readonly name: string;
  readonly #map: DataMap;
  readonly #back: BackMap;
  readonly #new: Reader;

  constructor(map: DataMap, back: BackMap, young: Reader) {
    this.name = `back:${map.name ?? ""}`;
    this.#map = map;
    this.#back = back;
    this.#new = young;
  }

  /** Images of these rows on the old side, in the order asked for; a row without one has the reason instead. */
  async imagesOf(rows: readonly SourceRow[]): Promise<readonly Mapped[]> {
    const originals = await this.#originals(rows);
    return rows.map((row) => imagesOf(this.#through(originals), row));
  }

  /**
   * The old side as a move of rows of the new side sees it: what it is given is mapped in the moment in which it is written, when
   * all before it is written, and goes into the same transaction as the checkpoint.
   */
  target(old: Target, clock: { now(): number }, onAside: (more: number, reason: string) => void): Target {
    return overlay(old, {
      applyTxn: async (write: TargetWrite): Promise<void> => {
        const { packed: _, ...plain } = unpacked(write);
        const given = [...plain.changes, ...plain.rows];
        const mapping = await this.#changesOf(given, old, clock.now());
        const more = await asideChange(old, mapping.changes);
        if (more !== 0) onAside(more, mapping.reason);
        await old.applyTxn({ ...plain, changes: mapping.changes, rows: [] });
      },
    });
  }

  async #changesOf(
    given: readonly Change[],
    old: Pick<Reader, "get">,
    now: number,
  ): Promise<{ readonly changes: readonly Change[]; readonly reason: string }> {
    if (given.length === 0) return { changes: [], reason: "" };
    const originals = await this.#originals(given);
    const map = this.#through(originals);
    const firstPlaces = new Map<string, Uint8Array>();
    for (const place of given) {
      const original = originals.get(placeId(place));
      // Of a row that is left out on purpose, as one of several images may be, the old row is none of its business.
      if (original !== undefined && !isLeftOut(map, place))
        firstPlaces.set(textOf(keptKey(this.name, place)), encodePlaces([original]));
    }
    // Where nothing was kept yet the row has its image where the map found it.
    const known: Pick<Reader, "get"> = {
      get: async (collection, keys) => {
        const found = await getKept(old, collection, keys);
        return keys.map((key, index) => found[index] ?? firstPlaces.get(textOf(key)));
      },
    };
    const written = await mapped(map, known).ofChanges(given, { aside: true, now });
    // A row without images keeps that it has none: otherwise the place it had once would be taken for its own for ever.
    const changes = written.changes.map((change) =>
      change.collection === keptIn.images && change.value === null ? { ...change, value: nothing } : change,
    );
    return { changes, reason: written.reason ?? "" };
  }

  #through(originals: ReadonlyMap<string, SourceRow>): DataMap {
    const back = this.#back;
    const places = typeof back === "object" ? back.places : undefined;
    return {
      map: (row): Image | readonly Image[] | null => {
        const original = originals.get(placeId(row));
        if (back === "originals") return this.#asItWas(row, original);
        return (typeof back === "function" ? back : back.map)(row, original);
      },
      ...(places === undefined ? {} : { places }),
      name: this.name,
    };
  }

  #asItWas(row: SourceRow, original: SourceRow | undefined): Image {
    const same =
      original !== undefined &&
      imagesOf(this.#map, original).images.some(
        ({ collection, key, value }) =>
          collection === row.collection && equalBytes(key, row.key) && equalBytes(value, row.value),
      );
    if (!same) throw noImage("made or changed on the new side, and nothing says what it is on the old one");
    return original;
  }

  /** By `placeId` of the image. */
  async #originals(images: readonly Place[]): Promise<ReadonlyMap<string, SourceRow>> {
    const found = new Map<string, SourceRow>();
    if (this.#map.originals !== true || images.length === 0) return found;
    const keys = images.map((image) => keptKey(this.#map.name ?? "", image));
    const kept = await getKept(this.#new, keptIn.originals, keys);
    for (const [index, image] of images.entries()) {
      const bytes = kept[index];
      if (bytes !== undefined) found.set(placeId(image), decodeOriginal(bytes));
    }
    return found;
  }
}

function isLeftOut(map: DataMap, { collection, key, value }: Change): boolean {
  if (value === null) return false;
  const { images, aside } = imagesOf(map, { collection, key, value });
  return images.length === 0 && aside === undefined;
}

const textOf = (key: Uint8Array): string =>
  Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");

/** Why this is no way back through the map; undefined when it is one. */
export function backProblem(map: DataMap | undefined, back: BackMap | undefined): string | undefined {
  if (back === undefined) return undefined;
  if (map === undefined) return "it is given together with a map: without one rows go back as they are";
  if (back === "originals")
    return map.originals === true
      ? undefined
      : "the map keeps no originals: write map: { map, originals: true }";
  const places = typeof back === "object" && back !== null ? back.places : undefined;
  const run = typeof back === "object" && back !== null ? back.map : back;
  if (typeof run !== "function" || (places !== undefined && typeof places !== "function"))
    return 'expected a function, { map, places? } or "originals"';
  if (places === undefined && map.originals !== true)
    return "nothing tells where the old row of a removed one lies: give `places`, or `originals: true` to the map";
  return undefined;
}

/** Rows of the new side that were set aside on the old one, by `placeId`. */
export async function asidePlaces(old: Pick<Reader, "scan">, name: string): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for await (const batch of keptUnder(old, keptIn.aside, name))
    for (const place of batch) found.add(placeId(place));
  return found;
}
