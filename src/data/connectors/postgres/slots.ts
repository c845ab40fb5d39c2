import { createHash } from "node:crypto";
import { type Clock, CutoverError, formatDuration, sleep } from "../../../core/index.ts";
import { lsnOf, lsnText } from "./lsn.ts";
import { stateOf } from "./postgres-error.ts";
import type { Session } from "./session.ts";
import { type Shape, tableName } from "./shape.ts";

/** How long a slot may still be in use by a connection that was just ended. */
const busyMs = 10_000;
/** A slot begins when the transactions that were open have ended: how long that may take. */
const openMs = 600_000;
/** Said of a publication once its slot was made, with where that was: without it, a slot that is not there never was. */
const made = "cutover captured from ";

/** Slots belong to the whole server and take few letters, so that the name tells the database and the slot by a hash. */
export function slotName(database: string, slot: string): string {
  const hash = createHash("sha256").update(`${database}\0${slot}`).digest("hex").slice(0, 16);
  const shown = slot
    .toLowerCase()
    .replaceAll(/[^a-z0-9_]/g, "_")
    .slice(0, 32);
  return `cutover_${hash}_${shown}`;
}

export interface SlotState {
  /** What lies before was acknowledged. */
  readonly confirmed: bigint;
  /** Where the capture began: nothing before is the slot's. */
  readonly began: bigint;
  /** Bytes of log kept for it. */
  readonly retained: number;
  readonly active: boolean;
}

export class Slots {
  readonly #control: () => Promise<Session>;
  readonly #clock: Clock;
  readonly #store: string;
  readonly #openMs: number;

  constructor(control: () => Promise<Session>, store: string, clock: Clock, waitsMs: number = openMs) {
    this.#openMs = waitsMs;
    this.#control = control;
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * @throws CUTOVER_DATA_NO_CAPTURE when the server keeps no logical log or a transaction stays open, CUTOVER_DATA_SLOT_LOST, CUTOVER_DATA_SCHEMA_CHANGED when a
   * table has been made since
   */
  async capture(slot: string, tables: readonly Shape[]): Promise<bigint> {
    const control = await this.#control();
    const name = await this.name(slot);
    const [publication] = await control.query(
      `SELECT obj_description(oid, 'pg_publication') AS made FROM pg_publication WHERE pubname = $1`,
      [name],
    );
    const state = await this.find(slot);
    if (state !== undefined) {
      if (publication === undefined) throw this.lost(slot, "its publication was removed");
      await this.#checkTables(control, name, tables);
      return state.confirmed;
    }
    if (publication?.["made"]?.startsWith(made) === true) throw this.lost(slot, "the slot was dropped");
    await this.#checkServer(control);
    if (tables.length === 0)
      throw new CutoverError("CUTOVER_DATA_COLLECTION", {
        message: "expected at least one table that can be moved, found none",
        place: this.#store,
      });
    // The publication first: from its first record on the slot reads with it.
    await control.query(
      `DROP PUBLICATION IF EXISTS ${name}; CREATE PUBLICATION ${name} FOR TABLE ${tables.map((shape) => (shape.partitioned ? "" : "ONLY ") + tableName(shape)).join(", ")}
        WITH (publish_via_partition_root = true)`,
    );
    const lsn = await this.#create(control, name);
    await control.query(`COMMENT ON PUBLICATION ${name} IS '${made}${lsn}'`);
    return lsnOf(lsn);
  }

  async #create(control: Session, name: string): Promise<string> {
    try {
      await control.query(`SET statement_timeout = ${this.#openMs}`);
      const [created] = await control.query(
        `SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')`,
        [name],
      );
      return created?.["lsn"] ?? "0/0";
    } catch (error) {
      if (stateOf(error) !== "57014") throw error;
      const [oldest] = await control.query(
        `SELECT pid::text, coalesce(nullif(application_name, ''), usename, 'unknown') AS who, xact_start::text AS since FROM pg_stat_activity
          WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1`,
      );
      throw new CutoverError("CUTOVER_DATA_NO_CAPTURE", {
        message: `expected the transactions that are open on the server to end within ${formatDuration(this.#openMs)}, found ${oldest === undefined ? "that they did not" : `one of "${oldest["who"]}" (process ${oldest["pid"]}), open since ${oldest["since"]}`}`,
        place: this.#store,
        remedy:
          "end it, or begin when it has ended: a log can only be kept from a moment on when nothing is open",
        cause: error,
      });
    } finally {
      if (control.lost === undefined) await control.query("SET statement_timeout = 0");
    }
  }

