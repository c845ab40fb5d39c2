import { type Row } from "../../connector.ts";
import { encodeRecord } from "../../record-codec.ts";
import { valueOfText } from "./column-kind.ts";
import { messageHead } from "./raw-messages.ts";
import { type Fields, RowReader, writeKey } from "./row-reader.ts";
import { keyOfRecord, type Shape, type ShapeColumn } from "./shape.ts";
import { lineFields } from "./text-lines.ts";

/**
 * In which form of COPY rows of a table go packed: in binary where all types are understood here, so that a row can be taken apart
 * when it has to be; else as text. Two tables of one name have the same types in the same order and the same key.
 */
export interface PackedForm {
  readonly name: string;
  readonly binary: boolean;
}

/** Undefined for a collection that a move keeps for itself. */
export function packedForm({ raw, columns, key }: Shape): PackedForm | undefined {
  if (raw) return undefined;
  const binary = columns.every(({ kind }) => kind !== "other");
  const types = columns.map(({ kind, type }) => (kind === "other" ? type : kind)).join(",");
  return { name: `postgres ${binary ? "binary" : "text"}:${key.join(",")}:${types}`, binary };
}

/** The end of a line of COPY's text form, in which no value has one. */
const newline = 0x0a;

/** Reads keys and rows of packed messages. Each holds rows one behind the other, as COPY gives them. */
export class MessageReader {
  readonly #shape: Shape;
  readonly #binary: boolean;
  readonly #fields: Fields;
  /** Columns up to the last one of the key. */
  readonly #upToKey: number;

  constructor(shape: Shape, { binary }: PackedForm) {
    this.#shape = shape;
    this.#binary = binary;
    const count = shape.columns.length;
    this.#fields = { starts: new Int32Array(count), lengths: new Int32Array(count) };
    this.#upToKey = Math.max(...shape.key) + 1;
  }

  /** Of the row at `from`; in a message the first one stands behind the head. */
  keyOf(data: Buffer, from: number = messageHead): Uint8Array {
    return this.#binary
      ? this.#binaryKey(data, from)
      : (keyOfRecord(
          this.#shape,
          this.#values(data, from, this.endOf(data, from), this.#upToKey),
        ) as Uint8Array);
  }

  /** Where the row at `from` ends. */
  endOf(data: Buffer, from: number): number {
    if (!this.#binary) return data.indexOf(newline, from) + 1;
    let at = from + 2;
    for (let left = data.readInt16BE(from); left > 0; left--) {
      const length = data.readInt32BE(at);
      at += length > 0 ? 4 + length : 4;
    }
    return at;
  }

  rows(parts: readonly Buffer[]): readonly Row[] {
    const reader = new RowReader(this.#shape, { header: false });
    if (this.#binary) {
      for (const part of parts) reader.read(part, messageHead, part.length);
      return reader.take();
    }
    const rows: Row[] = [];
    for (const part of parts)
      for (let at = messageHead; at < part.length;) {
        const end = this.endOf(part, at);
        const values = this.#values(part, at, end, this.#shape.columns.length);
        rows.push({ key: keyOfRecord(this.#shape, values) as Uint8Array, value: encodeRecord(values) });
        at = end;
      }
    return rows;
  }

  #binaryKey(data: Buffer, from: number): Uint8Array {
    const { starts, lengths } = this.#fields;
    let at = from + 2;
    for (let column = 0; column < this.#upToKey; column++) {
      const length = data.readInt32BE(at);
      at += 4;
      starts[column] = at;
      lengths[column] = length;
      if (length > 0) at += length;
    }
    let longest = 0;
    for (const column of this.#shape.key) longest += 2 * (lengths[column] as number) + 48;
    const out = Buffer.allocUnsafe(longest);
    return out.subarray(0, writeKey(this.#shape, data, this.#fields, out, 0));
  }

  /** Of a line, whose last byte ends it. */
  #values(data: Buffer, from: number, end: number, count: number): readonly ReturnType<typeof valueOfText>[] {
    return lineFields(data, from, end - 1, count).map((field, column) =>
      field === null ? null : valueOfText((this.#shape.columns[column] as ShapeColumn).kind, field),
    );
  }
}
