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
  if (buffer instanceof ArrayBuffer) release(buffer);
}

/** Gives back a buffer whatever its size. */
export function release(buffer: ArrayBuffer): void {
  if (!buffer.resizable) buffer.transfer(0);
  // Not by its own `transfer`, which copies a buffer of this kind.
  else if (idle.length < mostIdle) idle.push(structuredClone(buffer, { transfer: [buffer] }));
  else buffer.transferToFixedLength(0);
}

/**
 * The system's allocator (glibc) gives memory above 32 MiB back to the system when it is freed. Of what is smaller it keeps some for each
 * thread; between a huge value and the next, small objects come to lie in the gap, which is then too small for the next: comparing 16
 * rows of 20 MB took 218 MB in gaps.
 */
const allocatorKeeps = 33_554_432;
/** Values from here on lie in an area; below, gaps are small. */
const areaFrom = 4_194_304;

/**
 * Areas that nobody uses: pages of the system, beside its allocator. The next value takes one of them, as the first touch of 20 MB of
 * fresh pages takes some 40 ms. Left to the collector they were freed so late that there were five.
 */
const idle: ArrayBuffer[] = [];
const mostIdle = 2;

/** Gives back areas that nobody uses: whoever reads through a store says so at the end. */
export function freeAreas(): void {
  for (const area of idle.splice(0)) area.transferToFixedLength(0);
}

/** Memory for one value, with anything in it: where it is huge, from an area that is used again after `giveBack`. */
export function areaOf(size: number): Buffer {
  if (size < areaFrom || size > allocatorKeeps) return Buffer.allocUnsafeSlow(size);
  const at = idle.findIndex(({ maxByteLength }) => maxByteLength >= size);
  const [found] = at < 0 ? idle.splice(0, 1) : idle.splice(at, 1);
  if (at >= 0 && found !== undefined) {
    found.resize(size);
    return Buffer.from(found);
  }
  // One that is too small would only lie there.
  found?.transferToFixedLength(0);
  return Buffer.from(new ArrayBuffer(size, { maxByteLength: size }));
}

/** A huge value moved into an area: its own memory, which the allocator has given, is free at once. */
export function moved(bytes: Uint8Array): Buffer {
  if (bytes.length < areaFrom || bytes.length > allocatorKeeps)
    return Buffer.from(bytes.buffer as ArrayBuffer);
  const area = areaOf(bytes.length);
  area.set(bytes);
  giveBack(bytes);
  return area;
}
