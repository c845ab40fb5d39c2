import { asError, CutoverError } from "../core/index.ts";

/** A row of the source as a map function gets it. It must not be changed. */
export interface SourceRow {
  readonly collection: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** What becomes of a row on the other side. */
export interface Image {
  /** Default: the collection of the row. */
  readonly collection?: string;
  /** Default: the key of the row. */
  readonly key?: Uint8Array;
  readonly value: Uint8Array;
}

/** Where a row lies. */
export interface Place {
  readonly collection: string;
  readonly key: Uint8Array;
}

/**
 * The images of a row: one, several, or null when it is left out on purpose. It depends on the row alone: called again for the same row
 * it gives the same. Throwing (best by `noImage`) sets the row aside: it is kept in quarantine with the reason, and
 * counted, instead of stopping the move.
 */
export type MapFunction = (row: SourceRow) => Image | readonly Image[] | null;

/**
 * How rows of the old side become rows of the new one. No two rows of the source may have an image at one place: which one stood
 * there would be chance. Verification finds it, as its digest compares `f(old)` with `new`.
 */
export interface DataMap {
  readonly map: MapFunction;
  /**
   * Every place where an image of a row with this key can lie, whatever its value: what a changed or deleted row must no longer
   * have is then known without asking. Absent: the move keeps the places of each row's images beside the target's rows
   * (collection `cutover_images`), which costs a read and a write for each row.
   */
  readonly places?: (collection: string, key: Uint8Array) => readonly Place[];
  /**
   * Keeps each image's source row (collection `cutover_originals`), so that the way back of an image that nobody changed is
   * exact where the map is not one-to-one. Default false.
   */
  readonly originals?: boolean;
  /** Tells the kept rows of two moves into one target apart when collections of their sources have equal names. Default `""`. */
  readonly name?: string;
}

/** A map that leaves collections and keys as they are, so that nothing has to be remembered for deletes. */
export function mapValues(map: (row: SourceRow) => Uint8Array | null, options: MapOptions = {}): DataMap {
  return {
    ...options,
    map: (row) => {
      const value = map(row);
      return value === null ? null : { value };
    },
    places: (collection, key) => [{ collection, key }],
  };
}

export type MapOptions = Pick<DataMap, "originals" | "name">;

/** What a map function throws for a row that has no image on the new side. */
export function noImage(reason: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_UNMAPPED", { message: reason });
}

/** The move's own collections on the target. */
export const keptIn = {
  /** `keptKey` of a source row → `encodePlaces` of its images. */
  images: "cutover_images",
  /** `keptKey` of an image's place → `encodeOriginal` of the source row it was made from. */
  originals: "cutover_originals",
  /** `keptKey` of a source row → `encodeAside`: the rows in quarantine. */
  aside: "cutover_aside",
} as const;

/** What the map says of one change, without a look at what was there before. */
export interface Mapped {
  readonly images: readonly (Place & { readonly value: Uint8Array })[];
  /** Why the row was set aside; it has no images then. */
  readonly aside?: string;
}

/** Runs the map on one row. */
export function imagesOf({ map }: DataMap, row: SourceRow): Mapped {
  let found: ReturnType<MapFunction>;
  try {
    found = map(row);
  } catch (thrown) {
    return { images: [], aside: reasonOf(thrown) };
  }
  if (found === null) return { images: [] };
  const list = Array.isArray(found) ? (found as readonly Image[]) : [found as Image];
  const images: (Place & { readonly value: Uint8Array })[] = [];
  for (const image of list) {
    const { collection = row.collection, key = row.key, value } = image ?? {};
    if (typeof collection !== "string" || !(key instanceof Uint8Array) || !(value instanceof Uint8Array)) {
      throw notBytes(row, image);
    }
    images.push({ collection, key, value });
  }
  return { images };
}

/** People write the whole row into it: with a thousand such rows it would fill the record of the run. */
const longestReason = 1_000;

function reasonOf(thrown: unknown): string {
  const text = asError(thrown).message;
  return text.length <= longestReason ? text : `${text.slice(0, longestReason)}…`;
}

function notBytes({ collection }: SourceRow, found: unknown): CutoverError {
  const late = found instanceof Promise;
  // Nobody waits for it: what it throws would end the process.
  if (late) found.catch(() => {});
  return new CutoverError("CUTOVER_DATA_OPTIONS", {
    message: `expected the map function to return null, an image { collection?, key?, value } of bytes or a list of them for a row of "${collection}", found ${
      late ? "a promise" : "something else"
    }`,
    place: `map of "${collection}"`,
    remedy: late
      ? "take the word `async` away: what a map needs is fetched before it is made"
      : "return bytes, as `Buffer.from(text)` or `encodeRecord(columns)`, or throw `noImage(reason)`",
  });
}

/** Key of what is kept of a row: the map's name, the collection, the row's key. */
export function keptKey(name: string, { collection, key }: Place): Uint8Array {
  const head = Buffer.from(`${name}\0${collection}\0`, "utf8");
  return Buffer.concat([head, key]);
}

/** The place that `keptKey` was made from. */
export function keptPlace(kept: Uint8Array): Place & { readonly name: string } {
  const first = kept.indexOf(0);
  const second = kept.indexOf(0, first + 1);
  const text = (from: number, to: number): string => Buffer.from(kept.subarray(from, to)).toString("utf8");
  return { name: text(0, first), collection: text(first + 1, second), key: kept.slice(second + 1) };
}

/** A row in quarantine: why, when (wall-clock milliseconds), and its value as it was. */
export interface Aside {
  readonly reason: string;
  readonly at: number;
  readonly value: Uint8Array;
}

/** Parts one after the other, each after its length in 4 bytes (big-endian). */
function pack(parts: readonly Uint8Array[]): Uint8Array {
  const out = Buffer.allocUnsafe(parts.reduce((sum, { length }) => sum + 4 + length, 0));
  let at = 0;
  for (const part of parts) {
    at = out.writeUInt32BE(part.length, at);
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function unpack(bytes: Uint8Array): readonly Uint8Array[] {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < from.length;) {
    const length = from.readUInt32BE(at);
    parts.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return parts;
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "utf8");
const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("utf8");

export function encodePlaces(places: readonly Place[]): Uint8Array {
  return pack(places.flatMap(({ collection, key }) => [bytesOf(collection), key]));
}

export function decodePlaces(bytes: Uint8Array): readonly Place[] {
  const parts = unpack(bytes);
  const places: Place[] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) {
    places.push({ collection: textOf(parts[at]), key: parts[at + 1] as Uint8Array });
  }
  return places;
}

export function encodeAside({ reason, at, value }: Aside): Uint8Array {
  return pack([bytesOf(reason), bytesOf(String(at)), value]);
}

/** What stands in `keptIn.aside`. */
export function decodeAside(bytes: Uint8Array): Aside {
  const [reason, at, value] = unpack(bytes);
  return { reason: textOf(reason), at: Number(textOf(at)), value: value ?? new Uint8Array() };
}

export function encodeOriginal({ collection, key, value }: SourceRow): Uint8Array {
  return pack([bytesOf(collection), key, value]);
}

/** What stands in `keptIn.originals`. */
export function decodeOriginal(bytes: Uint8Array): SourceRow {
  const [collection, key, value] = unpack(bytes);
  return { collection: textOf(collection), key: key ?? new Uint8Array(), value: value ?? new Uint8Array() };
}
