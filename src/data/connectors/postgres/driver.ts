import { asError, CutoverError } from "../../../core/index.ts";

/** What is used of the package `pg`, an optional peer: typed by its shape, so that nobody needs its declarations. */
export interface PgDriver {
  readonly Client: new (options: PgOptions) => PgClient;
}

export interface PgOptions {
  readonly connectionString: string;
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  readonly keepAlive: boolean;
  readonly replication?: "database";
  readonly types: { getTypeParser(): (text: string) => string };
}

export interface PgResult {
  readonly rowCount: number | null;
  /** Values are the text that the server sent. */
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}

/** Where messages come in and go out: the socket of a connection. */
export interface PgStream {
  readonly destroyed: boolean;
  write(bytes: Uint8Array): boolean;
  on(event: "data", listener: (chunk: Buffer) => void): unknown;
  off(event: "data", listener: (chunk: Buffer) => void): unknown;
  once(event: "drain" | "close", listener: () => void): unknown;
  off(event: "drain" | "close", listener: () => void): unknown;
  listeners(event: "data"): readonly unknown[];
  pause(): unknown;
  resume(): unknown;
  destroy(error?: Error): unknown;
}

export interface PgConnection {
  readonly stream: PgStream;
  query(text: string): void;
}

/** A query that speaks the protocol itself; the client hands it the connection when its turn comes. */
export interface PgSubmittable {
  submit(connection: PgConnection): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
  handleCommandComplete(): void;
  handleCopyInResponse(connection: PgConnection): void;
}

export interface PgClient {
  readonly connection: PgConnection;
  connect(): Promise<unknown>;
  query(text: string, values?: readonly unknown[]): Promise<PgResult | readonly PgResult[]>;
  query(submittable: PgSubmittable): unknown;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
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
      message: `expected the package "pg" for data in PostgreSQL, found: ${asError(error).message.split("\n")[0]}`,
      remedy: "run `npm install pg` in the project that uses Cutover",
      details: { package: "pg" },
      cause: error,
    });
  }
}
