/** What the example uses of the package `pg`, which brings no types of its own. */
export interface Client {
  query(text: string, values?: readonly unknown[]): Promise<Rows>;
  release(destroy?: boolean): void;
}

export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly rowCount: number | null;
}

export interface Pool {
  connect(): Promise<Client>;
  query(text: string, values?: readonly unknown[]): Promise<Rows>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

interface Settings {
  readonly connectionString: string;
  readonly max: number;
  readonly connectionTimeoutMillis: number;
}

export async function openPool(connectionString: string, max = 8): Promise<Pool> {
  // @ts-expect-error: the package has no declarations
  const { default: pg } = (await import("pg")) as { default: { Pool: new (settings: Settings) => Pool } };
  const pool = new pg.Pool({ connectionString, max, connectionTimeoutMillis: 10_000 });
  // A connection that waits in the pool and is ended by the server: the next one is made when it is needed.
  pool.on("error", () => {});
  return pool;
}

/** Runs statements on a connection of their own. */
export async function withPool<T>(url: string, body: (pool: Pool) => Promise<T>): Promise<T> {
  const pool = await openPool(url, 1);
  try {
    return await body(pool);
  } finally {
    await pool.end();
  }
}
