import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { wrongKind } from "./place.ts";

/**
 * The root of an LMDB holds its named databases as rows: the name (with a zero byte at the end, as the package `lmdb`
 * writes it) and a structure of 48 bytes (`MDB_db`: pad u32, flags u16, depth u16, five numbers of 8 bytes). The flag that
 * sets such a row apart is not to be had from here, so the structure is looked at.
 */
export interface NamedDatabase {
  readonly name: string;
  /** Keys may have several values. */
  readonly duplicates: boolean;
}

export const structureBytes = 48;
const knownFlags = 0x7e;
const duplicatesFlag = 0x04;
const deepest = 32;

export const mayBeName = (key: Uint8Array): boolean => key.length >= 2 && key.at(-1) === 0;

export function namedDatabase(key: Uint8Array, value: Uint8Array): NamedDatabase | undefined {
  if (value.length !== structureBytes || !mayBeName(key)) return undefined;
  const data = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const flags = data.readUInt16LE(4);
  const depth = data.readUInt16LE(6);
  const [branches, leaves, , entries, root] = [8, 16, 24, 32, 40].map((place) => data.readBigUInt64LE(place));
  const empty = root === 0xffff_ffff_ffff_ffffn;
  if ((flags & ~knownFlags) !== 0 || depth > deepest || branches === undefined || leaves === undefined)
    return undefined;
  if (empty ? depth !== 0 || entries !== 0n : depth === 0 || leaves === 0n) return undefined;
  return { name: Buffer.from(key.subarray(0, -1)).toString(), duplicates: (flags & duplicatesFlag) !== 0 };
}

const magic = 0xbeef_c0de;

/**
 * The package `lmdb` ends the process when it opens a file that is no LMDB; so the first page is looked at before.
 * @throws CUTOVER_DATA_FORMAT
 */
export function checkLmdbFile(path: string, place: string): void {
  const file = statSync(path).isDirectory() ? join(path, "data.mdb") : path;
  const head = Buffer.alloc(64);
  const descriptor = openSync(file, "r");
  let length: number;
  try {
    length = readSync(descriptor, head, 0, head.length, 0);
  } finally {
    closeSync(descriptor);
  }
  // The mark stands behind the head of the page, whose length differs between versions.
  const marks = [8, 16, 24, 32].filter((at) => head.readUInt32LE(at) === magic);
  if (length < head.length || marks.length === 0)
    throw wrongKind(place, `an LMDB in ${file}`, length === 0 ? "an empty file" : "another file");
}
