import type { Row } from "./connector.ts";

/**
 * Values from this size on (1 MiB) lie in memory of their own, which is given back as soon as nobody needs it: the collector
 * knows little of memory outside of its heap, and lets some 64 MB of dead values and more pile up.
 */
export const hugeFrom = 1_048_576;

export const isHuge = ({ value }: Row): boolean => value.length >= hugeFrom;

/**
 * Gives back the memory of huge values, which are empty afterwards. Only for rows that nobody else has (`Reader.givesCopies`) and
 * nobody will look at again; a value that lies among others in one buffer stays.
 */
export function freeHuge(rows: readonly Row[]): void {
  for (const row of rows) if (isHuge(row)) giveBack(row.value);
}

/** Gives back the memory of bytes that have all of a buffer to themselves, from the size of a huge value on. */
export function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (byteLength < hugeFrom || buffer.byteLength !== byteLength) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}
