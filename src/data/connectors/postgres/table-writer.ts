import { compareBytes } from "../../bytes.ts";
import type { Row } from "../../connector.ts";
import { valueOfText } from "./column-kind.ts";
import { CopiedRows } from "./packed-rows.ts";
import { dataError, isOfData, lineOf } from "./postgres-error.ts";
import { copyRows, copyTexts, isBinary, rowTexts, UnfitRow } from "./row-writer.ts";
import type { Session } from "./session.ts";
import {
  keyColumns,
  keyOfRecord,
  keyTexts,
  literal,
  quoted,
  readFrom,
  rowWords,
  type Shape,
  tableName,
} from "./shape.ts";

/**
 * How changes are written. `net`: the last one of each key, all deletes of a table, then all its rows. `runs`: in their order,
 * neighbours of one sort together. `single`: one by one, which also tells the row that is refused.
 */
export type Way = "net" | "runs" | "single";

/** Rows of an INSERT and keys of a DELETE, and the bytes of these rows. */
const atOnce = { rows: 2_000, bytes: 4_194_304 };
/** Rows or bytes from which a DELETE and a COPY are quicker than an INSERT that replaces, and take less memory. */
const many = { rows: 200, bytes: 1_048_576 };
/** Copied rows that may be there already before they are all written as if they were. */
const mostThere = 1_000;

/** Writes rows to tables, within a transaction that others begin and end. */
export class TableWriter {
  readonly #store: string;
  /** Tables that got rows which only the server can read. */
  readonly #texts = new Set<string>();
  /** Errors that name their row already. */
  readonly #refused = new WeakSet<Error>();

  constructor(store: string) {
    this.#store = store;
  }

  /** Whether this error says which row it is about: no use to look for it. */
  hasNamed(error: unknown): boolean {
    return this.#refused.has(error as Error);
  }

  /** Changed rows, each key once. Where triggers are silent a row may go and come: nobody hears of it. */
  async put(session: Session, shape: Shape, rows: readonly Row[], way: Way): Promise<void> {
    const isMany =
      rows.length >= many.rows || rows.reduce((sum, { value }) => sum + value.length, 0) >= many.bytes;
    if (!isMany || way !== "net") return this.upsert(session, shape, rows);
    await this.delete(
      session,
      shape,
      rows.map(({ key }) => key),
    );
    await this.#copy(session, shape, rows);
  }

  /** Copied rows. Those that are there already are replaced; all others, mostly all, go by COPY. */
  async add(session: Session, shape: Shape, rows: readonly Row[] | CopiedRows, way: Way): Promise<void> {
    const packed = rows instanceof CopiedRows;
    const there = await this.#there(session, shape, packed ? ends(rows) : rows);
    if (there.size > mostThere) return this.put(session, shape, rowsOf(rows), way);
    if (there.size === 0) return this.#copy(session, shape, rows);
    const isThere = (key: Uint8Array): boolean => there.has(Buffer.from(key).toString("latin1"));
    const isFresh = (key: Uint8Array): boolean => !isThere(key);
    const known = packed ? (rows.filter(isThere)?.rows() ?? []) : rows.filter(({ key }) => isThere(key));
    if (known.length > 0) await this.put(session, shape, known, way);
    const fresh = packed ? rows.filter(isFresh) : rows.filter(({ key }) => isFresh(key));
    if (fresh !== undefined) await this.#copy(session, shape, fresh);
  }

