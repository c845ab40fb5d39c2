import { type Clock, CutoverError, systemClock } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import { type PostgresAddress, readAddress } from "../connectors/postgres/address.ts";
import { ownSchema } from "../connectors/postgres/catalog.ts";
import { loadDriver, type PgDriver, type PgStream } from "../connectors/postgres/driver.ts";
import { makeLock } from "../connectors/postgres/epoch-guard.ts";
import { dataError, isGone, stateOf } from "../connectors/postgres/postgres-error.ts";
import { Session } from "../connectors/postgres/session.ts";
import type { Decision } from "./decision-file.ts";
import { idle } from "./idle-wait.ts";
import type { Standing, Switch } from "./switch.ts";
import { checkStanding, firstStanding, isDecision } from "./turn-law.ts";

export interface PostgresSwitchOptions {
  /** Tells several switches in one database apart. Default `"data"`. */
  readonly name?: string;
  /** Makes schema and table when they are not there. Default false, as for `fileSwitch`. */
  readonly create?: boolean;
  /** Who decides, for the record of a turn. Default: it is not said. */
  readonly by?: string;
  readonly clock?: Clock;
}

const table = `${ownSchema}.switch`;
const connectMs = 5_000;
/** A follower asks so often; who was refused by a fence asks at once. */
const pollMs = 100;

/** Several turns of one switch come one after the other, whoever may write the table. */
const turnLock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 7308895139))";

/** A socket may keep its process alive. */
interface Keeping {
  ref?(): unknown;
  unref?(): unknown;
}

/** A switch in a table; see `postgresSwitch`. */
export class PostgresSwitch implements Switch, AsyncDisposable {
  readonly name: string;
  readonly #driver: PgDriver;
  readonly #address: PostgresAddress;
  readonly #key: string;
  readonly #by: string | undefined;
  readonly #create: boolean;
  readonly #clock: Clock;
  #session: Session | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  /** By `postgresSwitch`, which loads the driver. */
  constructor(driver: PgDriver, address: PostgresAddress, options: PostgresSwitchOptions) {
    const { name = "data", create = false, by, clock = systemClock } = options;
    this.#driver = driver;
    this.#address = address;
    this.#key = name;
    this.#create = create;
    this.#by = by;
    this.#clock = clock;
    this.name = `switch:${address.name}#${name}`;
  }

  read(): Promise<Standing> {
    return this.#use((session) => this.#standing(session));
  }

