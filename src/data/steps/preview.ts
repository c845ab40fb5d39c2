import { CutoverError, isCutoverError, systemClock } from "../../core/index.ts";
import type { DataStore, Reader } from "../connector.ts";
import { freeAt, requireFree } from "../disk.ts";
import { type DataMap, imagesOf } from "../map.ts";
import { count, rowsText, sizeText } from "./step-progress.ts";
import { diskOf, type OpenedStore, openNow, storeName, type StoreRef } from "./store-ref.ts";

/** Rows of each collection that a dry run looks at, for their size and for the map. */
const looked = 1_000;
/** A guess of how fast rows and bytes go over, on the careful side of what was measured between embedded stores. */
const rowsPerSecond = 50_000;
const bytesPerSecond = 50_000_000;

/** What a dry run says of a store that is read. */
export interface Preview {
  readonly rows: number;
  /** About. */
  readonly bytes: number;
  /** Collections that cannot be read row by row, with the reason, e.g. that they have no primary key. */
  readonly problems: readonly string[];
  /** Of the rows looked at, how many the map has no image for, and one reason. */
  readonly unmapped: { readonly looked: number; readonly rows: number; readonly reason: string } | undefined;
}

/** Counts rows, and looks at the first ones of each collection. Reads only. */
export async function preview(
  reader: Reader,
  names: readonly string[] | undefined,
  map?: DataMap,
): Promise<Preview> {
  let [rows, bytes, seen, asides, reason] = [0, 0, 0, 0, ""];
  const problems: string[] = [];
  const all = await reader.collections();
  for (const wanted of names ?? [])
    if (!all.some(({ name }) => name === wanted)) throw missing(reader, wanted);
  for (const { name, problem, ...known } of all) {
    if (names !== undefined && !names.includes(name)) continue;
    if (problem !== undefined) {
      problems.push(`"${name}": ${problem}`);
      continue;
    }
    const own = known.rows ?? (await reader.count({ collection: name }));
    let [sample, size, largest] = [0, 0, 0];
    for await (const batch of reader.scan({ collection: name })) {
      for (const { key, value } of batch.slice(0, looked - sample)) {
        sample++;
        size += key.length + value.length;
        largest = Math.max(largest, key.length + value.length);
        const { aside } = map === undefined ? {} : imagesOf(map, { collection: name, key, value });
        if (aside === undefined) continue;
        asides++;
        reason ||= aside;
      }
      if (sample >= looked) break;
    }
    rows += own;
    // What a store says of itself is often compressed: room is needed for the rows as they are.
    // The largest row looked at is counted once: one picture among a thousand names does not stand for a picture in each thousand.
    const others = sample < 2 ? 0 : ((size - largest) / (sample - 1)) * (own - 1);
    const whole = Math.round(others + largest);
    bytes += Math.max(known.bytes ?? 0, whole);
    seen += sample;
  }
  const unmapped = asides === 0 ? undefined : { looked: seen, rows: asides, reason };
  return { rows, bytes, problems, unmapped };
}

function missing(reader: Reader, collection: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_COLLECTION", {
    message: `expected a collection of ${reader.name}, found "${collection}", which it does not have`,
    place: reader.name,
    details: { collection },
  });
}

export const previewWords = ({ rows, bytes }: Preview): string =>
  `${rowsText(rows)} · about ${sizeText(bytes)}`;

/** What people have to know before, one line each. */
export function warnings({ problems, unmapped }: Preview): readonly string[] {
  return [
    ...problems.map((problem) => `cannot be read row by row, and is refused: ${problem}`),
    ...(unmapped === undefined
      ? []
      : [
          `${count(unmapped.rows)} of the first ${rowsText(unmapped.looked)} have no image and are set aside: ${unmapped.reason}`,
        ]),
  ];
}

/** Milliseconds that `times` passes over all of it take, about. */
export function timeOf({ rows, bytes }: Preview, times = 1): number {
  return Math.max(100, Math.ceil(times * 1_000 * Math.max(rows / rowsPerSecond, bytes / bytesPerSecond)));
}

/** Opens a store for a dry run; undefined when it is not there yet, as one that an earlier step makes. */
export async function openToLook(
  ref: StoreRef,
  collections?: readonly string[],
): Promise<OpenedStore | undefined> {
  try {
    return await openNow(systemClock, ref, { collections });
  } catch (error) {
    if (isCutoverError(error) && error.code === "CUTOVER_DATA_MISSING") return undefined;
    throw error;
  }
}

/** `needs about 12 MB, 3 GB are free`; undefined where the disk is not known here. */
export async function diskWords(dir: string | undefined, bytes: number): Promise<string | undefined> {
  const free = dir === undefined ? undefined : await freeAt(dir);
  if (dir === undefined || free === undefined) return undefined;
  const enough = free >= bytes ? "" : ": NOT ENOUGH";
  return `disk of ${dir}: needs about ${sizeText(bytes)}, ${sizeText(free)} free${enough}`;
}

/** Refuses to begin where the disk has no room for all of it. @throws CUTOVER_DATA_FULL */
export async function requireRoom(to: StoreRef, source: DataStore, names: readonly string[]): Promise<void> {
  const dir = diskOf(to);
  if (dir === undefined) return;
  const all = (await source.collections()).filter(({ name }) => names.includes(name));
  // A store that cannot say cheaply is not read whole for this.
  const bytes = all.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  await requireFree(dir, bytes, storeName(to));
}
