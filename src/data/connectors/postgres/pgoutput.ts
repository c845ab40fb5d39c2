import { CutoverError } from "../../../core/index.ts";
import { encodeRecord, type RecordValue } from "../../record-codec.ts";
import { valueOfText } from "./column-kind.ts";
import { LogRowWriter } from "./log-row.ts";
import type { Fields } from "./row-reader.ts";
import { keyOfRecord, type Shape } from "./shape.ts";

/** A column of a logged row: its text, NULL, or left out because it is large and was not changed. */
type Field = Buffer | null | undefined;

/** What a message of the log says; `incomplete`: the new row has columns that the log leaves out. */
export type LogMessage =
  | { readonly kind: "begin"; readonly commit: bigint; readonly at: number; readonly xid: number }
  | { readonly kind: "commit"; readonly end: bigint }
  | { readonly kind: "origin"; readonly name: string }
  | {
      readonly kind: "change";
      readonly shape: Shape;
      readonly key: Uint8Array;
      readonly value: Uint8Array | null;
    }
  | { readonly kind: "incomplete"; readonly shape: Shape; readonly key: Uint8Array };

/** Prefix of the messages by which a transaction of a move says so. */
export const originPrefix = "cutover.origin";

/** Milliseconds from 1970 to 2000, where PostgreSQL's clock begins. */
const epochMs = 946_684_800_000;

export interface LogReaderOptions {
  /** A captured table by schema and name; undefined: none of ours. */
  readonly shapeOf: (schema: string, table: string) => Shape | undefined;
  readonly store: string;
}

/**
 * Reads the messages of `pgoutput`, protocol version 1, as text
 * (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html).
 */
export class LogReader {
  readonly #options: LogReaderOptions;
  /** By the number the log gives a table; undefined: not captured. */
  readonly #shapes = new Map<number, Shape | undefined>();
  #data: Buffer = Buffer.alloc(0);
  #at = 0;
  readonly #writer = new LogRowWriter();
  #places: Fields | undefined;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** @throws CUTOVER_DATA_SCHEMA_CHANGED */
  read(data: Buffer, at: number): readonly LogMessage[] {
    this.#data = data;
    this.#at = at + 1;
    switch (data[at] as number) {
      case 0x42: {
        const commit = this.#long();
        return [{ kind: "begin", commit, at: Number(this.#long()) / 1_000 + epochMs, xid: this.#int() }];
      }
      case 0x43:
        this.#at += 9;
        return [{ kind: "commit", end: this.#long() }];
      case 0x4d: {
        this.#at += 9;
        const prefix = this.#text();
        const length = this.#int();
        if (prefix !== originPrefix) return [];
        return [{ kind: "origin", name: data.toString("utf8", this.#at, this.#at + length) }];
      }
      case 0x52:
        this.#relation();
        return [];
      case 0x49:
        return this.#row((shape) => {
          this.#at++;
          return this.#quick(shape) ?? this.#written(shape, undefined, this.#fields());
        });
      case 0x55:
        return this.#row((shape) => {
          const sort = this.#byte();
          const quick = sort === 0x4e ? this.#quick(shape) : undefined;
          if (quick !== undefined) return quick;
          const old = sort === 0x4e ? undefined : this.#fields();
          if (old !== undefined) this.#at++;
          return this.#written(shape, old, this.#fields());
        });
      case 0x44:
        return this.#row((shape) => {
          this.#at++;
          return [{ kind: "change", shape, key: this.#keyOf(shape, this.#fields()), value: null }];
        });
      case 0x54:
        this.#truncated();
        return [];
      default:
        // Types and streamed parts: nothing that is needed.
        return [];
    }
  }

  #row(body: (shape: Shape) => readonly LogMessage[]): readonly LogMessage[] {
    const shape = this.#shapes.get(this.#int());
    return shape === undefined ? [] : body(shape);
  }

  /** A new row that is given in full, as almost all are. */
  #quick(shape: Shape): readonly LogMessage[] | undefined {
    const from = this.#at;
    const { starts, lengths } = this.#columns(shape.columns.length);
    const count = this.#short();
    for (let column = 0; column < count; column++) {
      const sort = this.#byte();
      if (sort === 0x75) {
        this.#at = from;
        return undefined;
      }
      const length = sort === 0x6e ? -1 : this.#int();
      starts[column] = this.#at;
      lengths[column] = length;
      if (length > 0) this.#at += length;
    }
    const row = this.#writer.write(shape, this.#data, { starts, lengths });
    if (row === undefined)
      throw this.#changed(shape.collection.name, "a row without its primary key in the log");
    return [{ kind: "change", shape, ...row }];
  }

  #columns(count: number): Fields {
    if (this.#places?.starts.length !== count)
      this.#places = { starts: new Int32Array(count), lengths: new Int32Array(count) };
    return this.#places;
  }

  #written(shape: Shape, old: readonly Field[] | undefined, fields: readonly Field[]): readonly LogMessage[] {
    // With REPLICA IDENTITY FULL the old row has what the new one leaves out.
    const whole = fields.map((field, at) => (field === undefined ? (old?.[at] ?? undefined) : field));
    const key = this.#keyOf(shape, whole);
    const messages: LogMessage[] = [];
    if (old !== undefined) {
      const before = this.#keyOf(
        shape,
        old.map((field, at) => field ?? whole[at]),
      );
      if (Buffer.compare(before, key) !== 0)
        messages.push({ kind: "change", shape, key: before, value: null });
    }
    if (whole.includes(undefined)) return [...messages, { kind: "incomplete", shape, key }];
    const value = encodeRecord(valuesOf(shape, whole));
    return [...messages, { kind: "change", shape, key, value }];
  }

