import type { Clock, Timer } from "../../core/index.ts";
import type { Answer, Statement } from "../sql/program.ts";
import {
  numbersAsNumbers,
  type PgClient,
  type PgDriver,
  type PgNotification,
  type PgResult,
} from "./driver.ts";
import { PreparedStatements } from "./prepared-statements.ts";
import { preparedText } from "./statement-text.ts";
import { type TripClass, tripClass } from "./trip.ts";

export interface SessionOptions {
  readonly url: string;
  readonly schema: string;
  /** Shown in `pg_stat_activity`. */
  readonly name: string;
  /** How long connecting, and one answer, may take, milliseconds. */
  readonly connectMs: number;
  readonly answerMs: number;
  /** Local time, for these limits. */
  readonly timers: Clock;
  /** Further settings, `name` to the value as an SQL expression; where that is null it stays as it is. */
  readonly settings: Readonly<Record<string, string>>;
}

/** How long a server may take to let a connection go. */
const goodbyeMs = 2_000;

/** What became of one statement of a row of them. */
export type Settled =
  | { readonly ok: true; readonly answer: Answer; readonly command: string }
  | { readonly ok: false; readonly error: Error };

/** One connection. Statements sent together go out in one packet and are answered in one. */
export class Session {
  readonly #client: PgClient;
  /** Undefined when the driver waits for each answer. */
  readonly #Trip: TripClass | undefined;
  readonly #options: SessionOptions;
  readonly #prepared: PreparedStatements;
  #lost: Error | undefined;
  #ending = false;
  #busy = 0;

  private constructor(client: PgClient, trip: TripClass | undefined, options: SessionOptions) {
    this.#client = client;
    this.#Trip = client.pipeline === true ? trip : undefined;
    this.#options = options;
    this.#prepared = new PreparedStatements(options.schema);
  }