  /** @throws CUTOVER_DATA_SLOT_LOST when there is no such slot, or what it kept is gone */
  async known(slot: string): Promise<SlotState> {
    const state = await this.find(slot);
    if (state === undefined) throw this.lost(slot, "there is no slot of this name");
    return state;
  }

  async find(slot: string): Promise<SlotState | undefined> {
    const control = await this.#control();
    const [row] = await control.query(
      `SELECT confirmed_flush_lsn::text AS confirmed, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::text AS retained,
        active, wal_status, (SELECT obj_description(p.oid, 'pg_publication') FROM pg_publication p WHERE p.pubname = slot_name) AS made
        FROM pg_replication_slots WHERE slot_name = $1`,
      [await this.name(slot)],
    );
    if (row === undefined) return undefined;
    const { confirmed, retained, active, made: said, wal_status: status } = row;
    if (status === "lost" || confirmed === null || confirmed === undefined)
      throw this.lost(slot, "the server has removed the log it needs (max_slot_wal_keep_size)");
    const began = said?.startsWith(made) === true ? lsnOf(said.slice(made.length)) : 0n;
    return { began, confirmed: lsnOf(confirmed), retained: Number(retained ?? 0), active: active === "t" };
  }

  /** While nobody follows the slot. */
  async advance(slot: string, lsn: bigint): Promise<void> {
    const state = await this.find(slot);
    if (state === undefined || state.confirmed >= lsn) return;
    const control = await this.#control();
    const name = await this.name(slot);
    await this.#whileBusy(() =>
      control.query("SELECT pg_replication_slot_advance($1, $2::pg_lsn)", [name, lsnText(lsn)]),
    );
  }

  async release(slot: string): Promise<void> {
    const control = await this.#control();
    const name = await this.name(slot);
    await this.#whileBusy(
      () =>
        control.query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()",
          [name],
        ),
      // Somebody follows it still: what is released has no followers.
      () =>
        control.query(
          "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1",
          [name],
        ),
    );
    await control.query(`DROP PUBLICATION IF EXISTS ${name}`);
  }

  /** Of slot and publication. */
  async name(slot: string): Promise<string> {
    const control = await this.#control();
    const [row] = await control.query("SELECT current_database() AS name");
    return slotName(row?.["name"] ?? "", slot);
  }

  lost(slot: string, found: string): CutoverError {
    return new CutoverError("CUTOVER_DATA_SLOT_LOST", {
      message: `expected the changes kept for slot "${slot}", found: ${found}`,
      place: this.#store,
      details: { slot },
    });
  }

  async #checkServer(control: Session): Promise<void> {
    const [row] = await control.query(
      `SELECT current_setting('wal_level') AS level, pg_is_in_recovery() AS standby, current_setting('server_version_num') AS version,
        current_setting('server_version') AS shown`,
    );
    const found =
      Number(row?.["version"]) < 140_000
        ? `PostgreSQL ${row?.["shown"]}`
        : row?.["standby"] === "t"
          ? "a standby"
          : row?.["level"] === "logical"
            ? undefined
            : `wal_level = ${row?.["level"]}`;
    if (found === undefined) return;
    throw new CutoverError("CUTOVER_DATA_NO_CAPTURE", {
      message: `expected a primary of PostgreSQL 14 or later with wal_level = logical, found ${found}`,
      place: this.#store,
      remedy:
        "set wal_level = logical in postgresql.conf and restart the server, or move while nobody writes",
    });
  }

  async #checkTables(control: Session, name: string, tables: readonly Shape[]): Promise<void> {
    const published = await control.query(
      "SELECT schemaname AS schema, tablename AS name FROM pg_publication_tables WHERE pubname = $1",
      [name],
    );
    const known = new Set(published.map((row) => `${row["schema"]}\0${row["name"]}`));
    const missing = tables.find(({ schema, table }) => !known.has(`${schema}\0${table}`));
    if (missing === undefined) return;
    throw new CutoverError("CUTOVER_DATA_SCHEMA_CHANGED", {
      message: `expected the tables that were there when the capture began, found another one: "${missing.collection.name}"`,
      place: this.#store,
      details: { collection: missing.collection.name },
    });
  }

  async #whileBusy(
    body: () => Promise<unknown>,
    again: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    const until = this.#clock.monotonic() + busyMs;
    for (let wait = 10; ; wait = Math.min(wait * 2, 200)) {
      try {
        await body();
        return;
      } catch (error) {
        if (stateOf(error) !== "55006" || this.#clock.monotonic() > until) throw error;
        if (wait >= 80) await again();
        await sleep(this.#clock, wait);
      }
    }
  }
}
