import { type Clock, CutoverError, faultPoint, isCutoverError } from "../../../core/index.ts";
import type { Change, Row, TargetWrite } from "../../connector.ts";
import { ownPrefix, ownSchema } from "./catalog.ts";
import { makeLock } from "./epoch-guard.ts";
import { originPrefix } from "./pgoutput.ts";
import { packedForm } from "./packed-form.ts";
import { CopiedRows } from "./packed-rows.ts";
import { dataError, isOfData, stateOf } from "./postgres-error.ts";
import { UnfitRow } from "./row-writer.ts";
import type { Session } from "./session.ts";
import type { Writing } from "./sessions.ts";
import { literal, quoted, type Shape } from "./shape.ts";
import { rowsOf, TableWriter, type Way } from "./table-writer.ts";
import { UnsureCommits } from "./unsure-commits.ts";

/** Times that a transaction which others were in the way of is run again. */
const runsAgain = 5;
/**
 * How long a transaction is kept open for the one before it, milliseconds. Nothing of a table that takes two abreast makes the one before
 * wait for the other; should something else do so, they would wait for each other for ever.
 */
const heldMs = 5_000;

export interface ApplierOptions {
  /** One at a time for each connection. */
  readonly use: <T>(writing: Writing, body: (session: Session) => Promise<T>) => Promise<T>;
  /** @throws CUTOVER_DATA_COLLECTION */
  readonly shapeOf: (collection: string) => Promise<Shape>;
  readonly store: string;
  readonly clock: Clock;
}

