import type { ChunkLimit } from "../connector.ts";

export interface ChunkSizing {
  /** How long reading or writing a chunk shall take, milliseconds; default 500. */
  readonly targetMs: number;
  /** Most rows of a chunk; default 10,000: more was no faster and took more memory. */
  readonly rows: number;
  /** Most bytes of a chunk; default 4 MiB. One row is read however large it is. */
  readonly bytes: number;
}

export const defaultSizing: ChunkSizing = { targetMs: 500, rows: 10_000, bytes: 4_194_304 };

/**
 * Of rows that come packed: they cost next to nothing here, so that what each transaction of the target costs decides. Two chunks
 * of this size are in memory, and while the first is read and the last is written one of the two stores waits for the other.
 */
export const packedSizing: ChunkSizing = { targetMs: 500, rows: 1_000_000, bytes: 8_388_608 };

/** Rows of the first chunk, before anything was measured. */
const firstRows = 1_000;
const firstPackedRows = 10_000;

export function firstChunk({ rows, bytes }: ChunkSizing, packed = false): ChunkLimit {
  return { rows: Math.min(packed ? firstPackedRows : firstRows, rows), bytes, ...(packed ? { packed } : {}) };
}

/**
 * The next chunk's limit after one of `rows` rows took `ms` (the longer of reading and writing): as many as would have taken the
 * target time, at most twice and at least half as many as were asked for, so that one odd measurement does little.
 */
export function nextChunk(
  sizing: ChunkSizing,
  asked: ChunkLimit,
  measured: { readonly rows: number; readonly ms: number },
): ChunkLimit {
  // Of few rows, at the end of a range or because they are large, little can be learned but that they took long.
  const full = measured.rows >= asked.rows;
  const factor = Math.min(2, Math.max(0.5, sizing.targetMs / Math.max(measured.ms, 1)));
  const wanted = full || factor < 1 ? Math.round(asked.rows * factor) : asked.rows;
  return { ...asked, rows: Math.min(sizing.rows, Math.max(1, wanted)), bytes: sizing.bytes };
}
