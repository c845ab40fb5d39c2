import { CutoverError, faultPoint } from "../../../core/index.ts";
import { compareBytes } from "../../bytes.ts";
import type { Change, Row, TargetWrite } from "../../connector.ts";
import { ownPrefix, ownSchema } from "./catalog.ts";
import { valueOfText } from "./column-kind.ts";
import { makeLock } from "./epoch-guard.ts";
import { originPrefix } from "./pgoutput.ts";
import { CopiedRows, packingOf } from "./packed-rows.ts";
import { dataError, isOfData, lineOf, stateOf } from "./postgres-error.ts";
import { copyDataMessage } from "./raw-messages.ts";
import { copyHeader, copyRows, copyTexts, copyTrailer, isBinary, rowTexts, UnfitRow } from "./row-writer.ts";
import type { Session } from "./session.ts";
import {
  keyColumns,
  keyOfRecord,
  keyTexts,
  literal,
  quoted,
  readFrom,
  type Shape,
  tableName,
} from "./shape.ts";

/** Rows of an INSERT and keys of a DELETE, and the bytes of these rows. */
const atOnce = { rows: 2_000, bytes: 4_194_304 };
/** Rows or bytes from which a DELETE and a COPY are quicker than an INSERT that replaces, and take less memory. */
const many = { rows: 200, bytes: 1_048_576 };
/** Copied rows that may be there already before they are all written as if they were. */
const mostThere = 1_000;
/** Times that a transaction which others were in the way of is run again. */
const runsAgain = 5;

/**
 * How changes are written. `net`: the last one of each key, all deletes of a table, then all its rows. `runs`: in their order,
 * neighbours of one sort together. `single`: one by one, which also tells the row that is refused.
 */
type Way = "net" | "runs" | "single";

export interface ApplierOptions {
  readonly session: () => Promise<Session>;
  /** @throws CUTOVER_DATA_COLLECTION */
  readonly shapeOf: (collection: string) => Promise<Shape>;
  readonly store: string;
}

/** What is to be written to a table, in order. */
interface Step {
  readonly shape: Shape;
  readonly deletes: readonly Uint8Array[];
  readonly rows: readonly Row[];
}

export class Applier {
  readonly #options: ApplierOptions;
  /** Own tables that are there. */
  readonly #made = new Set<string>();
  /** Tables that got rows which only the server can read. */
  readonly #texts = new Set<string>();
  /** Errors that name their row already. */
  readonly #refused = new WeakSet<Error>();

  constructor(options: ApplierOptions) {
    this.#options = options;
  }

