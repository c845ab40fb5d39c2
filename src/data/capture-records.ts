import { CutoverError } from "../core/index.ts";
import { bytesOfNumber, numberOfBytes } from "./bytes.ts";

/**
 * The records of capture, fences and jobs in the reserved collection of a key-value store. `v` format; `n` number of the
 * last transaction in the journal; `e` lowest epoch that may write; `s` slots as JSON, name → number up to which nothing
 * is needed; `p` number up to which the journal was removed; `j` + number: the journal; `f` + job: its fence;
 * `c` + job: its checkpoint.
 */
type ReadRecord = (key: Uint8Array) => Uint8Array | undefined;

const format = 1;

interface RecordKeys {
  readonly format: Buffer;
  readonly sequence: Buffer;
  readonly epoch: Buffer;
  readonly slots: Buffer;
  readonly pruned: Buffer;
}

export const keys: RecordKeys = {
  format: Buffer.from("v"),
  sequence: Buffer.from("n"),
  epoch: Buffer.from("e"),
  slots: Buffer.from("s"),
  pruned: Buffer.from("p"),
};

export function journalKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = 0x6a;
  bytesOfNumber(sequence).copy(key, 1);
  return key;
}

export const fenceKey = (job: string): Buffer => Buffer.from(`f${job}`);
export const checkpointKey = (job: string): Buffer => Buffer.from(`c${job}`);

const numberIn = (record: ReadRecord, key: Uint8Array): number => {
  const bytes = record(key);
  return bytes === undefined ? 0 : numberOfBytes(bytes);
};

export const sequenceIn = (record: ReadRecord): number => numberIn(record, keys.sequence);
export const epochIn = (record: ReadRecord): number => numberIn(record, keys.epoch);
export const prunedIn = (record: ReadRecord): number => numberIn(record, keys.pruned);
export const jobFenceIn = (record: ReadRecord, job: string): number => numberIn(record, fenceKey(job));

/** Slot → number up to which it needs nothing any more. Empty: nothing is captured. */
export function slotsIn(record: ReadRecord): Map<string, number> {
  const bytes = record(keys.slots);
  if (bytes === undefined || bytes.length === 0) return new Map();
  return new Map(Object.entries(JSON.parse(Buffer.from(bytes).toString()) as Record<string, number>));
}

/** Nothing when no slot is left, so that writers see by one look whether to keep a journal. */
export function slotsBytes(slots: ReadonlyMap<string, number>): Buffer | null {
  return slots.size === 0 ? null : Buffer.from(JSON.stringify(Object.fromEntries(slots)));
}

export const formatBytes: Buffer = Buffer.from([format]);

/** @throws CUTOVER_DATA_FORMAT when a newer version has worked on the store */
export function checkFormat(record: ReadRecord, place: string): void {
  const found = record(keys.format);
  if (found === undefined || (found.length === 1 && (found[0] ?? 0) <= format)) return;
  throw new CutoverError("CUTOVER_DATA_FORMAT", {
    message: `expected records of format ${format}, found format ${found[0]}: a newer Cutover has worked on this store`,
    place,
    remedy: "use the version of Cutover that was used before, or a newer one",
  });
}
