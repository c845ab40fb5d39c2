import { type Clock, CutoverError, type JsonObject } from "../../../core/index.ts";
import type {
  Chunk,
  ChunkLimit,
  Collection,
  DataStore,
  LogBatch,
  Position,
  Range,
  Row,
  TargetWrite,
  Turning,
} from "../../connector.ts";
import type { RangeSums, SummingReader, SumOptions } from "../../range-sums.ts";
import type { PostgresAddress } from "./address.ts";
import { Applier, isOwn } from "./applier.ts";
import {
  ownSchema,
  ownShape,
  readTables,
  requireEncoding,
  schemaChanged,
  schemaMissing,
  signatureSql,
} from "./catalog.ts";
import { copyOut, fenceOf, readPacked, readRows, type RowSizes } from "./chunks.ts";
import type { PgDriver } from "./driver.ts";
import { EpochGuard } from "./epoch-guard.ts";
import { LogFollower } from "./log-follower.ts";
import { lsnOf, placeAt, positionAt } from "./lsn.ts";
import { dataError, isGone } from "./postgres-error.ts";
import { packedForm } from "./packed-form.ts";
import { RowReader } from "./row-reader.ts";
import { advanceSequences, readSequences, type Sequence } from "./sequences.ts";
import { type Role, Sessions } from "./sessions.ts";
import type { Session } from "./session.ts";
import { quoted, readFrom, type Shape, within } from "./shape.ts";
import { Slots } from "./slots.ts";
import { TableSums } from "./table-sums.ts";
import { valuesByKey } from "./values-by-key.ts";

/** Rows given at once by a scan. */
const scanLimit = { rows: 1_000, bytes: 8_388_608 };
const readSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/** Tables of a PostgreSQL database. See docs/spec/data-postgres.md. */
export class PostgresStore implements DataStore, SummingReader {
  readonly name: string;
  readonly #address: PostgresAddress;
  readonly #sessions: Sessions;
  readonly #slots: Slots;
  readonly #guard: EpochGuard;
  readonly #applier: Applier;
  readonly #follower: LogFollower;
  readonly #sizes: RowSizes = new Map();
  /** As they were when they were first seen: rows read and written are of these columns. */
  readonly #shapes = new Map<string, Shape>();

