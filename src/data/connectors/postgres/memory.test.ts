import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_wal_size: "2GB" });
});
afterAll(() => server.stop());

/** A move in a process of its own: what it has copied, then what came by the log; megabytes it took at most beyond its start. */
const carry = `
  import { openPostgresData, startMove } from ${JSON.stringify(join(import.meta.dirname, "../../index.ts"))};
  const [from, to] = process.argv.slice(1);
  await using source = await openPostgresData(from);
  await using target = await openPostgresData(to);
  const before = process.memoryUsage().rss;
  const move = startMove({ source, target, job: "move", fence: 1 });
  await Promise.race([move.copied, move.done]);
  move.stopAt(await source.head());
  const { progress } = await move.done;
  const most = process.resourceUsage().maxRSS * 1024;
  console.log(JSON.stringify({ megabytes: (most - before) / 1e6, rows: progress.rows, changes: progress.changes }));
`;

/** The collector is told to keep its own heap small, so that what is measured is what the move holds. */
const heap = ["--max-old-space-size=64", "--max-semi-space-size=2"];

async function carried(
  from: string,
  to: string,
): Promise<{ readonly megabytes: number; readonly rows: number; readonly changes: number }> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...heap, "--input-type=module", "-e", carry, from, to],
    { env: { ...process.env, NODE_OPTIONS: "" }, timeout: 240_000 },
  );
  return JSON.parse(stdout) as Awaited<ReturnType<typeof carried>>;
}

const sums = "SELECT count(*)::int AS rows, sum(hashtextextended(t::text, 0))::text AS sum FROM t";

test("a transaction of 300 MB and rows of 20 MB go over in 150 MB of memory", async () => {
  const [from, to] = [await server.database(), await server.database()];
  const [old, fresh] = [await connectClient(from), await connectClient(to)];
  for (const side of [old, fresh])
    await side.query(
      "CREATE TABLE t (id int PRIMARY KEY, v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL",
    );
  await old.query("INSERT INTO t SELECT i, repeat(md5(i::text), 625000) FROM generate_series(1, 8) i");
  const wide = await carried(from, to);
  expect(wide).toMatchObject({ rows: 8 });
  await old.query("INSERT INTO t SELECT i, repeat(md5(i::text), 59) FROM generate_series(1001, 161000) i");
  const long = await carried(from, to);
  expect(long).toMatchObject({ rows: 8, changes: 160_000 });
  expect((await fresh.query(sums)).rows).toEqual((await old.query(sums)).rows);
  expect(Math.max(wide.megabytes, long.megabytes)).toBeLessThan(150);
  await old.end();
  await fresh.end();
}, 300_000);
