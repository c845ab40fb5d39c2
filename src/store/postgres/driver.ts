import { asError, CutoverError } from "../../core/index.ts";

/**
 * What is used of the package `pg`, an optional peer: typed here by its shape, so that nobody needs its declarations
 * and a program without PostgreSQL needs no `pg`.
 */
export interface PgDriver {
  readonly Client: new (options: PgOptions) => PgClient;
  /** What is asked; what extends it may be handed to a client. */
  readonly Query?: new (text: string) => object;
}

/** What a connection of the driver sends. */
export interface PgParts {
  readonly stream?: { cork?(): void; uncork?(): void; destroy(error?: Error): unknown };
  parse(statement: { readonly text: string; readonly name: string }): void;
  bind(values: { readonly statement: string; readonly values: readonly (string | Buffer | null)[] }): void;
  describe(what: { readonly type: "P" }): void;
  execute(portal: object): void;
  sync(): void;
}

/** What the driver hands on of the server's answers. */
export interface PgMessages {
  readonly rowDescription: {
    readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  };
  readonly dataRow: { readonly fields: readonly (string | null)[] };
  readonly commandComplete: { readonly text: string };
}

export interface PgOptions {
  readonly connectionString: string;
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelayMillis: number;
  /** Statements are sent without waiting for the answers before; versions before 8.23 do not know it. */
  readonly pipeline: boolean;
  readonly types: { getTypeParser(oid: number, format?: string): (text: string) => unknown };
}

export interface PgQuery {
  readonly text: string;
  readonly name?: string;
  readonly values?: readonly unknown[];
  readonly rowMode?: "array";
}

export interface PgResult {
  readonly command: string;
  readonly rowCount: number | null;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

export interface PgNotification {
  readonly channel: string;
  readonly payload?: string;
}

export interface PgClient {
  /** True where pipelining is known. */
  readonly pipeline?: boolean;
  readonly connection?: Pick<PgParts, "stream">;
  /** Of the server's process, as the answer to the login named it. */
  readonly processID?: number | null;
  connect(): Promise<unknown>;
  query(query: PgQuery, callback: (error: Error | null, result: PgResult) => void): void;
  query(text: string): Promise<unknown>;
  /** One of a class that extends that of the driver's queries. */
  query(query: object): unknown;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "notification", listener: (message: PgNotification) => void): unknown;
}

/** @throws CUTOVER_DRIVER_MISSING when the package is not installed */
export async function loadDriver(
  load: () => Promise<unknown> = () => import("pg" as string),
): Promise<PgDriver> {
  try {
    const loaded = (await load()) as Partial<PgDriver> & { readonly default?: PgDriver };
    return loaded.default ?? (loaded as PgDriver);
  } catch (error) {
    throw new CutoverError("CUTOVER_DRIVER_MISSING", {
      message: `expected the package "pg" for a PostgreSQL store, found: ${asError(error).message.split("\n")[0]}`,
      remedy: "run `npm install pg` in the project that uses Cutover",
      details: { package: "pg" },
      cause: error,
    });
  }
}

const numbers: ReadonlySet<number> = new Set([20, 21, 23, 26, 700, 701, 1700]);

/** Whether values of this type are numbers, of whatever kind. */
export const isNumeric = (oid: number): boolean => numbers.has(oid);

/** Numbers of every kind are numbers (times and counts stay far below 2⁵³), all else is the text the server sent. */
export const numbersAsNumbers: PgOptions["types"] = {
  getTypeParser: (oid) => (isNumeric(oid) ? Number : (text: string) => text),
};
