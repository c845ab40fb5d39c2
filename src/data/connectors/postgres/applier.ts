import { CutoverError, faultPoint } from "../../../core/index.ts";
import type { Change, Row, TargetWrite } from "../../connector.ts";
import { ownPrefix, ownSchema } from "./catalog.ts";
import { makeLock } from "./epoch-guard.ts";
import { originPrefix } from "./pgoutput.ts";
import { packedForm } from "./packed-form.ts";
import { CopiedRows } from "./packed-rows.ts";
import { dataError, isOfData, stateOf } from "./postgres-error.ts";
import { UnfitRow } from "./row-writer.ts";
import type { Session } from "./session.ts";
import { quoted, type Shape } from "./shape.ts";
import { rowsOf, TableWriter, type Way } from "./table-writer.ts";

/** Times that a transaction which others were in the way of is run again. */
const runsAgain = 5;

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
  readonly #writer: TableWriter;
  /** Of each job, what was committed last without waiting for the disk, and over which connection. */
  readonly #unsure = new Map<
    string,
    { readonly session: Session; readonly checkpoint: Buffer | undefined }
  >();

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#writer = new TableWriter(options.store);
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
      await this.#requireKept(session, write);
      await this.#make(session, [...shapes.values()]);
      let way: Way | undefined;
      for (let run = 0; ; run++) {
        try {
          await this.#once(session, write, shapes, copied, way);
          this.#note(session, write);
          break;
        } catch (error) {
          if (session.lost === undefined) await session.query("ROLLBACK").catch(() => {});
          const state = stateOf(error);
          // 21000: two rows for one key in one statement; one after the other the last stays.
          const ofData = isOfData(error) || isOfData((error as Error).cause) || state === "21000";
          if (ofData && way !== "single" && !this.#writer.hasNamed(error)) way = "single";
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

  async checkpoint(job: string): Promise<Buffer | undefined> {
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
    const { job, fence, origin, checkpoint = null, durable = true } = write;
    // Commits are in the log in their order: a later one that is waited for brings this one to the disk too.
    const waits = durable ? "" : "SET LOCAL synchronous_commit = off; ";
    const [role] = await session.query(
      `BEGIN; ${waits}SELECT current_setting('session_replication_role') AS role`,
    );
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
      if (deletes.length > 0) await this.#writer.delete(session, shape, deletes);
      if (rows.length > 0) await this.#writer.put(session, shape, rows, way);
    }
    for (const [shape, rows] of copied) {
      if (way === "single") for (const row of rowsOf(rows)) await this.#writer.upsert(session, shape, [row]);
      else await this.#writer.add(session, shape, rows, way);
    }
    await session.query("COMMIT");
  }

  #note(session: Session, { job, checkpoint, durable = true }: TargetWrite): void {
    if (durable) {
      // A commit that waited has brought all before it to the disk, of every job. Of another connection nobody knows.
      for (const [other, last] of this.#unsure)
        if (other === job || last.session === session) this.#unsure.delete(other);
    } else
      this.#unsure.set(job, {
        session,
        checkpoint: checkpoint === undefined ? undefined : Buffer.from(checkpoint),
      });
  }

  /** A connection may end because the server crashed, which takes back what was not on the disk: nothing may be written upon that. */
  async #requireKept(
    session: Session,
    { job, changes, rows, packed, checkpoint }: TargetWrite,
  ): Promise<void> {
    const last = this.#unsure.get(job);
    if (last === undefined || last.session === session) return;
    const claims = changes.length + rows.length === 0 && packed === undefined && checkpoint === undefined;
    if (claims) {
      // Who claims the job reads its checkpoint after that.
      this.#unsure.delete(job);
      return;
    }
    const kept = await this.checkpoint(job);
    if (last.checkpoint !== undefined && kept?.equals(last.checkpoint) === true) return;
    this.#unsure.delete(job);
    throw new CutoverError("CUTOVER_DATA_UNAVAILABLE", {
      message: `expected what job "${job}" wrote last to be there when the connection came back, found an earlier moment: the server must have crashed`,
      place: this.#options.store,
      details: { job },
      remedy: "resume the move: it goes on from the checkpoint that is there",
    });
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