  constructor(driver: PgDriver, address: PostgresAddress, clock: Clock) {
    this.name = address.name;
    this.#address = address;
    this.#sessions = new Sessions(driver, address);
    const control = (): Promise<Session> => this.#sessions.get("control");
    this.#slots = new Slots(control, this.name, clock);
    this.#guard = new EpochGuard(() => this.#sessions.open("fence"), this.name, clock);
    this.#applier = new Applier({
      use: (writing, body) => this.#sessions.use(writing, body),
      clock,
      shapeOf: (collection) => this.#shape(collection),
      store: this.name,
    });
    this.#follower = new LogFollower({
      sessions: this.#sessions,
      slots: this.#slots,
      store: this.name,
      clock,
      shapes: () => this.#logged(),
      get: (shape, keys, xid) => this.#visible(shape, keys, xid),
    });
  }

  /** Tries the connection, so that an address that leads nowhere is told at once. */
  async check(wanted: readonly string[] = []): Promise<this> {
    await this.#run("control", (session) => requireEncoding(session, this.name));
    await this.#load();
    for (const collection of wanted) await this.#shape(collection);
    const known = new Set([...this.#shapes.values()].map(({ schema }) => schema));
    const schemas = this.#address.schemas ?? [];
    const found = await this.#run("control", (session) =>
      session.query("SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY($1)", [schemas]),
    );
    const missing = schemas.find(
      (schema) => !known.has(schema) && !found.some(({ name }) => name === schema),
    );
    if (missing !== undefined) throw schemaMissing(missing, this.name);
    return this;
  }

  async collections(): Promise<readonly Collection[]> {
    const shapes = await this.#load();
    return shapes.map(({ collection, signature }) => {
      const known = this.#shapes.get(collection.name);
      if (known === undefined || known.signature === signature) return collection;
      return { ...collection, problem: "its columns have changed since the store was opened: open it again" };
    });
  }

  async get(collection: string, keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    const shape = await this.#shape(collection);
    return this.#read("point", async (session) => {
      if (!(await this.#exists(session, shape))) return keys.map(() => undefined);
      return valuesByKey(session, shape, keys, this.name);
    });
  }

  async *scan(
    range: Range,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<readonly Row[]> {
    signal?.throwIfAborted();
    const shape = await this.#shape(range.collection);
    const sql = copyOut(shape, range, this.name);
    const session = await this.#sessions.open("scan");
    const stop = (): void => session.destroy("the scan was stopped");
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await session.query(readSnapshot);
      if (!(await this.#exists(session, shape))) return;
      const reader = new RowReader(shape);
      let wake = (): void => {};
      let ended: { readonly error?: unknown } | undefined;
      session
        .receive(sql, (data, at, end) => {
          reader.read(data, at, end);
          if (reader.count < scanLimit.rows && reader.bytes < scanLimit.bytes) return;
          session.pause();
          wake();
        })
        .then(
          () => (ended = {}),
          (error: unknown) => (ended = { error }),
        )
        .finally(() => wake());
      for (;;) {
        if (ended === undefined && reader.count < scanLimit.rows && reader.bytes < scanLimit.bytes) {
          session.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
        signal?.throwIfAborted();
        if (ended?.error !== undefined) throw ended.error;
        if (reader.count > 0) yield reader.take();
        else if (ended !== undefined) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw dataError(error, this.name);
    } finally {
      signal?.removeEventListener("abort", stop);
      session.destroy("the scan is over");
    }
  }

  async count(range: Range): Promise<number> {
    const shape = await this.#shape(range.collection);
    const where = within(shape, range, this.name);
    return this.#read("point", async (session) => {
      if (!(await this.#exists(session, shape))) return 0;
      const [row] = await session.query(`SELECT count(*) AS rows FROM ${readFrom(shape)} WHERE ${where}`);
      return Number(row?.["rows"]);
    });
  }

  async rangeSums(collection: string, options: SumOptions): Promise<RangeSums | undefined> {
    const shape = await this.#shape(collection);
    const open = async (): Promise<RangeSums | undefined> =>
      TableSums.open(await this.#sessions.open("scan"), shape, this.name, options);
    return this.#guarded(open, options.signal);
  }

  async capture(slot: string): Promise<Position> {
    const tables = await this.#movable();
    return this.#guarded(async () => positionAt(await this.#slots.capture(slot, tables)));
  }

  async snapshotChunk(range: Range, limit: ChunkLimit): Promise<Chunk> {
    const shape = await this.#shape(range.collection);
    return this.#read("copy", async (session) => {
      const signature = shape.raw ? "NULL" : signatureSql(String(shape.oid));
      const [row] = await session.query(
        `${readSnapshot}; SELECT pg_current_snapshot()::text AS snapshot, ${signature} AS signature`,
      );
      try {
        const fence = fenceOf(row?.["snapshot"] ?? "");
        if (!shape.raw && row?.["signature"] !== shape.signature) throw schemaChanged(shape, this.name);
        if (!(await this.#exists(session, shape))) return { rows: [], fence, end: true };
        const about = { store: this.name, sizes: this.#sizes };
        const form = limit.packed === true ? packedForm(shape) : undefined;
        const read =
          form === undefined
            ? await readRows(session, shape, range, limit, about)
            : { rows: [], ...(await readPacked(session, shape, range, limit, { ...about, form })) };
        return { ...read, fence };
      } finally {
        if (session.lost === undefined) await session.query("ROLLBACK");
      }
    });
  }

  /** Undefined for a table that is not there. */
  async packing(collection: string): Promise<string | undefined> {
    if (!this.#shapes.has(collection)) await this.#load();
    const shape = this.#shapes.get(collection);
    return shape === undefined ? undefined : packedForm(shape)?.name;
  }

  log(
    slot: string,
    from: Position,
    options: { readonly signal: AbortSignal; readonly without?: readonly string[] },
  ): AsyncIterable<LogBatch> {
    return this.#follower.follow(slot, placeAt(from, this.name), options);
  }

  async acknowledge(slot: string, position: Position): Promise<void> {
    const { lsn } = placeAt(position, this.name);
    await this.#guarded(() => this.#follower.acknowledge(slot, lsn));
  }

  async release(slot: string): Promise<void> {
    await this.#guarded(() => this.#follower.release(slot));
  }

  async head(): Promise<Position> {
    return this.#read("control", async (session) => {
      const [row] = await session.query(
        "SELECT pg_current_wal_insert_lsn()::text AS inserted, pg_current_wal_flush_lsn()::text AS flushed",
      );
      const inserted = lsnOf(row?.["inserted"] ?? "0/0");
      // What is not on disk is in no log yet, and without a commit it may stay so; a place behind the header of a page is reached
      // by its first record. Either way a small record behind it brings the log there.
      if (lsnOf(row?.["flushed"] ?? "0/0") < inserted || (inserted & 0x1fffn) <= 0x40n)
        await session.query("SELECT pg_logical_emit_message(true, 'cutover.flush', '')");
      return positionAt(inserted);
    });
  }

  async retained(slot: string): Promise<number> {
    return this.#guarded(async () => (await this.#slots.known(slot)).retained);
  }

  async fence(epoch: number, { signal }: { readonly signal: AbortSignal }): Promise<Position> {
    signal.throwIfAborted();
    this.#guard.check(epoch);
    const tables = await this.#movable();
    await this.#guarded(() => this.#guard.raise(epoch, tables, signal), signal);
    return this.head();
  }

  /** Sequences lie in no rows. */
  async beforeTurn({ from, paused }: Turning): Promise<JsonObject> {
    const others = from instanceof PostgresStore ? await from.sequences() : [];
    const { schemas } = this.#address;
    return this.#read("control", (session) =>
      advanceSequences(session, { schemas, others, thorough: !paused, store: this.name }),
    );
  }

  sequences(): Promise<readonly Sequence[]> {
    return this.#read("control", (session) => readSequences(session, this.#address.schemas));
  }

  async lift(epoch: number): Promise<void> {
    this.#guard.check(epoch);
    const tables = await this.#movable();
    await this.#guarded(() => this.#guard.lower(epoch, tables));
  }

  async applyTxn(write: TargetWrite): Promise<void> {
    await this.#guarded(() => this.#applier.apply(write));
  }

  /** Where no trigger acts on what comes. */
  async abreast(collection: string): Promise<boolean> {
    return (await this.packing(collection)) !== undefined && this.#shapes.get(collection)?.silent === true;
  }

  checkpoint(job: string): Promise<Uint8Array | undefined> {
    return this.#guarded(() => this.#applier.checkpoint(job));
  }

  forget(job: string): Promise<void> {
    return this.#guarded(() => this.#applier.forget(job));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#follower.close();
    await this.#sessions.close();
  }

  /** Reads the catalogue. Tables seen before stay as they were: a change of theirs has to be noticed. */
  async #load(): Promise<readonly Shape[]> {
    const shapes = await this.#read("control", (session) => readTables(session, this.#address.schemas));
    for (const shape of shapes) {
      if (!this.#shapes.has(shape.collection.name)) this.#shapes.set(shape.collection.name, shape);
    }
    return shapes;
  }

  async #movable(): Promise<readonly Shape[]> {
    return (await this.#load()).filter(({ collection }) => collection.problem === undefined);
  }

  async #shape(collection: string): Promise<Shape> {
    if (isOwn(collection)) return ownShape(collection, this.name);
    if (!this.#shapes.has(collection)) await this.#load();
    const shape = this.#shapes.get(collection);
    if (shape !== undefined && shape.collection.problem === undefined) return shape;
    throw new CutoverError("CUTOVER_DATA_COLLECTION", {
      message:
        shape === undefined
          ? `expected a table of ${this.name} as schema.table, found "${collection}", which it does not have`
          : `expected a table that can be moved, found "${collection}": ${shape.collection.problem}`,
      place: this.name,
      details: { collection },
    });
  }

  /** A collection that a move keeps for itself is made at the first write. */
  async #exists(session: Session, shape: Shape): Promise<boolean> {
    if (!shape.raw) return true;
    const [row] = await session.query("SELECT to_regclass($1) IS NOT NULL AS there", [
      `${ownSchema}.${quoted(shape.table)}`,
    ]);
    return row?.["there"] === "t";
  }

  /** The rows of these keys in a snapshot that has seen a transaction; undefined when it is not visible yet. */
  async #visible(
    shape: Shape,
    keys: readonly Uint8Array[],
    xid: string,
  ): Promise<readonly (Uint8Array | undefined)[] | undefined> {
    return this.#read("point", async (session) => {
      const [row] = await session.query(
        `${readSnapshot}; SELECT pg_visible_in_snapshot('${xid}'::xid8, pg_current_snapshot()) AS seen`,
      );
      try {
        return row?.["seen"] === "t" ? await valuesByKey(session, shape, keys, this.name) : undefined;
      } finally {
        if (session.lost === undefined) await session.query("ROLLBACK");
      }
    });
  }

  async #logged(): Promise<(schema: string, table: string) => Shape | undefined> {
    if (this.#shapes.size === 0) await this.#load();
    const shapes = [...this.#shapes.values()].filter(({ collection }) => collection.problem === undefined);
    const byName = new Map(shapes.map((shape) => [`${shape.schema}\0${shape.table}`, shape]));
    return (schema, table) => byName.get(`${schema}\0${table}`);
  }

  /** Reads once more when the connection was lost: reading twice does no harm. */
  async #read<T>(role: Role, body: (session: Session) => Promise<T>): Promise<T> {
    try {
      return await this.#run(role, body);
    } catch (error) {
      if (!isGone(error)) throw error;
      return await this.#run(role, body);
    }
  }

  /** Those who use the connection of a role come one after the other. */
  #run<T>(role: Role, body: (session: Session) => Promise<T>): Promise<T> {
    return this.#guarded(() => this.#sessions.use(role, body));
  }

  async #guarded<T>(body: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await body();
    } catch (error) {
      signal?.throwIfAborted();
      throw dataError(error, this.name);
    }
  }
}
