import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import type { Source } from "../connector.ts";
import { openPostgresData } from "../connectors/postgres/open.ts";
import { startMove } from "./move-data.ts";

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "10", max_wal_senders: "10" });
});
afterAll(() => server.stop());

const rows = 3_000;
const table = "CREATE TABLE orders (id int PRIMARY KEY, status text, note bytea)";

/** Transactions of a few rows that overlap: each is open while others commit. */
async function writeUntil(client: TestClient, stop: () => boolean, worker: number): Promise<number> {
  let count = 0;
  for (; !stop(); count++) {
    await client.query("BEGIN");
    // Each worker has rows of its own, so that none waits for another's.
    for (const step of [1, 2, 3]) {
      const id = 1 + ((count * 997 * step) % rows) * 4 + worker;
      const status = `${worker}-${count}-${step}`;
      if (count % 3 === 0) await client.query("DELETE FROM orders WHERE id = $1", [id]);
      else
        await client.query(
          "INSERT INTO orders VALUES ($1, $2, NULL) ON CONFLICT (id) DO UPDATE SET status = excluded.status",
          [id, status],
        );
    }
    await client.query(count % 7 === 0 ? "ROLLBACK" : "COMMIT");
  }
  return count;
}

test("tables move from one PostgreSQL to another while transactions overlap, and are equal at the cutover", async () => {
  const [oldUrl, newUrl] = [await server.database(), await server.database()];
  const clients = await Promise.all([0, 1, 2, 3].map(() => connectClient(oldUrl)));
  const [old, young] = [await connectClient(oldUrl), await connectClient(newUrl)];
  try {
    await old.query(table);
    await young.query(table);
    await old.query(
      `INSERT INTO orders SELECT g, CASE WHEN g % 5 = 0 THEN NULL ELSE 'first' END, '\\x00ff' FROM generate_series(1, ${rows * 4}) g`,
    );
    await using source = await openPostgresData(oldUrl);
    await using target = await openPostgresData(newUrl);
    let stopped = false;
    const writers = clients.map((client, worker) => writeUntil(client, () => stopped, worker));
    const pause = new AbortController();
    let chunks = 0;
    const counted = new Proxy<Source>(source, {
      get(of, name) {
        const member: unknown = Reflect.get(of, name, of);
        if (name === "snapshotChunk" && ++chunks === 8) pause.abort();
        return typeof member === "function" ? (member.bind(of) as unknown) : member;
      },
    });
    const move = { source: counted, target, job: "move", chunk: { rows: 500 } };
    const first = startMove({ ...move, fence: 1, signal: pause.signal });
    expect(await first.done).toMatchObject({ finished: false, progress: { copied: false } });

    const second = startMove({ ...move, fence: 2 });
    await Promise.race([second.copied, second.done]);
    stopped = true;
    const written = await Promise.all(writers);
    expect(Math.min(...written)).toBeGreaterThan(5);
    second.stopAt(await source.fence(1, { signal: AbortSignal.timeout(20_000) }));
    const { progress } = await second.done;
    expect(progress.changes).toBeGreaterThan(20);

    const sum =
      "SELECT count(*)::int AS count, md5(string_agg(o::text, ';' ORDER BY id)) AS digest FROM orders o";
    expect((await young.query(sum)).rows).toEqual((await old.query(sum)).rows);
    await source.release("move");
  } finally {
    for (const client of [...clients, old, young]) await client.end();
  }
}, 120_000);
