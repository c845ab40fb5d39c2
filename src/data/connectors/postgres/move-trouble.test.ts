import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { connectClient, type TestClient } from "../../../../test/postgres/client.ts";
import { postgresServer, type TestServer } from "../../../../test/postgres/server.ts";
import type { Source } from "../../connector.ts";
import { endMove } from "../../move/begin.ts";
import { type Move, startMove } from "../../move/move-data.ts";
import type { MoveOptions } from "../../move/move-options.ts";
import { openPostgresData } from "./open.ts";
import type { PostgresStore } from "./store.ts";

// What can go wrong with two servers and the way between them while tables move. Each time the move ends with a code that says
// what it was, the source is as it was, and the same job goes on to equal sides once the reason is gone.

let server: TestServer;
beforeAll(async () => {
  server = await postgresServer({ wal_level: "logical", max_replication_slots: "50", max_wal_senders: "20" });
});
afterAll(() => server.stop());

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

async function client(url: string): Promise<TestClient> {
  const made = await connectClient(url);
  open.push(() => made.end().catch(() => {}));
  return made;
}

async function store(url: string): Promise<PostgresStore> {
  const made = await openPostgresData(url);
  open.push(() => made[Symbol.asyncDispose]());
  return made;
}

const rows = 6_000;
const table = "CREATE TABLE t (id int PRIMARY KEY, v text, n int NOT NULL DEFAULT 0)";
const filled = `INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, ${rows}) i`;

interface Pair {
  readonly oldUrl: string;
  readonly newUrl: string;
  readonly old: TestClient;
  readonly fresh: TestClient;
  readonly source: PostgresStore;
  readonly target: PostgresStore;
}

async function pair(ddl = table, fill = filled): Promise<Pair> {
  const [oldUrl, newUrl] = [await server.database(), await server.database()];
  const [old, fresh] = [await client(oldUrl), await client(newUrl)];
  await old.query(ddl);
  await old.query(fill);
  await fresh.query(ddl);
  return { oldUrl, newUrl, old, fresh, source: await store(oldUrl), target: await store(newUrl) };
}

const sumOf = async (of: TestClient): Promise<unknown> =>
  (await of.query("SELECT count(*)::int AS rows, md5(string_agg(t::text, '|' ORDER BY id)) AS sum FROM t"))
    .rows;

const small = { rows: 500 };
const begin = (
  { source, target }: Pick<Pair, "source" | "target">,
  fence: number,
  more: Partial<MoveOptions> = {},
): Move => startMove({ source, target, job: "move", fence, chunk: small, ...more });

/** What a move ended with, as its code. */
const outcome = (move: Move): Promise<string> =>
  move.done.then(
    ({ finished }) => (finished ? "finished" : "paused"),
    (error: unknown) => (error as { code: string }).code,
  );

async function finish(at: Pair, fence: number): Promise<Move> {
  const move = begin(at, fence);
  await Promise.race([move.copied, move.done]);
  move.stopAt(await at.source.fence(1, { signal: AbortSignal.timeout(20_000) }));
  expect(await outcome(move)).toBe("finished");
  expect(await sumOf(at.fresh)).toEqual(await sumOf(at.old));
  await at.source.release("move");
  return move;
}

/** Calls `before` ahead of each chunk that is read, with its number from 1 on. */
function watched(source: Source, before: (chunk: number) => Promise<void> | void): Source {
  let chunk = 0;
  return new Proxy(source, {
    get(of, name) {
      const member: unknown = Reflect.get(of, name, of);
      if (typeof member !== "function") return member;
      if (name !== "snapshotChunk") return member.bind(of) as unknown;
      return async (...given: Parameters<Source["snapshotChunk"]>) => {
        await before(++chunk);
        return of.snapshotChunk(...given);
      };
    },
  });
}

