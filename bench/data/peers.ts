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

export async function queryAll(url: string, ...statements: readonly string[]): Promise<void> {
  const client = await pgClient(url);
  for (const sql of statements) await client.query(sql);
  await client.end();
}

export interface PgPool extends Pick<PgClient, "end"> {
  query(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  connect(): Promise<{
    query(sql: string, values?: readonly unknown[]): Promise<unknown>;
    release(destroy?: boolean): void;
  }>;
}

/** Twenty connections, made when they are needed. */
export async function pgPool(url: string): Promise<PgPool> {
  const { default: pg } = (await import("pg" as string)) as unknown as {
    default: { Pool: new (options: { connectionString: string; max: number }) => PgPool };
  };
  return new pg.Pool({ connectionString: url, max: 20 });
}

export interface CopyStreams {
  to(sql: string): Readable;
  from(sql: string): Writable;
}

export function copyStreams(): CopyStreams {
  const load = createRequire(join(import.meta.dirname, "../package.json"));
  return load("pg-copy-streams") as CopyStreams;
}