  async apply(write: TargetWrite): Promise<void> {
    const { store } = this.#options;
    const shapes = new Map<string, Shape>();
    const see = async (collection: string): Promise<void> => {
      if (!shapes.has(collection)) shapes.set(collection, await this.#options.shapeOf(collection));
    };
    for (const { collection } of write.changes) await see(collection);
    for (const { collection } of write.rows) await see(collection);
    if (write.packed !== undefined) await see(write.packed.collection);
    const copied = new Map<Shape, Row[] | CopiedRows>();
    for (const row of write.rows) {
      const shape = shapes.get(row.collection) as Shape;
      const rows = copied.get(shape);
      if (Array.isArray(rows)) rows.push(row);
      else copied.set(shape, [row]);
    }
    if (write.packed !== undefined) this.#take(write.packed, shapes, copied);
    try {
      const session = await this.#options.session();
      await this.#make(session, [...shapes.values()]);
      let way: Way | undefined;
      for (let run = 0; ; run++) {
        try {
          await this.#once(session, write, shapes, copied, way);
          break;
        } catch (error) {
          if (session.lost === undefined) await session.query("ROLLBACK").catch(() => {});
          const state = stateOf(error);
          // 21000: two rows for one key in one statement; one after the other the last stays.
          const ofData = isOfData(error) || isOfData((error as Error).cause) || state === "21000";
          if (ofData && way !== "single" && !this.#refused.has(error as Error)) way = "single";
          else if (error instanceof UnfitRow) continue;
          else if ((state === "40001" || state === "40P01") && run < runsAgain) continue;
          else throw error;
        }
      }
    } catch (error) {
      throw dataError(error, store);
    }
    faultPoint("data.target.after-commit");
  }

  async checkpoint(job: string): Promise<Uint8Array | undefined> {
    const session = await this.#options.session();
    if (!(await isThere(session, "job"))) return undefined;
    const [row] = await session.query(`SELECT checkpoint FROM ${ownSchema}.job WHERE name = $1`, [job]);
    const hex = row?.["checkpoint"];
    return hex === undefined || hex === null ? undefined : Buffer.from(hex.slice(2), "hex");
  }

  async forget(job: string): Promise<void> {
    const session = await this.#options.session();
    if (await isThere(session, "job"))
      await session.query(`DELETE FROM ${ownSchema}.job WHERE name = $1`, [job]);
  }

  /** @throws CUTOVER_DATA_REFUSED for rows packed for another table */
  #take(
    { collection, rows }: NonNullable<TargetWrite["packed"]>,
    shapes: ReadonlyMap<string, Shape>,
    copied: Map<Shape, Row[] | CopiedRows>,
  ): void {
    const shape = shapes.get(collection) as Shape;
    if (rows instanceof CopiedRows && rows.format === packingOf(shape) && !copied.has(shape)) {
      copied.set(shape, rows);
      return;
    }
    throw new CutoverError("CUTOVER_DATA_REFUSED", {
      message: `expected rows of "${collection}" packed as ${packingOf(shape)}, and no others beside them, found ${rows.format}`,
      place: this.#options.store,
      details: { collection },
      remedy: "ask `packing` for the form, or give the rows one by one",
    });
  }

  /** The move's own tables, before the transaction that writes to them: others wait for those who make one. */
  async #make(session: Session, shapes: readonly Shape[]): Promise<void> {
    const names = ["job", ...shapes.filter(({ raw }) => raw).map(({ table }) => table)];
    for (const name of names) {
      if (this.#made.has(name)) continue;
      if (!(await isThere(session, name))) {
        const columns =
          name === "job"
            ? `name text COLLATE "C" PRIMARY KEY, fence int8 NOT NULL, checkpoint bytea`
            : "key bytea PRIMARY KEY, value bytea NOT NULL";
        await session.query(
          `BEGIN; ${makeLock}; CREATE SCHEMA IF NOT EXISTS ${ownSchema};
          CREATE TABLE IF NOT EXISTS ${ownSchema}.${quoted(name)} (${columns}); COMMIT`,
        );
      }
      this.#made.add(name);
    }
  }

  async #once(
    session: Session,
    write: TargetWrite,
    shapes: ReadonlyMap<string, Shape>,
    copied: ReadonlyMap<Shape, readonly Row[] | CopiedRows>,
    wanted: Way | undefined,
  ): Promise<void> {
    const { job, fence, origin, checkpoint = null } = write;
    const [role] = await session.query("BEGIN; SELECT current_setting('session_replication_role') AS role");
    const way = wanted ?? (role?.["role"] === "replica" ? "net" : "runs");
    // The origin before all changes, so that a log knows at once whether to leave them out.
    const claimed = await session.query(
      `WITH claim AS (INSERT INTO ${ownSchema}.job AS j (name, fence, checkpoint) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET fence = excluded.fence, checkpoint = coalesce(excluded.checkpoint, j.checkpoint)
          WHERE j.fence <= excluded.fence RETURNING fence)
        SELECT fence, pg_logical_emit_message(true, '${originPrefix}', $4::text) FROM claim`,
      [job, fence, checkpoint === null ? null : Buffer.from(checkpoint), origin],
    );
    if (claimed.length === 0) throw await this.#stale(session, job, fence);
    for (const { shape, deletes, rows } of steps(write.changes, shapes, way)) {
      if (deletes.length > 0) await this.#delete(session, shape, deletes);
      if (rows.length > 0) await this.#put(session, shape, rows, way);
    }
    for (const [shape, rows] of copied) {
      if (way === "single") for (const row of oneByOne(rows)) await this.#upsert(session, shape, [row]);
      else await this.#add(session, shape, rows, way);
    }
    await session.query("COMMIT");
  }