async function until(done: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    if (await done()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new TypeError("it did not happen in time");
}

test("a commit that reaches the log before anyone can see it is not taken back by the copy", async () => {
  const at = await pair();
  const hanging = await client(at.oldUrl);
  let ready = (): void => {};
  const gate = new Promise<void>((resolve) => (ready = resolve));
  const move = begin({ source: watched(at.source, () => gate) as PostgresStore, target: at.target }, 1);
  await until(() => move.progress() !== undefined);
  await server.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  await server.query("SELECT pg_reload_conf()");
  try {
    await hanging.query("SET synchronous_commit = on");
    let commit: Promise<unknown> = Promise.resolve();
    let count = 0;
    await until(async () => {
      let done = false;
      commit = hanging
        .query(`UPDATE t SET v = 'late', n = ${++count} WHERE id = 700`)
        .then(() => (done = true));
      for (;;) {
        const { rows: waits } = await at.old.query(
          "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()",
        );
        if (waits.length === 1 || done) return waits.length === 1;
      }
    });
    await until(() => move.progress()?.changes === count);
    ready();
    expect(await move.copied).toBe(true);
    // The old side still shows what was before; the copy of it was left out.
    const look = "SELECT v FROM t WHERE id = 700 AND n = $1";
    expect((await at.old.query(look, [count])).rows).toEqual([]);
    expect((await at.fresh.query(look, [count])).rows).toEqual([{ v: "late" }]);
    expect(move.progress()?.dropped).toBe(1);
    await server.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
    await commit;
  } finally {
    ready();
    await server.query("ALTER SYSTEM RESET synchronous_standby_names");
    await server.query("SELECT pg_reload_conf()");
  }
  move.stopAt(await at.source.fence(1, { signal: AbortSignal.timeout(20_000) }));
  expect(await outcome(move)).toBe("finished");
  expect(await sumOf(at.fresh)).toEqual(await sumOf(at.old));
  await at.source.release("move");
});

test("what is rolled back, also to a savepoint, never arrives, and what was deleted does not come back", async () => {
  const at = await pair();
  const writer = await client(at.oldUrl);
  const work = [
    // Far ahead of the copy: in the log first, then read in a chunk that has not the row any more.
    "DELETE FROM t WHERE id IN (3000, 5999)",
    "BEGIN; UPDATE t SET v = 'kept' WHERE id = 3001; SAVEPOINT a; UPDATE t SET v = 'taken back' WHERE id = 3001; DELETE FROM t WHERE id = 3002; ROLLBACK TO a; UPDATE t SET n = 1 WHERE id = 3003; RELEASE a; COMMIT",
    "BEGIN; DELETE FROM t WHERE id > 100; INSERT INTO t VALUES (70000, 'never'); ROLLBACK",
    // Behind the copy: there, and gone.
    "DELETE FROM t WHERE id = 10; INSERT INTO t VALUES (10, 'again'); DELETE FROM t WHERE id = 10",
    "INSERT INTO t VALUES (3000, 'again'); DELETE FROM t WHERE id = 3000",
    "UPDATE t SET id = -id WHERE id IN (20, 5000)",
    "BEGIN; INSERT INTO t VALUES (80000, 'a'); SAVEPOINT b; INSERT INTO t VALUES (80001, 'b'); ROLLBACK TO SAVEPOINT b; INSERT INTO t VALUES (80002, 'c'); COMMIT",
  ];
  const source = watched(at.source, async (chunk) => {
    const statements = work[chunk - 3];
    if (statements !== undefined) await writer.query(statements);
  });
  const move = begin({ source: source as PostgresStore, target: at.target }, 1);
  await Promise.race([move.copied, move.done]);
  move.stopAt(await at.source.fence(1, { signal: AbortSignal.timeout(20_000) }));
  expect(await outcome(move)).toBe("finished");
  expect(await sumOf(at.fresh)).toEqual(await sumOf(at.old));
  const odd =
    "SELECT id, v FROM t WHERE id IN (10, 20, -20, 3000, 3001, 3002, -5000, 5999, 70000) OR id > 70000 ORDER BY id";
  expect((await at.fresh.query(odd)).rows).toEqual([
    { id: -5000, v: "v5000" },
    { id: -20, v: "v20" },
    { id: 3001, v: "kept" },
    { id: 3002, v: "v3002" },
    { id: 80000, v: "a" },
    { id: 80002, v: "c" },
  ]);
  await at.source.release("move");
});

test("connections that are cut again and again end a move with a code, and it goes on without losing or repeating a change", async () => {
  const at = await pair();
  const database = (url: string): string => new URL(url).pathname.slice(1);
  const names = [database(at.oldUrl), database(at.newUrl)];
  const writer = await client(at.oldUrl);
  let stop = false;
  const writing = (async () => {
    for (let i = 0; !stop; i++) {
      const id = 1 + ((i * 7_919) % rows);
      await writer.query(
        i % 5 === 4
          ? `DELETE FROM t WHERE id = ${id}`
          : `INSERT INTO t VALUES (${id}, 'w${i}', 1) ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = t.n + 1`,
      );
    }
  })();
  const codes: string[] = [];
  let copied = false;
  for (let fence = 1; !copied; fence++) {
    // Each time another sort of connection is cut, one chunk later than the time before; in the end none is.
    const purpose = ["cutover copy", "cutover write", "cutover log", "cutover control"][fence % 4];
    const source = watched(at.source, async (chunk) => {
      if (chunk === 3 && fence <= 8)
        await server.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY($1) AND application_name = $2",
          [names, purpose],
        );
    });
    const move = begin({ source: source as PostgresStore, target: at.target }, fence);
    move.stopWhenCopied();
    const ended = await outcome(move);
    copied = ended === "finished";
    codes.push(ended);
  }
  stop = true;
  await writing;
  expect(codes.at(-1)).toBe("finished");
  // Reads are made again at once; a write that is cut ends the move, unless nothing was being written.
  expect(codes.slice(0, -1).filter((code) => code !== "CUTOVER_DATA_UNAVAILABLE")).toEqual([]);
  await finish(at, 100);
});

