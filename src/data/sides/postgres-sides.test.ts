import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../test/postgres/server.ts";
import { epochOption, memorySwitch, openPostgresData, postgresSides } from "../index.ts";
import type { PostgresPoolClient, PostgresSides } from "../index.ts";
import { followSwitch, type SwitchFollower } from "../cutover/follow.ts";
import type { Switch } from "../cutover/switch.ts";
import type { PostgresStore } from "../connectors/postgres/store.ts";

interface Client extends PostgresPoolClient {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
}
interface Pool {
  connect(): Promise<Client>;
  end(): Promise<void>;
  readonly idleCount: number;
  readonly totalCount: number;
}

let server: TestServer;
let newPool: (settings: Record<string, unknown>) => Pool;
beforeAll(async () => {
  server = await postgresServer();
  // @ts-expect-error: the package has no declarations
  const { default: pg } = (await import("pg")) as {
    default: { Pool: new (settings: Record<string, unknown>) => Pool };
  };
  newPool = (settings) => new pg.Pool(settings);
});
afterAll(() => server.stop());

interface Shop extends AsyncDisposable {
  readonly sides: PostgresSides<Client>;
  readonly follower: SwitchFollower;
  readonly kept: Switch;
  readonly stores: Readonly<Record<"old" | "new", PostgresStore>>;
  readonly clients: Readonly<Record<"old" | "new", TestClient>>;
  readonly pools: Readonly<Record<"old" | "new", Pool>>;
  ids(side: "old" | "new"): Promise<readonly unknown[]>;
}

/** Two databases with other column names, and an application between them. */
async function shop(longestPause = "20s"): Promise<Shop> {
  const urls = { old: await server.database(), new: await server.database() };
  const clients = { old: await connectClient(urls.old), new: await connectClient(urls.new) };
  await clients.old.query("CREATE TABLE orders (id int PRIMARY KEY, state text UNIQUE)");
  await clients.new.query("CREATE TABLE orders (id int PRIMARY KEY, status text UNIQUE)");
  const stores = { old: await openPostgresData(urls.old), new: await openPostgresData(urls.new) };
  const pools = {
    old: newPool({ connectionString: urls.old, max: 4 }),
    new: newPool({ connectionString: urls.new, max: 4 }),
  };
  const kept = memorySwitch();
  const follower = await followSwitch(kept, { longestPause: longestPause as "20s" });
  return {
    sides: postgresSides({ follower, ...pools }),
    follower,
    kept,
    stores,
    clients,
    pools,
    ids: async (side) =>
      (await clients[side].query("SELECT id FROM orders ORDER BY id")).rows.map(({ id }) => id),
    [Symbol.asyncDispose]: async () => {
      await follower.close({ signal: AbortSignal.timeout(5_000) });
      for (const side of ["old", "new"] as const) {
        await pools[side].end();
        await clients[side].end();
        await stores[side][Symbol.asyncDispose]();
      }
    },
  };
}

const insert = (sides: PostgresSides<Client>, id: number): Promise<"old" | "new"> =>
  sides.transaction(async (client, { side }) => {
    const column = side === "old" ? "state" : "status";
    await client.query(`INSERT INTO orders (id, ${column}) VALUES ($1, $2)`, [id, `s${id}`]);
    return side;
  });

/** A crossing by hand: the pause begins with this, and ends with `turn`. */
async function fence({ stores }: Shop): Promise<void> {
  await stores.new.fence(3, { signal: AbortSignal.timeout(10_000) });
  await stores.old.fence(2, { signal: AbortSignal.timeout(10_000) });
}
async function turn({ kept, stores }: Shop): Promise<void> {
  await kept.turn({ side: "new", epoch: 2 });
  await stores.new.lift(2);
}

test("transactions go to the side in charge, wait for the turn, and go on at the other side under its epoch", async () => {
  await using app = await shop();
  expect(await insert(app.sides, 1)).toBe("old");
  await fence(app);
  const waiting = [insert(app.sides, 2), insert(app.sides, 3)];
  // Who reads does not wait.
  const seen = await app.sides.read((client) => client.query("SELECT id FROM orders"));
  expect(seen.rows).toEqual([{ id: 1 }]);
  await turn(app);
  expect(await Promise.all(waiting)).toEqual(["new", "new"]);
  expect(await insert(app.sides, 4)).toBe("new");
  expect([await app.ids("old"), await app.ids("new")]).toEqual([[1], [2, 3, 4]]);
  // Others that name no epoch are refused by both.
  for (const client of Object.values(app.clients))
    await expect(client.query("DELETE FROM orders")).rejects.toMatchObject({ code: "CUF01" });
  expect(app.pools.old.idleCount).toBe(app.pools.old.totalCount);
}, 60_000);

