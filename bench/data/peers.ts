/** What is used of `pg` and `pg-copy-streams`, by shape; the latter is installed with `npm ci --prefix bench`. */
import type { Readable, Writable } from "node:stream";
import { createRequire } from "node:module";
import { join } from "node:path";

export interface PgClient {
  query(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  query<T extends object>(work: T): T;
  end(): Promise<void>;
}

export async function pgClient(url: string): Promise<PgClient> {
  const { default: pg } = (await import("pg" as string)) as unknown as {
    default: {
      Client: new (options: { connectionString: string }) => PgClient & { connect(): Promise<void> };
    };
  };
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

export interface CopyStreams {
  to(sql: string): Readable;
  from(sql: string): Writable;
}

export function copyStreams(): CopyStreams {
  const load = createRequire(join(import.meta.dirname, "../package.json"));
  return load("pg-copy-streams") as CopyStreams;
}