test("servers that crash in the middle of a move come back to the same place on both sides", async () => {
  const at = await pair();
  const writer = await connectClient(at.oldUrl);
  await writer.query("UPDATE t SET n = 1 WHERE id % 7 = 0");
  await writer.end();
  let restarted: Promise<void> | undefined;
  const source = watched(at.source, async (chunk) => {
    if (chunk === 5) await (restarted = server.restart("immediate"));
  });
  const first = begin({ source: source as PostgresStore, target: at.target }, 1);
  first.stopWhenCopied();
  // Whether anything was being written at that moment is left to chance.
  expect(["CUTOVER_DATA_UNAVAILABLE", "finished"]).toContain(await outcome(first));
  await restarted;
  const old = await client(at.oldUrl);
  await old.query("UPDATE t SET n = n + 1 WHERE id % 5 = 0; DELETE FROM t WHERE id % 11 = 0");
  // Once more while the log is followed.
  const second = begin(at, 2);
  expect(await second.copied).toBe(true);
  await server.restart("immediate");
  const [again, there] = [await client(at.oldUrl), await client(at.newUrl)];
  await again.query("UPDATE t SET v = 'after' WHERE id % 13 = 0");
  second.pause();
  expect(["paused", "CUTOVER_DATA_UNAVAILABLE"]).toContain(await outcome(second));
  await finish({ ...at, old: again, fresh: there }, 3);
});

test("a slot that is dropped in the middle is told, now and at every try, and the move can begin again", async () => {
  const at = await pair();
  const move = begin(at, 1);
  expect(await move.copied).toBe(true);
  await until(async () => {
    await at.old.query(
      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active AND database = current_database()",
    );
    try {
      await at.old.query(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()",
      );
      return true;
    } catch {
      return false;
    }
  });
  await at.old.query("UPDATE t SET v = 'nobody kept this' WHERE id = 1");
  expect(await outcome(move)).toBe("CUTOVER_DATA_SLOT_LOST");
  expect(await outcome(begin(at, 2))).toBe("CUTOVER_DATA_SLOT_LOST");
  await endMove({ source: at.source, target: at.target, job: "move" });
  expect(await outcome(begin(at, 3))).toBe("CUTOVER_DATA_NOT_EMPTY");
  await at.fresh.query("TRUNCATE t");
  await finish(at, 4);
});

test("a right that is taken away in the middle is named, and the move goes on when it is back", async () => {
  const at = await pair();
  await at.old.query("CREATE ROLE mover LOGIN REPLICATION PASSWORD 'p'; ALTER TABLE t OWNER TO mover");
  await at.old.query(
    "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mover', current_database()); END $$; GRANT USAGE, CREATE ON SCHEMA public TO mover",
  );
  await at.fresh.query(
    "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO mover', current_database()); END $$; GRANT ALL ON t TO mover; GRANT USAGE ON SCHEMA public TO mover",
  );
  const as = (url: string): string => url.replace(/\/\/[^@]*@/, "//mover:p@");
  const mine: Pair = { ...at, source: await store(as(at.oldUrl)), target: await store(as(at.newUrl)) };
  const without = async (of: TestClient, right: string): Promise<string> => {
    const source = watched(mine.source, async (chunk) => {
      if (chunk === 3) await of.query(`REVOKE ${right} ON t FROM mover`);
    });
    const ended = await outcome(begin({ source: source as PostgresStore, target: mine.target }, ++fence));
    await of.query(`GRANT ${right} ON t TO mover`);
    return ended;
  };
  let fence = 0;
  const before = await sumOf(at.old);
  expect(await without(at.old, "SELECT")).toBe("CUTOVER_DATA_DENIED");
  expect(await without(at.fresh, "INSERT")).toBe("CUTOVER_DATA_DENIED");
  expect(await sumOf(at.old)).toEqual(before);
  await finish(mine, 10);
  await at.old.query("REASSIGN OWNED BY mover TO postgres; DROP OWNED BY mover");
});