test("a transaction that is fenced after its first statements leaves nothing of them, and is run again whole", async () => {
  await using app = await shop();
  let runs = 0;
  const moved = app.sides.transaction(async (client, { side }) => {
    runs++;
    await client.query("SELECT count(*) FROM orders");
    // Fenced between reading and writing: nothing was written yet, so that the fence did not have to wait for it.
    if (runs === 1) {
      await fence(app);
      setTimeout(() => void turn(app), 50);
    }
    await client.query(`INSERT INTO orders VALUES (${runs * 10}, 'a')`);
    await client.query(`INSERT INTO orders VALUES (${runs * 10 + 1}, 'b')`);
    return side;
  });
  expect(await moved).toBe("new");
  expect(runs).toBeGreaterThan(1);
  expect(await app.ids("old")).toEqual([]);
  expect((await app.ids("new")).length).toBe(2);
}, 60_000);

test("a transaction that has written holds the fence up until it has committed", async () => {
  await using app = await shop();
  const order: string[] = [];
  let fenced: Promise<void> | undefined;
  await app.sides.transaction(async (client) => {
    await client.query("INSERT INTO orders VALUES (1, 'open')");
    fenced = fence(app).then(() => void order.push("fenced"));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await client.query("INSERT INTO orders VALUES (2, 'still open')");
    order.push("committing");
  });
  await fenced;
  expect(order).toEqual(["committing", "fenced"]);
  await turn(app);
  expect(await app.ids("old")).toEqual([1, 2]);
}, 60_000);

test("a refusal that the body takes for something else and passes over does not commit the rest", async () => {
  await using app = await shop();
  let runs = 0;
  const moved = app.sides.transaction(async (client) => {
    runs++;
    if (runs === 1) {
      await client.query("SELECT 1");
      await fence(app);
      setTimeout(() => void turn(app), 50);
    }
    await client.query("SAVEPOINT s");
    await client.query("INSERT INTO orders VALUES (1, 'x')").catch(() => client.query("ROLLBACK TO s"));
  });
  await moved;
  expect(runs).toBeGreaterThan(1);
  expect(await app.ids("new")).toEqual([1]);
}, 60_000);

test("other errors are thrown as they are, after the transaction was rolled back, and the connection goes back", async () => {
  await using app = await shop();
  await insert(app.sides, 1);
  await expect(insert(app.sides, 1)).rejects.toMatchObject({ code: "23505" });
  const mine = new Error("mine");
  await expect(
    app.sides.transaction(async (client) => {
      await client.query("INSERT INTO orders VALUES (2, 'gone')");
      throw mine;
    }),
  ).rejects.toBe(mine);
  // A failure that nobody looked at: PostgreSQL would answer the COMMIT by a rollback without a word.
  await expect(
    app.sides.transaction(async (client) => {
      await client.query("INSERT INTO orders VALUES (3, 'lost')");
      await client.query("INSERT INTO orders VALUES (1, 'twice')").catch(() => {});
    }),
  ).rejects.toMatchObject({ code: "CUTOVER_DATA_REFUSED" });
  await expect(app.sides.read((client) => client.query("DELETE FROM orders"))).rejects.toMatchObject({
    code: "25006",
  });
  expect(await app.ids("old")).toEqual([1]);
  expect(app.pools.old.idleCount).toBe(app.pools.old.totalCount);
}, 60_000);

test("a migration that died in the pause stops nobody for longer than the application waits", async () => {
  await using app = await shop("300ms");
  await fence(app);
  expect(await insert(app.sides, 1)).toBe("old");
  expect(await app.kept.read()).toEqual({ side: "old", epoch: 2 });
  expect(app.follower.counts).toMatchObject({ gaveBack: 1, waiting: 0 });
}, 60_000);

test("programs that connect anew say their epoch with the connection", async () => {
  await using app = await shop();
  await fence(app);
  await turn(app);
  const url = new URL(server.url());
  const { rows } = await app.clients.new.query("SELECT current_database() AS name");
  url.pathname = String(rows[0]?.["name"]);
  const pool = newPool({ connectionString: url.href, max: 1, options: epochOption(2) });
  const client = await pool.connect();
  await client.query("INSERT INTO orders VALUES (1, 'by option')");
  client.release();
  await pool.end();
  expect(await app.ids("new")).toEqual([1]);
  expect(() => epochOption(1.5)).toThrow("expected an epoch that is a whole number from 0 on, found 1.5");
}, 60_000);

test("options that nothing reads, and isolations that PostgreSQL does not have, are refused", async () => {
  await using app = await shop();
  const { follower, pools } = app;
  const given = { follower, ...pools };
  expect(() => postgresSides({ ...given, isolaton: "serializable" } as typeof given)).toThrow("isolaton");
  expect(() => postgresSides({ ...given, isolation: "snapshot" as "serializable" })).toThrow(
    "isolation: expected one of read committed, repeatable read, serializable, found snapshot",
  );
  const strict = postgresSides({ ...given, isolation: "serializable" });
  const shown = await strict.transaction((client) => client.query("SHOW transaction_isolation"));
  expect(shown.rows).toEqual([{ transaction_isolation: "serializable" }]);
}, 60_000);
