/** The servers of one run of the bench: one PostgreSQL, two Redis, a folder; all gone with the bench. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresServer } from "../../test/postgres/server.ts";
import { type RedisServer, redisServer, redisVersion } from "./redis-server.ts";

export interface Machines extends AsyncDisposable {
  /** One line for each, for the head of the report. */
  readonly told: readonly string[];
  /** An empty database. */
  postgres(): Promise<string>;
  /** Room of its own in one of the two. @throws when redis-server is missing, saying how to get it */
  redis(fsync: "always" | "everysec"): string;
  sqlite(): string;
}

/**
 * Beside durability: memory and log large enough that checkpoints, which would hit one side or another by chance, are
 * rare; and connections enough for pools of 33.
 */
const settings: Readonly<Record<string, string>> = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "30min",
  max_connections: "300",
};

export async function startMachines(): Promise<Machines> {
  const stack = new AsyncDisposableStack();
  try {
    const folder = mkdtempSync(join(tmpdir(), "cutover-bench-queue-"));
    stack.defer(() => rmSync(folder, { recursive: true, force: true }));
    const postgres = await postgresServer(settings);
    stack.defer(() => postgres.stop());
    const { server_version: version } = (await postgres.query("SHOW server_version"))[0] ?? {};
    const { redis, told } = await startRedis(stack);
    let places = 0;
    return {
      told: [
        `PostgreSQL ${String(version)}: fsync, synchronous_commit and full_page_writes on; shared_buffers 1 GB`,
        told,
        "SQLite: WAL, synchronous=FULL",
      ],
      postgres: () => postgres.database(),
      redis: (fsync) => {
        const server = redis?.[fsync];
        if (server === undefined) throw new Error(told);
        return `${server.url}/${++places}`;
      },
      sqlite: () => `sqlite:${join(folder, `${++places}.db`)}`,
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

interface Redis {
  readonly redis: Readonly<Record<"always" | "everysec", RedisServer>> | undefined;
  readonly told: string;
}

async function startRedis(stack: AsyncDisposableStack): Promise<Redis> {
  let version: string;
  try {
    version = redisVersion();
  } catch (error) {
    return { redis: undefined, told: (error as Error).message };
  }
  const always = await redisServer("always");
  stack.defer(() => always.stop());
  const everysec = await redisServer("everysec");
  stack.defer(() => everysec.stop());
  return {
    redis: { always, everysec },
    told: `Redis ${version}: append-only file on; appendfsync always, and its default everysec (loses up to a second)`,
  };
}