  /** Every decision, the first one first. */
  history(): Promise<readonly Decision[]> {
    return this.#use(async (session) => {
      const rows = await session.query(
        `SELECT side, epoch::text AS told, (extract(epoch FROM at) * 1000)::int8::text AS at, by FROM ${table} WHERE name = $1 ORDER BY epoch`,
        [this.#key],
      );
      return rows.map(({ side, told, at, by }) => ({
        side: side as Standing["side"],
        epoch: Number(told),
        at: Number(at),
        ...(by === null || by === undefined ? {} : { by }),
      }));
    });
  }

  async turn(to: Standing): Promise<void> {
    checkStanding(to, this.name);
    await this.#use(async (session) => {
      await session.query("BEGIN");
      try {
        // The session's own setting waits for no standby; a decision that is lost with the server would be taken twice.
        await session.query("SET LOCAL synchronous_commit = on");
        await session.query(turnLock, [this.#key]);
        if (isDecision(await this.#standing(session), to, this.name))
          await session.query(`INSERT INTO ${table} (name, epoch, side, by) VALUES ($1, $2, $3, $4)`, [
            this.#key,
            String(to.epoch),
            to.side,
            this.#by ?? null,
          ]);
        await session.query("COMMIT");
      } catch (error) {
        if (session.lost === undefined) await session.query("ROLLBACK");
        throw error;
      }
    });
  }

  async *follow(options: { readonly signal: AbortSignal }): AsyncGenerator<Standing, void, void> {
    const { signal, ...unknown } = options;
    refuseOptions("follow", unknown);
    for (let told: Standing | undefined; !signal.aborted;) {
      const standing = await this.read();
      if (standing.epoch !== told?.epoch) yield (told = standing);
      else await idle(this.#clock, pollMs, signal);
    }
  }

  /** Ends the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#last.catch(() => {});
    await this.#session?.end();
  }

  async #standing(session: Session): Promise<Standing> {
    const [row] = await session.query(
      `SELECT side, epoch::text AS told FROM ${table} WHERE name = $1 ORDER BY epoch DESC LIMIT 1`,
      [this.#key],
    );
    return row === undefined
      ? firstStanding
      : { side: row["side"] as Standing["side"], epoch: Number(row["told"]) };
  }

  /** One caller at a time: a transaction is nobody else's. Asked again once on a new connection: all calls may be. */
  async #use<T>(body: (session: Session) => Promise<T>): Promise<T> {
    const once = async (): Promise<T> => {
      const session = await this.#connected();
      const stream = session.connection.stream as PgStream & Keeping;
      stream.ref?.();
      try {
        return await body(session);
      } finally {
        // Between calls it keeps no process alive, as a file would not.
        stream.unref?.();
      }
    };
    const run = this.#last.then(() =>
      once().catch((error: unknown) => (isGone(error) ? once() : Promise.reject(error))),
    );
    this.#last = run.catch(() => {});
    try {
      return await run;
    } catch (error) {
      throw this.#told(error);
    }
  }

  async #connected(): Promise<Session> {
    if (this.#closed)
      throw new CutoverError("CUTOVER_DATA_CLOSED", {
        message: "expected an open switch, found one that was closed",
        place: this.name,
      });
    if (this.#session !== undefined && this.#session.lost === undefined) return this.#session;
    const session = await Session.open(this.#driver, {
      url: this.#address.url,
      name: "cutover switch",
      connectMs,
    });
    try {
      if (this.#create)
        await session.query(
          `BEGIN; ${makeLock}; CREATE SCHEMA IF NOT EXISTS ${ownSchema};
          CREATE TABLE IF NOT EXISTS ${table} (name text NOT NULL, epoch int8 NOT NULL CHECK (epoch > 0),
            side text NOT NULL CHECK (side IN ('old', 'new')), at timestamptz NOT NULL DEFAULT clock_timestamp(), by text,
            PRIMARY KEY (name, epoch)); COMMIT`,
        );
    } catch (error) {
      await session.end();
      throw error;
    }
    this.#session = session;
    return session;
  }

  #told(error: unknown): CutoverError {
    const state = stateOf(error);
    if (state === "42P01" || state === "3F000")
      return new CutoverError("CUTOVER_DATA_MISSING", {
        message: `expected the table ${table} of a switch, found none`,
        place: this.name,
        remedy: "name the database the migration's switch is in; whoever is to make it says `create: true`",
        cause: error,
      });
    if (state === "42501")
      return new CutoverError("CUTOVER_DATA_DENIED", {
        message: `expected the right to read and turn the switch, found: ${(error as Error).message}`,
        place: this.name,
        remedy: `GRANT USAGE ON SCHEMA ${ownSchema} and GRANT SELECT, INSERT ON ${table} to those who follow it`,
        cause: error,
      });
    return dataError(error, this.name);
  }
}

/**
 * A switch in a table of a PostgreSQL database (`cutover_data.switch`), for a migration and applications on several machines:
 * one row a decision, which stays as history. Any database that all of them reach will do; those of the move as well. A
 * turn is heard of within 100 ms, and at once by who is refused by a fence. Uses the package `pg` and one connection.
 * @param address `postgres://USER:PASSWORD@HOST:PORT/DATABASE`
 * @throws CUTOVER_DATA_ADDRESS, CUTOVER_DRIVER_MISSING; its calls: CUTOVER_DATA_MISSING, CUTOVER_DATA_DENIED,
 * CUTOVER_DATA_UNAVAILABLE
 *
 * @example
 * await using kept = await postgresSwitch("postgres://app@db/shop", { by: "orders, pod 7" });
 * await using orders = await followSwitch(kept);
 */
export async function postgresSwitch(
  address: string,
  options: PostgresSwitchOptions = {},
): Promise<PostgresSwitch> {
  const { name = "data", create, by, clock, ...unknown } = options;
  refuseOptions("postgresSwitch", unknown);
  if (typeof name !== "string" || name.trim() === "" || name.length > 100)
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: `expected a name of 1 to 100 characters, found ${JSON.stringify(name) ?? "nothing"}`,
      place: "postgresSwitch: name",
    });
  const read = readAddress(address);
  return new PostgresSwitch(await loadDriver(), read, {
    name,
    ...(create === undefined ? {} : { create }),
    ...(by === undefined ? {} : { by }),
    ...(clock === undefined ? {} : { clock }),
  });
}