  #keyOf(shape: Shape, fields: readonly Field[]): Uint8Array {
    const key = keyOfRecord(shape, valuesOf(shape, fields));
    if (key !== undefined) return key;
    throw this.#changed(shape.collection.name, "a row without its primary key in the log");
  }

  #relation(): void {
    const id = this.#int();
    const [schema, table] = [this.#text() || "pg_catalog", this.#text()];
    this.#at++;
    const shape = this.#options.shapeOf(schema, table);
    this.#shapes.set(id, shape);
    if (shape === undefined) return;
    const columns = Array.from({ length: this.#short() }, () => {
      this.#at++;
      const name = this.#text();
      const type = this.#int();
      this.#at += 4;
      return { name, type };
    });
    const same =
      columns.length === shape.columns.length &&
      columns.every(
        ({ name, type }, at) => shape.columns[at]?.name === name && shape.columns[at].typeOid === type,
      );
    if (!same)
      throw this.#changed(shape.collection.name, `columns ${columns.map(({ name }) => name).join(", ")}`);
  }

  #truncated(): void {
    const count = this.#int();
    this.#at++;
    for (let i = 0; i < count; i++) {
      const shape = this.#shapes.get(this.#int());
      if (shape !== undefined) throw this.#changed(shape.collection.name, "a TRUNCATE, which names no rows");
    }
  }

  #changed(collection: string, found: string): CutoverError {
    return new CutoverError("CUTOVER_DATA_SCHEMA_CHANGED", {
      message: `expected "${collection}" as it was when the store was opened, found ${found}`,
      place: this.#options.store,
      details: { collection },
    });
  }

  #fields(): readonly Field[] {
    const fields: Field[] = [];
    for (let left = this.#short(); left > 0; left--) {
      const sort = this.#byte();
      if (sort === 0x6e) fields.push(null);
      else if (sort === 0x75) fields.push(undefined);
      else {
        const length = this.#int();
        fields.push(this.#data.subarray(this.#at, this.#at + length));
        this.#at += length;
      }
    }
    return fields;
  }

  #byte(): number {
    return this.#data[this.#at++] as number;
  }

  #short(): number {
    this.#at += 2;
    return this.#data.readUInt16BE(this.#at - 2);
  }

  #int(): number {
    this.#at += 4;
    return this.#data.readUInt32BE(this.#at - 4);
  }

  #long(): bigint {
    this.#at += 8;
    return this.#data.readBigInt64BE(this.#at - 8);
  }

  #text(): string {
    const from = this.#at;
    this.#at = this.#data.indexOf(0, from) + 1;
    return this.#data.toString("utf8", from, this.#at - 1);
  }
}

function valuesOf({ columns }: Shape, fields: readonly Field[]): readonly RecordValue[] {
  return columns.map(({ kind }, at) => {
    const field = fields[at];
    return field === undefined || field === null ? null : valueOfText(kind, field);
  });
}
