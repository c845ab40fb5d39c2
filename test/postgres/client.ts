/** What the tests use of a client of `pg`, which brings no types of its own. */
export interface TestClient {
  query(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[]; readonly rowCount: number | null }>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "notification", listener: (message: { readonly payload?: string }) => void): unknown;
}

/** A connection of its own, as an application beside the store would have one. */
export async function connectClient(url: string): Promise<TestClient> {
  // @ts-expect-error: the package has no declarations
  const { default: pg } = (await import("pg")) as unknown as {
    default: {
      Client: new (options: { connectionString: string }) => TestClient & { connect(): Promise<void> };
    };
  };
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {
    // A connection that the server ended tells it here as well as in the query.
  });
  await client.connect();
  return client;
}
