import { CutoverError } from "../../../core/index.ts";
import { keyText } from "../../bytes.ts";
import type { Collection, Range } from "../../connector.ts";
import { decodeKey, encodeKey, type KeyValue } from "../../key-codec.ts";
import type { RecordValue } from "../../record-codec.ts";
import { type ColumnKind, keyOfValue, textOfKey } from "./column-kind.ts";

export interface ShapeColumn {
  readonly name: string;
  /** As PostgreSQL writes it, with its schema where that is needed. */
  readonly type: string;
  readonly typeOid: number;
  /** The type by its own name, for casts: without a size, so that nothing is cut to fit without a word. */
  readonly cast: string;
  /** GENERATED ALWAYS AS IDENTITY: can be written with the row, not changed. */
  readonly fixed: boolean;
  readonly kind: ColumnKind;
  /** Its order is not that of bytes, so that the order has to be asked for by name. */
  readonly collated: boolean;
}

/** A table as it was when its catalogue was read. */
export interface Shape {
  readonly collection: Collection;
  readonly schema: string;
  readonly table: string;
  readonly oid: number;
  /** A table whose rows lie in others. */
  readonly partitioned: boolean;
  /** The two columns of a collection that a move keeps for itself: bytes as they are, no records. */
  readonly raw: boolean;
  /** Without generated ones: the server makes those. */
  readonly columns: readonly ShapeColumn[];
  /** Places in `columns` of the primary key's columns, in its order. */
  readonly key: readonly number[];
  /** Nothing of the table's own acts on what a move writes: no trigger fires then. Two transactions may write to it side by side. */
  readonly silent: boolean;
  /** Names, types and sizes of the columns; another text later: the table was changed. */
  readonly signature: string;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function tableName({ schema, table }: Shape): string {
  return `${quoted(schema)}.${quoted(table)}`;
}

/** Where rows are read: those of tables that inherit from this one are not its own, those of partitions are. */
export function readFrom(shape: Shape): string {
  return shape.partitioned ? tableName(shape) : `ONLY ${tableName(shape)}`;
}

/** What COPY is to give: of types without a binary form here the text that the log has too, which a cast is not for all. */
export function selectList({ columns }: Shape): string {
  return columns
    .map(({ name, kind }) => {
      const column = quoted(name);
      return kind === "other"
        ? `CASE WHEN num_nulls(${column}) = 0 THEN format('%s', ${column}) END`
        : column;
    })
    .join(", ");
}

export function keyColumns(shape: Shape): readonly ShapeColumn[] {
  return shape.key.map((place) => shape.columns[place] as ShapeColumn);
}

/** A key column in the order of the bytes of its encoded key. */
function ordered({ name, kind, collated }: ShapeColumn): string {
  if (kind === "padded") return `${quoted(name)}::text COLLATE "C"`;
  return collated ? `${quoted(name)} COLLATE "C"` : quoted(name);
}

export function orderBy(shape: Shape): string {
  return keyColumns(shape).map(ordered).join(", ");
}

/** The text of a key's columns. @throws CUTOVER_DATA_REFUSED when it is no key of this table */
export function keyTexts(shape: Shape, key: Uint8Array, store: string): readonly string[] {
  const values: readonly KeyValue[] = shape.raw ? [key] : decodeKey(key);
  const columns = keyColumns(shape);
  const texts = columns.map(({ kind }, at) => {
    const value = values[at];
    return value === undefined ? undefined : textOfKey(kind, value);
  });
  if (values.length === columns.length && !texts.includes(undefined)) return texts as readonly string[];
  throw new CutoverError("CUTOVER_DATA_REFUSED", {
    message: `expected a key of "${shape.collection.name}" (${columns.map(({ name, type }) => `${name} ${type}`).join(", ")}), found ${keyText(key)}`,
    place: store,
    details: { collection: shape.collection.name },
    remedy: "give keys as encodeKey makes them of the columns of the primary key",
  });
}

/** A row by the columns of its key, for people: `the row with id = 7 of "app.orders"`. */
export function rowWords(shape: Shape, key: Uint8Array, store: string): string {
  const texts = keyTexts(shape, key, store).map((text) =>
    text.length <= 64 ? text : `${text.slice(0, 64)}…`,
  );
  const columns = keyColumns(shape).map(({ name }, at) => `${name} = ${texts[at] ?? ""}`);
  return `the row with ${columns.join(", ")} of "${shape.collection.name}"`;
}

/** The key of a row; undefined when its columns are of other types. */
export function keyOfRecord(shape: Shape, values: readonly RecordValue[]): Uint8Array | undefined {
  const key: KeyValue[] = [];
  for (const place of shape.key) {
    const value = keyOfValue((shape.columns[place] as ShapeColumn).kind, values[place] ?? null);
    if (value === undefined || value === null) return undefined;
    key.push(value);
  }
  return shape.raw ? (key[0] as Uint8Array) : encodeKey(key);
}

/** The rows of a range, as a condition. */
export function within(shape: Shape, { after, upTo }: Range, store: string): string {
  const columns = keyColumns(shape);
  const bound = (key: Uint8Array, than: string): string => {
    const texts = keyTexts(shape, key, store);
    const left = columns.map(ordered);
    const right = columns.map(({ kind, cast }, at) => {
      const text = literal(texts[at] as string);
      return kind === "padded" || kind === "text" ? `${text}::text` : `${text}::${cast}`;
    });
    return `(${left.join(", ")}) ${than} (${right.join(", ")})`;
  };
  const conditions = [
    ...(after === undefined ? [] : [bound(after, ">")]),
    ...(upTo === undefined ? [] : [bound(upTo, "<=")]),
  ];
  return conditions.length === 0 ? "true" : conditions.join(" AND ");
}