  /** Changed rows, each key once. Where triggers are silent a row may go and come: nobody hears of it. */
  async #put(session: Session, shape: Shape, rows: readonly Row[], way: Way): Promise<void> {
    const isMany =
      rows.length >= many.rows || rows.reduce((sum, { value }) => sum + value.length, 0) >= many.bytes;
    if (!isMany || way !== "net") return this.#upsert(session, shape, rows);
    await this.#delete(
      session,
      shape,
      rows.map(({ key }) => key),
    );
    await this.#copy(session, shape, rows);
  }

  /** Copied rows. Those that are there already are replaced; all others, mostly all, go by COPY. */
  async #add(session: Session, shape: Shape, rows: readonly Row[] | CopiedRows, way: Way): Promise<void> {
    const packed = rows instanceof CopiedRows;
    const there = await this.#there(session, shape, packed ? ends(rows) : rows);
    if (there.size > mostThere) return this.#put(session, shape, oneByOne(rows), way);
    if (there.size === 0) return this.#copy(session, shape, rows);
    const isThere = (key: Uint8Array): boolean => there.has(Buffer.from(key).toString("latin1"));
    const isFresh = (key: Uint8Array): boolean => !isThere(key);
    const known = packed ? (rows.filter(isThere)?.rows() ?? []) : rows.filter(({ key }) => isThere(key));
    if (known.length > 0) await this.#put(session, shape, known, way);
    const fresh = packed ? rows.filter(isFresh) : rows.filter(({ key }) => isFresh(key));
    if (fresh !== undefined) await this.#copy(session, shape, fresh);
  }

  /** Rows that are not there. */
  async #copy(session: Session, shape: Shape, rows: readonly Row[] | CopiedRows): Promise<void> {
    const { store } = this.#options;
    const into = `COPY ${tableName(shape)} (${names(shape)}) FROM STDIN`;
    if (rows instanceof CopiedRows) {
      try {
        await session.send(`${into} (FORMAT binary)`, messagesOf(rows));
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
    const told = dataError(error, this.#options.store, { collection: shape.collection.name, key: shown });
    this.#refused.add(told);
    return told;
  }

  /** Keys between the first and the last of these rows, up to a number beyond which they do not matter. */
  async #there(
    session: Session,
    shape: Shape,
    rows: readonly Pick<Row, "key">[],
  ): Promise<ReadonlySet<string>> {
    const { store } = this.#options;
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

  async #upsert(session: Session, shape: Shape, rows: readonly Row[]): Promise<void> {
    const keys = keyColumns(shape);
    const set = shape.columns
      .filter(({ fixed }, at) => !shape.key.includes(at) && !fixed)
      .map(({ name }) => `${quoted(name)} = excluded.${quoted(name)}`);
    const sql = `INSERT INTO ${tableName(shape)} (${names(shape)}) OVERRIDING SYSTEM VALUE
      SELECT ${shape.columns.map(({ cast }, at) => `u.c${at}::${cast}`).join(", ")} FROM unnest(${shape.columns.map((_, at) => `$${at + 1}::text[]`).join(", ")})
        AS u(${shape.columns.map((_, at) => `c${at}`).join(", ")})
      ON CONFLICT (${keys.map(({ name }) => quoted(name)).join(", ")}) DO ${set.length === 0 ? "NOTHING" : `UPDATE SET ${set.join(", ")}`}`;
    for (const part of parts(rows)) {
      const texts = part.map((row) => rowTexts(shape, row, this.#options.store));
      await this.#run(
        session,
        shape,
        sql,
        shape.columns.map((_, at) => texts.map((row) => row[at])),
        part,
      );
    }
  }

  async #delete(session: Session, shape: Shape, all: readonly Uint8Array[]): Promise<void> {
    const keys = keyColumns(shape);
    const sql = `DELETE FROM ${readFrom(shape)} AS t USING unnest(${keys.map((_, at) => `$${at + 1}::text[]`).join(", ")})
        AS u(${keys.map((_, at) => `k${at}`).join(", ")})
      WHERE ${keys.map(({ name, cast }, at) => `t.${quoted(name)} = u.k${at}::${cast}`).join(" AND ")}`;
    for (let from = 0; from < all.length; from += atOnce.rows) {
      const part = all.slice(from, from + atOnce.rows);
      const texts = part.map((key) => keyTexts(shape, key, this.#options.store));
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
      const key = Buffer.from(rows[0]?.key.subarray(0, 256) ?? []).toString("hex");
      throw dataError(error, this.#options.store, { collection: shape.collection.name, key });
    }
  }

  async #stale(session: Session, job: string, fence: number): Promise<CutoverError> {
    const [row] = await session.query(`SELECT fence FROM ${ownSchema}.job WHERE name = $1`, [job]);
    const seen = Number(row?.["fence"]);
    return new CutoverError("CUTOVER_LEASE_LOST", {
      message: `job "${job}" was taken over: its fence is ${seen}, this writer holds ${fence}`,
      place: this.#options.store,
      details: { job, fence, seen },
    });
  }
}

export function isOwn(collection: string): boolean {
  return collection.startsWith(ownPrefix);
}

async function isThere(session: Session, table: string): Promise<boolean> {
  const [row] = await session.query("SELECT to_regclass($1) IS NOT NULL AS there", [
    `${ownSchema}.${quoted(table)}`,
  ]);
  return row?.["there"] === "t";
}

const oneByOne = (rows: readonly Row[] | CopiedRows): readonly Row[] =>
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

function* messagesOf({ parts }: CopiedRows): Generator<Uint8Array> {
  yield copyDataMessage(copyHeader);
  yield* parts;
  yield copyDataMessage(copyTrailer);
}

const isText = (kind: Shape["columns"][number]["kind"]): boolean => kind === "text" || kind === "padded";

const names = ({ columns }: Shape): string => columns.map(({ name }) => quoted(name)).join(", ");

function steps(changes: readonly Change[], shapes: ReadonlyMap<string, Shape>, way: Way): readonly Step[] {
  const stepOf = (shape: Shape, some: readonly Change[]): Step => ({
    shape,
    deletes: some.filter(({ value }) => value === null).map(({ key }) => key),
    rows: some.flatMap(({ key, value }) => (value === null ? [] : [{ key, value }])),
  });
  const shapeOf = ({ collection }: Change): Shape => shapes.get(collection) as Shape;
  if (way === "single") return changes.map((change) => stepOf(shapeOf(change), [change]));
  if (way === "net") {
    const byShape = new Map<Shape, Change[]>();
    for (const change of changes) {
      const some = byShape.get(shapeOf(change));
      if (some === undefined) byShape.set(shapeOf(change), [change]);
      else some.push(change);
    }
    return [...byShape].map(([shape, some]) => stepOf(shape, lastOfEach(some)));
  }
  const runs: Change[][] = [];
  for (const change of changes) {
    const run = runs.at(-1);
    const before = run?.at(-1);
    const joins =
      before?.collection === change.collection && (before.value === null) === (change.value === null);
    if (joins) run?.push(change);
    else runs.push([change]);
  }
  return runs.map((run) => stepOf(shapeOf(run[0] as Change), lastOfEach(run)));
}

/** Of several changes of one key the last, where that one stands. */
function lastOfEach(changes: readonly Change[]): readonly Change[] {
  if (changes.length < 2) return changes;
  const last = new Map<string, Change>();
  for (const change of changes) {
    const id = Buffer.from(change.key).toString("latin1");
    last.delete(id);
    last.set(id, change);
  }
  return [...last.values()];
}
