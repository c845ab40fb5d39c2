import { type Clock, CutoverError, sleep } from "../../../core/index.ts";
import { isLate } from "../../capture-refusals.ts";
import { ownSchema } from "./catalog.ts";
import { stateOf } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import { literal, quoted, type Shape, tableName } from "./shape.ts";

const guard = "cutover_epoch_guard";

/**
 * How long the lock is waited for. Shorter than a second, after which PostgreSQL looks for deadlocks: a transaction of the
 * application that waits for us in a ring is never the one that is ended. Later also longer, as an autovacuum only then gives way.
 */
const tries: readonly number[] = [100, 200, 400, 800];
const longTry = 2_500;
const liftMs = 60_000;

/** docs/decisions/0020-fence-by-lock-and-trigger.md */
const functionSql = `CREATE SCHEMA IF NOT EXISTS ${ownSchema};
  GRANT USAGE ON SCHEMA ${ownSchema} TO PUBLIC;
  CREATE OR REPLACE FUNCTION ${ownSchema}.refuse_older_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
  DECLARE
    epoch text := coalesce(nullif(current_setting('cutover.epoch', true), ''), '0');
  BEGIN
    IF epoch = 'move' OR (epoch ~ '^[0-9]{1,16}$' AND epoch::int8 >= TG_ARGV[0]::int8) THEN
      RETURN NULL;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'CUF01', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('expected a writer of epoch %s or later, found epoch %s: this side is no longer in charge', TG_ARGV[0], epoch),
      HINT = 'write to the side that is in charge now, or SET cutover.epoch to the epoch in charge';
  END $$`;

/** Serialises the making of what all stores of a database share. */
export const makeLock = `SELECT pg_advisory_xact_lock(7308895138)`;

/** Refuses writers of older epochs by a trigger that is there only while there is a fence. */
export class EpochGuard {
  readonly #open: () => Promise<Session>;
  readonly #clock: Clock;
  readonly #store: string;

  constructor(open: () => Promise<Session>, store: string, clock: Clock) {
    this.#open = open;
    this.#store = store;
    this.#clock = clock;
  }

  /** Resolves when no transaction that has written under an older epoch is open any more. */
  async raise(epoch: number, tables: readonly Shape[], signal: AbortSignal): Promise<void> {
    await this.#change(tables, signal, (least) => (epoch > least ? epoch : undefined));
  }

  async lower(epoch: number, tables: readonly Shape[]): Promise<void> {
    // Where nobody of this epoch is refused there is nothing to wait for: after a fence that a transaction held up for too long, that
    // transaction would hold up the lock here too.
    if (epoch < (await this.#least(tables)))
      await this.#change(tables, AbortSignal.timeout(liftMs), (least) =>
        isLate(epoch, least) ? undefined : epoch,
      );
    if (epoch > 0) return;
    const session = await this.#open();
    try {
      for (const shape of await leaves(session, tables)) await this.#remove(session, shape);
    } finally {
      await session.end();
    }
  }

  /** Removing a trigger also waits for readers, and whoever comes then waits behind it. One that refuses nobody may stay in the end. */
  async #remove(session: Session, shape: string): Promise<void> {
    for (const wait of tries) {
      try {
        await session.query(
          `BEGIN; SET LOCAL lock_timeout = ${wait}; DROP TRIGGER IF EXISTS ${guard} ON ${shape}; COMMIT`,
        );
        return;
      } catch (error) {
        const state = stateOf(error);
        if (state !== "55P03" && state !== "40P01") throw error;
        await session.query("ROLLBACK");
        await sleep(this.#clock, 2 * wait);
      }
    }
  }

  /** The least epoch that is taken now. */
  async #least(tables: readonly Shape[]): Promise<number> {
    if (tables.length === 0) return 0;
    const session = await this.#open();
    try {
      return await epochOf(session, await leaves(session, tables));
    } finally {
      await session.end();
    }
  }

  async #change(
    tables: readonly Shape[],
    signal: AbortSignal,
    next: (least: number) => number | undefined,
  ): Promise<void> {
    signal.throwIfAborted();
    if (tables.length === 0) return;
    const session = await this.#open();
    try {
      await session.query("SET deadlock_timeout = '50ms'").catch(() => {
        // Only superusers may; others find a deadlock later.
      });
      await session.query(`BEGIN; ${makeLock}; ${functionSql}; COMMIT`);
      for (let round = 0; ; round++) {
        const wait = tries[round] ?? (round % 2 === 0 ? longTry : (tries.at(-1) ?? 0));
        if (await this.#once(session, tables, signal, wait, next)) return;
        await sleep(this.#clock, 50, signal);
      }
    } finally {
      await session.end();
    }
  }

  /** False when the lock could not be had in time: those who wait behind it must not wait longer. */
  async #once(
    session: Session,
    tables: readonly Shape[],
    signal: AbortSignal,
    waitMs: number,
    next: (least: number) => number | undefined,
  ): Promise<boolean> {
    const all = await leaves(session, tables);
    try {
      // Whoever has written holds a lock that this one has to wait for, until the end of the transaction.
      await session.query(
        `BEGIN; SET LOCAL lock_timeout = ${waitMs}; LOCK TABLE ${all.map((table) => `ONLY ${table}`).join(", ")} IN SHARE ROW EXCLUSIVE MODE`,
      );
      const epoch = next(await epochOf(session, all));
      if (epoch !== undefined)
        for (const table of all)
          await session.query(
            `CREATE OR REPLACE TRIGGER ${guard} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON ${table}
              FOR EACH STATEMENT EXECUTE FUNCTION ${ownSchema}.refuse_older_epoch('${epoch}');
            ALTER TABLE ONLY ${table} ENABLE ALWAYS TRIGGER ${guard}`,
          );
      signal.throwIfAborted();
      await session.query("COMMIT");
      return true;
    } catch (error) {
      if (session.lost === undefined) await session.query("ROLLBACK").catch(() => {});
      const state = stateOf(error);
      if (signal.aborted || (state !== "55P03" && state !== "40P01")) throw error;
      return false;
    }
  }

  check(epoch: number): void {
    if (Number.isSafeInteger(epoch) && epoch >= 0) return;
    throw new CutoverError("CUTOVER_DATA_FENCED", {
      message: `expected an epoch that is a whole number from 0 on, found ${epoch}`,
      place: this.#store,
    });
  }
}

/** Tables and their partitions: a statement may name either. */
async function leaves(session: Session, tables: readonly Shape[]): Promise<readonly string[]> {
  const plain = tables.filter(({ partitioned }) => !partitioned).map(tableName);
  const parents = tables.filter(({ partitioned }) => partitioned);
  if (parents.length === 0) return plain;
  const found = await session.query(
    `SELECT n.nspname AS schema, c.relname AS name FROM unnest($1::int8[]) AS t(oid), pg_partition_tree(t.oid::oid::regclass) p
      JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace ORDER BY c.oid`,
    [parents.map(({ oid }) => oid)],
  );
  return [...plain, ...found.map(({ schema, name }) => `${quoted(schema ?? "")}.${quoted(name ?? "")}`)];
}

/** The least epoch that is taken, as it stands in the triggers. */
async function epochOf(session: Session, tables: readonly string[]): Promise<number> {
  const [row] = await session.query(
    `SELECT max(convert_from(substring(tgargs FOR octet_length(tgargs) - 1), 'UTF8')::int8)::text AS epoch FROM pg_trigger
      WHERE tgname = '${guard}' AND tgrelid = ANY(ARRAY[${tables.map((table) => `${literal(table)}::regclass`).join(", ")}])`,
  );
  return Number(row?.["epoch"] ?? 0);
}