  /** @throws what the driver throws */
  static async open(
    driver: PgDriver,
    options: SessionOptions,
    hooks: {
      readonly lost?: (error: Error) => void;
      readonly notified?: (message: PgNotification) => void;
      /**
       * Where something stands between: the server's process is another one than that which let the client in. Nothing is set
       * before it resolves.
       */
      readonly relayed?: (client: PgClient) => Promise<void>;
    } = {},
  ): Promise<Session> {
    const client = newClient(driver, options);
    const session = new Session(client, tripClass(driver), options);
    client.on("error", (error) => {
      if (session.#lost !== undefined || session.#ending) return;
      session.#lost = error;
      hooks.lost?.(error);
    });
    if (hooks.notified !== undefined) client.on("notification", hooks.notified);
    try {
      await client.connect();
    } catch (error) {
      session.#ending = true;
      // The server may still be waiting for an answer, a password for instance.
      client.connection?.stream?.destroy();
      throw error;
    }
    try {
      await session.#answered(options.connectMs, async () => {
        const { relayed } = hooks;
        const pid = relayed === undefined ? null : (client.processID ?? null);
        if (countOf(await client.query(setUp(options, pid))) > 0 || relayed === undefined) return;
        await relayed(client);
        await client.query(setUp(options, null));
      });
    } catch (error) {
      await session.end();
      throw error;
    }
    return session;
  }

  /** Whether statements go out without waiting for the answers to those before. */
  get pipelined(): boolean {
    return this.#Trip !== undefined;
  }

  /** Statements under way. */
  get busy(): number {
    return this.#busy;
  }

  get lost(): Error | undefined {
    return this.#lost;
  }

  /**
   * Sends statements in one go. Resolves when all are settled; after one that failed the server skips the others.
   * Where it is `pipelined` they are one transaction, unless one of them begins or ends one.
   * @param answerMs how long the answer may take; 0: for ever
   */
  settle(
    statements: readonly Statement[],
    answerMs: number = this.#options.answerMs,
  ): Promise<readonly Settled[]> {
    return this.#answered(answerMs, async () => {
      if (this.#Trip !== undefined) return await this.#sendAll(this.#Trip, statements);
      const settled: Settled[] = [];
      for (const statement of statements) settled.push(await this.#sendOne(statement));
      return settled;
    });
  }

  /** Like `settle`, and throws the first error. */
  async send(statements: readonly Statement[]): Promise<readonly Answer[]> {
    return answersOf(await this.settle(statements));
  }

  /** Runs statements without values, several at once allowed. @param answerMs as in `settle` */
  async script(sql: string, answerMs: number = this.#options.answerMs): Promise<void> {
    await this.#answered(answerMs, () => this.#client.query(sql));
  }

  /** Ends the connection at once; what is under way fails. */
  destroy(reason: string): void {
    this.#lost ??= new Error(reason);
    this.#client.connection?.stream?.destroy(this.#lost);
  }

  /** Ends it politely, waiting for what is under way. */
  async end(): Promise<void> {
    this.#ending = true;
    if (this.#lost !== undefined) return this.destroy("ended");
    let deadline: Timer | undefined;
    const arm = (): void => {
      deadline = this.#options.timers.after(goodbyeMs, () => {
        // What is under way has a deadline of its own.
        if (this.#busy > 0) arm();
        else this.destroy("the server did not answer a goodbye");
      });
      deadline.unref();
    };
    arm();
    // A server that has just gone needs no goodbye.
    await this.#client.end().catch(() => {});
    deadline?.cancel();
  }

  /** A server that does not answer in time loses the connection. */
  async #answered<T>(ms: number, ask: () => Promise<T>): Promise<T> {
    this.#busy++;
    const late = (): void => this.destroy(`the server did not answer within ${ms} ms`);
    const deadline = ms === 0 ? undefined : this.#options.timers.after(ms, late);
    deadline?.unref();
    try {
      return await ask();
    } finally {
      deadline?.cancel();
      this.#busy--;
    }
  }

  #sendAll(Trip: TripClass, statements: readonly Statement[]): Promise<readonly Settled[]> {
    const { promise, resolve } = Promise.withResolvers<readonly Settled[]>();
    const done = (settled: readonly Settled[]): void => {
      const lost = this.#lost;
      resolve(
        lost === undefined ? settled : settled.map((one) => (one.ok ? one : { ok: false, error: lost })),
      );
    };
    this.#client.query(new Trip({ statements, prepared: this.#prepared, done }));
    return promise;
  }

  #sendOne({ sql, values, wants }: Statement): Promise<Settled> {
    const { text, name } = preparedText(sql, this.#options.schema);
    return new Promise((resolve) => {
      this.#client.query(
        {
          text,
          values,
          ...(name === undefined ? {} : { name }),
          ...(wants === "arrays" ? { rowMode: "array" as const } : {}),
        },
        (error, result) =>
          resolve(error === null ? settledOf(result) : { ok: false, error: this.#lost ?? error }),
      );
    });
  }
}

export const newClient = (driver: PgDriver, options: SessionOptions): PgClient =>
  new driver.Client({
    connectionString: options.url,
    application_name: options.name,
    connectionTimeoutMillis: options.connectMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    pipeline: true,
    types: numbersAsNumbers,
  });

/** A statement without values, of which only the end is of interest. */
export const plain = (sql: string): Statement => ({ sql, values: [], wants: "count" });

/** Whatever state the transaction is in, it ends; when even that fails the connection is of no more use. */
export async function rollBack(session: Session): Promise<void> {
  if (session.lost !== undefined) return;
  const [ended] = await session.settle([plain("ROLLBACK")]);
  if (ended?.ok !== true) session.destroy("the transaction could not be rolled back");
}

/** The answers, or the first error thrown. */
export function answersOf(settled: readonly Settled[]): readonly Answer[] {
  return settled.map((one) => {
    if (!one.ok) throw one.error;
    return one.answer;
  });
}

function settledOf({ rows, rowCount, command }: PgResult): Settled {
  return { ok: true, answer: { rows, count: rowCount ?? 0 }, command };
}

/** @param pid nothing is set where this is not the server's process; null: whatever it is */
function setUp({ schema, settings }: SessionOptions, pid: number | null): string {
  const given = Object.entries({ search_path: `'"${schema}"'`, jit: "'off'", ...settings });
  const rows = given.map(([name, value]) => `('${name}', ${value})`).join(", ");
  const own = pid === null ? "true" : `pg_backend_pid() = ${pid}`;
  return `SELECT set_config(name, value, false) FROM (VALUES ${rows}) AS given (name, value)
    WHERE value IS NOT NULL AND ${own}`;
}

const countOf = (answer: unknown): number => (answer as PgResult).rows.length;