test("columns that change in the middle end the move on either side, and nothing half is kept", async () => {
  const at = await pair();
  const source = watched(at.source, async (chunk) => {
    if (chunk === 3) await at.old.query("ALTER TABLE t ADD extra int");
  });
  expect(await outcome(begin({ source: source as PostgresStore, target: at.target }, 1))).toBe(
    "CUTOVER_DATA_SCHEMA_CHANGED",
  );
  const other = await pair();
  const second = watched(other.source, async (chunk) => {
    if (chunk === 3) await other.fresh.query("ALTER TABLE t DROP n");
  });
  expect(await outcome(begin({ source: second as PostgresStore, target: other.target }, 1))).toBe(
    "CUTOVER_DATA_SCHEMA_CHANGED",
  );
  for (const { source: one } of [at, other]) await one.release("move");
});

test.each([
  [
    "a column of another type",
    "ALTER TABLE t ALTER n TYPE text",
    "ALTER TABLE t ALTER n TYPE int USING n::int",
  ],
  ["a table that is gone", "ALTER TABLE t RENAME TO away", "ALTER TABLE away RENAME TO t"],
])(
  "%s on the new side ends the move by name, and it goes on when that is mended",
  async (_, change, mend) => {
    const at = await pair();
    const before = await sumOf(at.old);
    const source = watched(at.source, async (chunk) => {
      if (chunk === 3) await at.fresh.query(change);
    });
    const ended = await outcome(begin({ source: source as PostgresStore, target: at.target }, 1));
    expect(ended).toMatch(/^CUTOVER_DATA_(SCHEMA_CHANGED|COLLECTION|REFUSED)$/);
    expect(await sumOf(at.old)).toEqual(before);
    await at.fresh.query(mend);
    await finish(at, 2);
  },
);

test.each([
  ["a column of another type", "ALTER TABLE t ALTER n TYPE text"],
  ["a column that is gone", "ALTER TABLE t DROP n"],
  ["a table that is gone", "ALTER TABLE t RENAME TO away"],
])("%s on the old side ends the move by name, and nobody is held up", async (_, change) => {
  const at = await pair();
  const source = watched(at.source, async (chunk) => {
    if (chunk === 3) await at.old.query(change);
  });
  const ended = await outcome(begin({ source: source as PostgresStore, target: at.target }, 1));
  expect(ended).toMatch(/^CUTOVER_DATA_(SCHEMA_CHANGED|COLLECTION)$/);
  await endMove({ source: at.source, target: at.target, job: "move" });
  const left = await at.old.query(
    "SELECT 1 FROM pg_replication_slots WHERE database = current_database() UNION ALL SELECT 1 FROM pg_publication",
  );
  expect(left.rows).toEqual([]);
});

test("a target whose disk is full says so and keeps nothing of the write; with room the same move goes on", async () => {
  const wide = "INSERT INTO t SELECT i, repeat(md5(i::text), 60) FROM generate_series(1, 20000) i";
  const target = await postgresServer();
  try {
    const oldUrl = await server.database();
    const old = await client(oldUrl);
    await old.query(table);
    await old.query(wide);
    const before = await connectClient(target.url());
    await before.query(table);
    await before.end();
    // The table would have 40 MB, which no file may have.
    await target.halt();
    target.limitFiles(20_000_000);
    await target.start();
    const source = await store(oldUrl);
    const at = { source, target: await store(target.url()) };
    const sum = await sumOf(old);
    const move = begin(at, 1);
    expect(await outcome(move)).toBe("CUTOVER_DATA_FULL");
    const done = move.progress()?.rows ?? 0;
    expect(done).toBeGreaterThan(1_000);
    const [found] = await target.query("SELECT count(*)::int AS rows FROM t");
    expect(found?.["rows"]).toBeLessThan(done);
    expect(await outcome(begin(at, 2))).toBe("CUTOVER_DATA_FULL");
    expect(await sumOf(old)).toEqual(sum);

    await target.halt();
    target.limitFiles(undefined);
    await target.start();
    const fresh = await client(target.url());
    const all = { ...at, oldUrl, newUrl: target.url(), old, fresh };
    const third = await finish(all, 3);
    // What was there already was not copied again.
    expect(third.progress()?.rows).toBe(20_000);
    await fresh.end();
    await at.target[Symbol.asyncDispose]();
  } finally {
    await target.stop();
  }
});
