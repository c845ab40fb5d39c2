import type { Row } from "../../connector.ts";
import { CopyRows } from "./copy-rows.ts";
import { type Fields, writeKey } from "./row-reader.ts";
import { keyColumns, type Shape } from "./shape.ts";

const segmentBytes = 262_144;
const hashBytes = 8;

/** Makes rows of what COPY's binary form gives of keys and, behind them, eight bytes of hash: the hash is the value. */
export class KeyHashReader extends CopyRows {
  readonly rows: Row[] = [];
  readonly #shape: Shape;
  readonly #fields: Fields;
  #out: Buffer = Buffer.allocUnsafe(0);
  #at = 0;

  /** `shape`: of the table whose keys these are. */
  constructor(shape: Shape) {
    super();
    const columns = keyColumns(shape);
    this.#shape = { ...shape, columns, key: columns.map((_, at) => at) };
    this.#fields = { starts: new Int32Array(columns.length), lengths: new Int32Array(columns.length) };
  }

  protected row(data: Buffer, from: number): number {
    const { starts, lengths } = this.#fields;
    let at = from;
    // A column of a key becomes at most double, and a text of its own for uuids; none is NULL.
    let most = hashBytes;
    for (let column = 0; column < starts.length; column++) {
      const length = data.readInt32BE(at);
      starts[column] = at + 4;
      lengths[column] = length;
      most += 2 * length + 48;
      at += 4 + length;
    }
    if (this.#out.length - this.#at < most) {
      this.#out = Buffer.allocUnsafe(Math.max(segmentBytes, most));
      this.#at = 0;
    }
    const start = this.#at;
    const middle = writeKey(this.#shape, data, this.#fields, this.#out, start);
    at += 4;
    data.copy(this.#out, middle, at, at + hashBytes);
    this.#at = middle + hashBytes;
    this.rows.push({
      key: this.#out.subarray(start, middle),
      value: this.#out.subarray(middle, this.#at),
    });
    return at + hashBytes;
  }
}
