import { CutoverError } from "../../../core/index.ts";
import type { Position } from "../../connector.ts";

/**
 * Positions in PostgreSQL's log: 16 hexadecimal digits of the LSN. Inside a transaction that is given in parts, the LSN of its
 * commit record, a dot, and how many of its changes lie before: these sort after all that was committed before it, and before
 * the end of its commit record, which is its own position.
 */
export interface LogPlace {
  readonly lsn: bigint;
  /** Changes of the transaction committed at `lsn` that are done; 0 outside of one. */
  readonly done: number;
}

export function positionAt(lsn: bigint, done: number = 0): Position {
  const start = lsn.toString(16).toUpperCase().padStart(16, "0");
  return done === 0 ? start : `${start}.${String(done).padStart(12, "0")}`;
}

/** @throws CUTOVER_DATA_SLOT_LOST when the text is no position of a PostgreSQL log */
export function placeAt(position: Position, store: string): LogPlace {
  const [, lsn, done] = /^([0-9A-F]{16})(?:\.(\d{12}))?$/.exec(position) ?? [];
  if (lsn !== undefined) return { lsn: BigInt(`0x${lsn}`), done: Number(done ?? 0) };
  throw new CutoverError("CUTOVER_DATA_SLOT_LOST", {
    message: `expected a position of 16 hexadecimal digits, found ${JSON.stringify(position.slice(0, 40))}: it was not given by this store`,
    place: store,
  });
}

/** `16/B374D848` as a number. */
export function lsnOf(text: string): bigint {
  const [high = "0", low = "0"] = text.split("/");
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`);
}

export function lsnText(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffff_ffffn).toString(16).toUpperCase()}`;
}
