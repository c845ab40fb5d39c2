import { crc32 } from "node:zlib";
import type { Side } from "../../core/index.ts";

/** The intent of a dual write: on disk before the first side is called. */
export interface WriteRecord {
  readonly t: "write";
  /** Time-ordered; a later write of the same key has a greater one. */
  readonly id: string;
  readonly operation: string;
  /** Null when the key function gave none: then the write stands in no line. */
  readonly key: string | null;
  /** The side that answers the caller; the other one gets the second write. */
  readonly first: Side;
  readonly epoch: number;
  readonly salt: string;
  /** The input: as JSON, or as `v8` serialises it, in base64; neither when it can only be held in memory. */
  readonly json?: readonly unknown[];
  readonly v8?: string;
}

/** Why a write has nothing left to do. */
export type Ending = "done" | "refused" | "void" | "discarded";

/** One line of a journal. What a journal holds is what its writes have no `ended` for. */
export type JournalRecord =
  | { readonly t: "journal"; readonly version: 1; readonly route: string; readonly door: string }
  | WriteRecord
  /** The first side has taken the write. */
  | { readonly t: "taken"; readonly id: string }
  | { readonly t: "ended"; readonly id: string; readonly why: Ending }
  | { readonly t: "aside"; readonly id: string; readonly why: string }
  /** A write set aside is tried again. */
  | { readonly t: "again"; readonly id: string }
  /** Writes that could not be held at all; zero when somebody has seen to them. */
  | { readonly t: "lost"; readonly count: number };

/** A line with its checksum: a changed letter inside a text would otherwise still be JSON. */
export function recordLine(record: JournalRecord): string {
  return lineOf(JSON.stringify(record));
}

/** The line of a write whose input is in JSON already, so that it is not put into words twice. */
export function writeLine(record: WriteRecord, json: string | undefined): string {
  const text = JSON.stringify(record);
  return lineOf(json === undefined ? text : `${text.slice(0, -1)},"json":${json}}`);
}

function lineOf(json: string): string {
  return `${checksum(json)} ${json}\n`;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, "0");
}

/** The record of a line without its end, or undefined when it is damaged or of a kind this program does not know. */
export function readRecord(line: string): JournalRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
  try {
    const record = JSON.parse(json) as JournalRecord;
    return kinds.has(record.t) && (record.t !== "journal" || record.version === 1) ? record : undefined;
  } catch {
    return undefined;
  }
}

const kinds: ReadonlySet<string> = new Set(["journal", "write", "taken", "ended", "aside", "again", "lost"]);