/** A write of a job that is under way. */
interface Given {
  readonly writing: Writing;
  /** Of packed rows, and nothing else. */
  readonly alone: boolean;
  /** The one before it, if that has not settled either. */
  readonly before: Promise<void> | undefined;
  readonly done: Promise<void>;
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
  readonly #writer: TableWriter;
  readonly #unsure: UnsureCommits;
  /** Of each job the write that was given last, until it has settled. */
  readonly #given = new Map<string, Given>();
  /** Connections that were written by, as long as they are of use. */
  readonly #open = new Set<Session>();

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#writer = new TableWriter(options.store);
    this.#unsure = new UnsureCommits(options.store);
  }

  /** Packed rows may be given while those before, of the same job, are under way: by another connection, committed behind them. */
  apply(write: TargetWrite): Promise<void> {
    const before = this.#given.get(write.job);
    const alone = write.packed !== undefined && write.changes.length + write.rows.length === 0;
    const beside = alone && before?.alone === true;
    const writing = beside && before.writing === "write" ? "write 2" : "write";
    // Of three the last begins when the first has ended, whose connection it takes.
    const free = (beside ? before.before : before?.done)?.catch(() => {});
    const done = this.#apply(write, writing, free, beside ? before.done : undefined);
    const given: Given = { writing, alone, before: before?.done, done };
    this.#given.set(write.job, given);
    const settled = (): void => {
      if (this.#given.get(write.job) === given) this.#given.delete(write.job);
    };
    given.done.then(settled, settled);
    return given.done;
  }

  /**
   * @param free resolves when it may begin
   * @param before what it is written beside, and committed behind
   */
  async #apply(
    write: TargetWrite,
    writing: Writing,
    free: Promise<void> | undefined,
    before: Promise<void> | undefined,
  ): Promise<void> {
    await free;
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
      await this.#options.use(writing, async (session) => {
        const sessions = this.#opened(session);
        await this.#make(session, [...shapes.values()]);
        const abreast = [...copied.keys()].every(({ silent }) => silent);
        const done = before !== undefined && abreast && (await this.#beside(session, write, copied, before));
        // None is written behind one that failed.
        await before;
        if (!done) await this.#behind(session, write, shapes, copied);
        this.#unsure.note(sessions, write);
      });
    } catch (error) {
      throw dataError(error, store);
    }
    faultPoint("data.target.after-commit");
  }

  /**
   * Writes rows while the write before is under way, and waits for that one with the commit: so the server is never without work, and has
   * work for two of its processes. False when it has to be done after the other, for whatever reason: nothing of it is there.
   */
  async #beside(
    session: Session,
    write: TargetWrite,
    copied: ReadonlyMap<Shape, readonly Row[] | CopiedRows>,
    before: Promise<void>,
  ): Promise<boolean> {
    try {
      const named = `, pg_logical_emit_message(true, '${originPrefix}', ${literal(write.origin)})`;
      const way = await this.#begin(session, write, named);
      for (const [shape, rows] of copied) await this.#writer.add(session, shape, rows, way);
      if (!(await this.#isInTime(before))) return await this.#takeBack(session);
    } catch {
      // It is told when it fails again.
      return this.#takeBack(session);
    }
    try {
      await this.#unsure.require(session, write, () => this.#checkpoint(session, write.job));
      // Only now: until the other is committed the row of the job is its own.
      await this.#claim(session, write);
    } catch (error) {
      await this.#takeBack(session);
      if (isCutoverError(error)) throw error;
      return false;
    }
    await session.query("COMMIT");
    return true;
  }

  async #takeBack(session: Session): Promise<false> {
    if (session.lost === undefined) await session.query("ROLLBACK").catch(() => {});
    return false;
  }

  /** @throws what the other write ended with */
  async #isInTime(before: Promise<void>): Promise<boolean> {
    const late = Promise.withResolvers<false>();
    const timer = this.#options.clock.after(heldMs, () => late.resolve(false));
    try {
      return await Promise.race([before.then(() => true), late.promise]);
    } finally {
      timer.cancel();
    }
  }

  async #behind(
    session: Session,
    write: TargetWrite,
    shapes: ReadonlyMap<string, Shape>,
    copied: ReadonlyMap<Shape, readonly Row[] | CopiedRows>,
  ): Promise<void> {
    await this.#unsure.require(session, write, () => this.#checkpoint(session, write.job));
    let way: Way | undefined;
    for (let run = 0; ; run++) {
      try {
        await this.#once(session, write, shapes, copied, way);
        return;
      } catch (error) {
        await this.#takeBack(session);
        const state = stateOf(error);
        // 21000: two rows for one key in one statement; one after the other the last stays.
        const ofData = isOfData(error) || isOfData((error as Error).cause) || state === "21000";
        if (ofData && way !== "single" && !this.#writer.hasNamed(error)) way = "single";
        else if (error instanceof UnfitRow) continue;
        else if ((state === "40001" || state === "40P01") && run < runsAgain) continue;
        else throw error;
      }
    }
  }

  checkpoint(job: string): Promise<Buffer | undefined> {
    return this.#options.use("write", (session) => this.#checkpoint(session, job));
  }

  async #checkpoint(session: Session, job: string): Promise<Buffer | undefined> {
    if (!(await isThere(session, "job"))) return undefined;
    const [row] = await session.query(`SELECT checkpoint FROM ${ownSchema}.job WHERE name = $1`, [job]);
    const hex = row?.["checkpoint"];
    return hex === undefined || hex === null ? undefined : Buffer.from(hex.slice(2), "hex");
  }

  forget(job: string): Promise<void> {
    return this.#options.use("write", async (session) => {
      if (await isThere(session, "job"))
        await session.query(`DELETE FROM ${ownSchema}.job WHERE name = $1`, [job]);
    });
  }

  /** Connections that are open, with this one. */
  #opened(session: Session): ReadonlySet<Session> {
    this.#open.add(session);
    for (const one of this.#open) if (one.lost !== undefined) this.#open.delete(one);
    return new Set(this.#open).add(session);
  }

  /** @throws CUTOVER_DATA_REFUSED for rows packed for another table */
  #take(
    { collection, rows }: NonNullable<TargetWrite["packed"]>,
    shapes: ReadonlyMap<string, Shape>,
    copied: Map<Shape, Row[] | CopiedRows>,
  ): void {
    const shape = shapes.get(collection) as Shape;
    if (rows instanceof CopiedRows && rows.format === packedForm(shape)?.name && !copied.has(shape)) {
      copied.set(shape, rows);
      return;
    }
    throw new CutoverError("CUTOVER_DATA_REFUSED", {
      message: `expected rows of "${collection}" packed as ${packedForm(shape)?.name}, and no others beside them, found ${rows.format}`,
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
    const usual = await this.#begin(session, write);
    const way = wanted ?? usual;
    // The origin before all changes, so that a log knows at once whether to leave them out.
    await this.#claim(session, write, true);
    for (const { shape, deletes, rows } of steps(write.changes, shapes, way)) {
      if (deletes.length > 0) await this.#writer.delete(session, shape, deletes);
      if (rows.length > 0) await this.#writer.put(session, shape, rows, way);
    }
    for (const [shape, rows] of copied) {
      if (way === "single") for (const row of rowsOf(rows)) await this.#writer.upsert(session, shape, [row]);
      else await this.#writer.add(session, shape, rows, way);
    }
    await session.query("COMMIT");
  }

  /** Begins a transaction; how rows are written in it. `also`: more of what the server is asked. */
  async #begin(session: Session, { durable = true }: TargetWrite, also = ""): Promise<Way> {
    // Commits are in the log in their order: a later one that is waited for brings this one to the disk too.
    const waits = durable ? "" : "SET LOCAL synchronous_commit = off; ";
    const [row] = await session.query(
      `BEGIN; ${waits}SELECT current_setting('session_replication_role') AS role${also}`,
    );
    return row?.["role"] === "replica" ? "net" : "runs";
  }

  /** Saves the checkpoint, unless somebody else has the job. `named`: the origin as well. */
  async #claim(
    session: Session,
    { job, fence, origin, checkpoint }: TargetWrite,
    named = false,
  ): Promise<void> {
    const emit = named ? `, pg_logical_emit_message(true, '${originPrefix}', $4::text)` : "";
    const claimed = await session.query(
      `WITH claim AS (INSERT INTO ${ownSchema}.job AS j (name, fence, checkpoint) VALUES ($1, $2, $3)
        ON CONFLICT (name) DO UPDATE SET fence = excluded.fence, checkpoint = coalesce(excluded.checkpoint, j.checkpoint)
          WHERE j.fence <= excluded.fence RETURNING fence)
        SELECT fence${emit} FROM claim`,
      [job, fence, checkpoint === undefined ? null : Buffer.from(checkpoint), ...(named ? [origin] : [])],
    );
    if (claimed.length === 0) throw await this.#stale(session, job, fence);
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
