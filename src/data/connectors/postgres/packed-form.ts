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

/** Reads keys and rows of packed messages. */
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

  /** Of the message at `from`. */
  keyOf(data: Buffer, from = 0): Uint8Array {
    const end = from + 1 + data.readUInt32BE(from + 1);
    return this.#binary
      ? this.#binaryKey(data, from + messageHead)
      : (keyOfRecord(this.#shape, this.#values(data, from, end, this.#upToKey)) as Uint8Array);
  }

  rows(parts: readonly Buffer[]): readonly Row[] {
    const reader = new RowReader(this.#shape, { header: false });
    const rows: Row[] = [];
    for (const part of parts)
      for (let at = 0; at < part.length;) {
        const end = at + 1 + part.readUInt32BE(at + 1);
        if (this.#binary) reader.read(part, at + messageHead, end);
        else {
          const values = this.#values(part, at, end, this.#shape.columns.length);
          rows.push({ key: keyOfRecord(this.#shape, values) as Uint8Array, value: encodeRecord(values) });
        }
        at = end;
      }
    return this.#binary ? reader.take() : rows;
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
    return lineFields(data, from + messageHead, end - 1, count).map((field, column) =>
      field === null ? null : valueOfText((this.#shape.columns[column] as ShapeColumn).kind, field),
    );
  }
}
