import { type Statement } from "../sql/program.ts";
import type { PgClient, PgDriver, PgNotification } from "./driver.ts";
import { refuseSharing } from "./pooler.ts";
import { newClient, Session, type SessionOptions } from "./session.ts";

export type Role = "write" | "read" | "listen";

/** A transaction whose process stands still (stopped, or its event loop blocked) holds the chain this long at most. */
const idleMs = 2_000;
/** How long a transaction waits for the chain, and a statement for its end. */
const lockMs = 10_000;
const statementMs = 60_000;

/**
 * Tables change their size faster than statistics are gathered: a plan made for an empty table would be kept for a full
 * one. Everything that is asked has an index, so plans without one are ruled out.
 */
const indexesOnly = {
  enable_seqscan: "'off'",
  enable_bitmapscan: "'off'",
  enable_hashjoin: "'off'",
  enable_mergejoin: "'off'",
  plan_cache_mode: "'force_generic_plan'",
};
/**
 * Whoever waited for the end of the chain sees what was committed meanwhile. Isolated more, as a database or a role may be
 * set to be, each would be taken back for the sake of the others.
 */
const isolation = { default_transaction_isolation: "'read committed'" };
const settings: Readonly<Record<Role, Readonly<Record<string, string>>>> = {
  write: {
    idle_in_transaction_session_timeout: `'${idleMs}'`,
    lock_timeout: `'${lockMs}'`,
    statement_timeout: `'${statementMs}'`,
    // A primary may be set to be read only where nobody asks for more. A standby takes no writes all the same.
    default_transaction_read_only: "'off'",
    // Acknowledged is durable, whatever the database's own setting.
    synchronous_commit: "CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' END",
    ...isolation,
    ...indexesOnly,
  },
  read: { statement_timeout: `'${statementMs}'`, ...isolation, ...indexesOnly },
  listen: {},
};

/** Opens the connections of one store. */
export class Connections {
  readonly #driver: PgDriver;
  readonly #options: Omit<SessionOptions, "settings" | "answerMs">;

  constructor(driver: PgDriver, options: Omit<SessionOptions, "settings" | "answerMs">) {
    this.#driver = driver;
    this.#options = options;
  }

  async open(
    role: Role,
    hooks: { readonly lost?: () => void; readonly notified?: (message: PgNotification) => void } = {},
  ): Promise<Session> {
    const name = `${this.#options.name} ${role}`;
    const limits = { settings: settings[role], answerMs: statementMs + lockMs };
    const options = { ...this.#options, ...limits, name };
    const openOther = async (): Promise<PgClient> => {
      const other = newClient(this.#driver, { ...options, name: `${this.#options.name} probe` });
      other.on("error", () => {});
      await other.connect();
      return other;
    };
    const relayed = (client: PgClient): Promise<void> =>
      refuseSharing(client, name, openOther, this.#options.timers);
    return await Session.open(this.#driver, options, {
      ...hooks,
      ...(role === "write" ? { relayed } : {}),
    });
  }

  /** Ends what an earlier writing connection of this store left open on the server, with its locks. */
  get endOthers(): Statement {
    return {
      sql: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = $1 AND usename = current_user AND pid <> pg_backend_pid()`,
      values: [`${this.#options.name} write`],
      wants: "rows",
    };
  }
}
