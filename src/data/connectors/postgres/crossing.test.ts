import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import { openPostgresData, startMove } from "../../index.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "20", max_wal_senders: "20" });
});
afterAll(() => server.stop());

test("tables cross under writes, the fence ends at equal sides, and writes made after it come back without a ring", async () => {
  const ddl =
    "CREATE SCHEMA app; CREATE TABLE app.t (id int PRIMARY KEY, v text, n int); CREATE TABLE app.u (k text PRIMARY KEY, t int REFERENCES app.t)";
  const [oldUrl, newUrl] = [await server.database(), await server.database()];
  const [old, fresh] = [await connectClient(oldUrl), await connectClient(newUrl)];
  await old.query(ddl);
  await fresh.query(ddl);
  await old.query("INSERT INTO app.t SELECT i, 'v' || i, 0 FROM generate_series(1, 3000) i");
  await old.query("INSERT INTO app.u SELECT 'k' || i, i FROM generate_series(1, 500) i");
  await using source = await openPostgresData(oldUrl);
  await using target = await openPostgresData(newUrl);
  const sum = async (client: typeof old): Promise<unknown> =>
    (
      await client.query(
        `SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY id)) FROM app.t) AS t,
          (SELECT md5(string_agg(u::text, '|' ORDER BY k)) FROM app.u) AS u, (SELECT count(*) FROM app.t) AS rows`,
      )
    ).rows;

  let refused = 0;
  let written = 0;
  const writer = await connectClient(oldUrl);
  const writing = (async () => {
    for (let i = 0; refused === 0; i++) {
      const id = 1 + ((i * 37) % 3_000);
      const statements = [
        `UPDATE app.t SET n = n + 1, v = v || 'x' WHERE id = ${id}`,
        `DELETE FROM app.t WHERE id = ${id} AND id > 500`,
        `INSERT INTO app.t VALUES (${10_000 + i}, 'new', ${i})`,
        `UPDATE app.t SET id = -id WHERE id = ${10_000 + i - 5}`,
      ];
      try {
        await writer.query(statements[i % 4] ?? "");
        written++;
      } catch (error) {
        expect(error).toMatchObject({ code: "CUF01" });
        refused++;
      }
    }
  })();

  const collections = ["app.t", "app.u"];
  const ranges = collections.map((collection) => ({ collection }));
  const forth = startMove({ source, target, job: "forth", fence: 1, ranges, chunk: { rows: 400 } });
  await Promise.race([forth.copied, forth.done]);
  const position = await source.fence(1, { signal: AbortSignal.timeout(20_000) });
  forth.stopAt(position);
  expect((await forth.done).finished).toBe(true);
  await writing;
  expect(written).toBeGreaterThan(10);
  expect(await sum(fresh)).toEqual(await sum(old));

  // The way forth may have acknowledged more than the fence: what the server itself wrote behind it.
  const crossed = await source.head();
  // The way back follows what is written from now on; what the way forth wrote is left out.
  const back = startMove({
    source: target,
    target: source,
    job: "back",
    fence: 1,
    ranges,
    without: ["forth"],
    mix: true,
  });
  await Promise.race([back.copied, back.done]);
  await fresh.query(
    "DELETE FROM app.t WHERE id > 2900 AND id < 3000; INSERT INTO app.t VALUES (77777, 'new side', 1)",
  );
  await fresh.query("UPDATE app.u SET k = 'moved ' || k WHERE t < 10");
  back.stopAt(await target.fence(2, { signal: AbortSignal.timeout(20_000) }));
  expect((await back.done).finished).toBe(true);
  expect(await sum(old)).toEqual(await sum(fresh));
  const end = await source.head();
  const ring: unknown[] = [];
  for await (const { transactions, head } of source.log("forth", crossed, {
    signal: AbortSignal.timeout(20_000),
    without: ["back"],
  })) {
    ring.push(...transactions);
    if (head >= end) break;
  }
  expect(ring).toEqual([]);
  await source.release("forth");
  await target.release("back");
  await writer.end();
  await old.end();
  await fresh.end();
});