  /** Rows that are not there. */
  async #copy(session: Session, shape: Shape, rows: readonly Row[] | CopiedRows): Promise<void> {
    const store = this.#store;
    const into = `COPY ${tableName(shape)} (${names(shape)}) FROM STDIN`;
    if (rows instanceof CopiedRows) {
      try {
        await session.send(rows.form.binary ? `${into} (FORMAT binary)` : into, rows.messages());
      } catch (error) {
        throw this.#named(shape, rows, error);
      }
    } else if (rows.length === 0) return;
    else if (isBinary(shape) && !this.#texts.has(shape.collection.name)) {
      try {
        await session.send(`${into} (FORMAT binary)`, copyRows(shape, rows, store));
      } catch (error) {
        if (error instanceof UnfitRow) this.#texts.add(shape.collection.name);
        throw error;
      }
    } else await session.send(into, copyTexts(textsOf(shape, rows, store)));
  }

  /** The server says in which line of a COPY the row stands that it refuses: a search among a hundred thousand would take minutes. */
  #named(shape: Shape, rows: CopiedRows, error: unknown): unknown {
    const line = isOfData(error) ? lineOf(shape, error) : undefined;
    const key = line === undefined ? undefined : rows.keyAt(line - 1);
    if (key === undefined) return error;
    const shown = Buffer.from(key.subarray(0, 256)).toString("hex");
    const about = { collection: shape.collection.name, key: shown };
    const told = dataError(error, this.#store, about, rowWords(shape, key, this.#store));
    this.#refused.add(told);
    return told;
  }

  /** Keys between the first and the last of these rows, up to a number beyond which they do not matter. */
  async #there(
    session: Session,
    shape: Shape,
    rows: readonly Pick<Row, "key">[],
  ): Promise<ReadonlySet<string>> {
    const store = this.#store;
    let [least, most] = [rows[0]?.key, rows[0]?.key];
    for (const { key } of rows) {
      if (compareBytes(key, least as Uint8Array) < 0) least = key;
      if (compareBytes(key, most as Uint8Array) > 0) most = key;
    }
    const columns = keyColumns(shape);
    const bound = (key: Uint8Array | undefined): string => {
      const texts = key === undefined ? [] : keyTexts(shape, key, store);
      return columns
        .map(({ kind, cast }, at) => `${literal(texts[at] ?? "")}::${isText(kind) ? "text" : cast}`)
        .join(", ");
    };
    const left = columns.map(({ name, kind, collated }) =>
      kind === "padded"
        ? `${quoted(name)}::text COLLATE "C"`
        : collated
          ? `${quoted(name)} COLLATE "C"`
          : quoted(name),
    );
    const found = await session.query(
      `SELECT ${columns.map(({ name }, at) => `${quoted(name)} AS k${at}`).join(", ")} FROM ${readFrom(shape)}
        WHERE (${left.join(", ")}) >= (${bound(least)}) AND (${left.join(", ")}) <= (${bound(most)}) LIMIT ${mostThere + 1}`,
    );
    return new Set(
      found.map((row) => {
        const values = shape.columns.map(() => null) as (null | ReturnType<typeof valueOfText>)[];
        for (const [at, place] of shape.key.entries())
          values[place] = valueOfText(
            (columns[at] as (typeof columns)[number]).kind,
            Buffer.from(row[`k${at}`] ?? ""),
          );
        return Buffer.from(keyOfRecord(shape, values) ?? []).toString("latin1");
      }),
    );
  }

  async upsert(session: Session, shape: Shape, rows: readonly Row[]): Promise<void> {
    const keys = keyColumns(shape);
    const set = shape.columns
      .filter(({ fixed }, at) => !shape.key.includes(at) && !fixed)
      .map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`);
    const sql = `INSERT INTO ${tableName(shape)} (${names(shape)}) OVERRIDING SYSTEM VALUE
      SELECT ${shape.columns.map(({ cast }, at) => `u.c${at}::${cast}`).join(", ")} FROM unnest(${shape.columns.map((_, at) => `$${at + 1}::text[]`).join(", ")})
        AS u(${shape.columns.map((_, at) => `c${at}`).join(", ")})
      ON CONFLICT (${keys.map(({ name }) => quoted(name)).join(", ")}) DO ${set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`}`;
    for (const part of parts(rows)) {
      const texts = part.map((row) => rowTexts(shape, row, this.#store));
      await this.#run(
        session,
        shape,
        sql,
        shape.columns.map((_, at) => texts.map((row) => row[at])),
        part,
      );
    }
  }

  async delete(session: Session, shape: Shape, all: readonly Uint8Array[]): Promise<void> {
    const keys = keyColumns(shape);
    const sql = `DELETE FROM ${readFrom(shape)} AS t USING unnest(${keys.map((_, at) => `$${at + 1}::text[]`).join(", ")})
        AS u(${keys.map((_, at) => `k${at}`).join(", ")})
      WHERE ${keys.map(({ name, cast }, at) => `t.${quoted(name)} = u.k${at}::${cast}`).join(" AND ")}`;
    for (let from = 0; from < all.length; from += atOnce.rows) {
      const part = all.slice(from, from + atOnce.rows);
      const texts = part.map((key) => keyTexts(shape, key, this.#store));
      await this.#run(
        session,
        shape,
        sql,
        keys.map((_, at) => texts.map((key) => key[at])),
        part.map((key) => ({ key })),
      );
    }
  }

  async #run(
    session: Session,
    shape: Shape,
    sql: string,
    values: readonly unknown[],
    rows: readonly { readonly key: Uint8Array }[],
  ): Promise<void> {
    try {
      await session.query(sql, values);
    } catch (error) {
      if (rows.length !== 1 || !isOfData(error)) throw error;
      const { key } = rows[0] as Row;
      const shown = Buffer.from(key.subarray(0, 256)).toString("hex");
      const about = { collection: shape.collection.name, key: shown };
      throw dataError(error, this.#store, about, rowWords(shape, key, this.#store));
    }
  }
}

/** Each for itself. */
export const rowsOf = (rows: readonly Row[] | CopiedRows): readonly Row[] =>
  rows instanceof CopiedRows ? rows.rows() : rows;

function* parts(rows: readonly Row[]): Generator<readonly Row[]> {
  let part: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    part.push(row);
    bytes += row.value.length;
    if (part.length < atOnce.rows && bytes < atOnce.bytes) continue;
    yield part;
    part = [];
    bytes = 0;
  }
  if (part.length > 0) yield part;
}

function* textsOf(shape: Shape, rows: readonly Row[], store: string): Generator<readonly (string | null)[]> {
  for (const row of rows) yield rowTexts(shape, row, store);
}

const ends = ({ first, last }: CopiedRows): readonly Pick<Row, "key">[] => [{ key: first }, { key: last }];

const isText = (kind: Shape["columns"][number]["kind"]): boolean => kind === "text" || kind === "padded";

const names = ({ columns }: Shape): string => columns.map(({ name }) => quoted(name)).join(", ");
