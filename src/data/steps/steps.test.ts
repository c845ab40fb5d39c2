import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isCutoverError, setFaultHandler, silentLog, systemClock } from "../../core/index.ts";
import { defineMigration, dryRun, type Migration, phase, step, type Step } from "../../plan/index.ts";
import { openSqliteStore } from "../../store/index.ts";
import { openRig, type Rig, runSteps } from "../../testing/engine-rig.ts";
import type { DataStore } from "../connector.ts";
import { noImage } from "../map.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openDataStore } from "../open-data-store.ts";
import { overlay } from "../verify/touched.ts";
import { backupData } from "../backup/backup.ts";
import { backfill } from "./backfill.ts";
import { backup } from "./backup.ts";
import { repair } from "./repair.ts";
import { restore } from "./restore.ts";
import type { StoreRef } from "./store-ref.ts";
import { verify } from "./verify.ts";

let dir = "";
let rig: Rig;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-data-steps-"));
  rig = await openRig({ clock: systemClock });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const old = (): string => `leveldb:${dir}/old`;
const fresh = (): string => `lmdb:${dir}/new`;
const kept = (): string => join(dir, "backups", "before");
const bytes = (text: string): Buffer => Buffer.from(text);
const keyOf = (index: number): Buffer => bytes(`order:${String(index).padStart(6, "0")}`);

async function fill(address: string, rows: number): Promise<void> {
  await using store = await openDataStore(address, { create: true });
  const all = Array.from({ length: rows }, (_, index) => ({
    collection: "",
    key: keyOf(index),
    value: bytes(`{"total":${index},"at":170000000000000${index}}`),
  }));
  for (let at = 0; at < rows; at += 1_000)
    await store.applyTxn({
      job: "fill",
      fence: 1,
      origin: "fill",
      changes: [],
      rows: all.slice(at, at + 1_000),
    });
}

async function change(address: string, index: number, value: string | null): Promise<void> {
  await using store = await openDataStore(address);
  const changes = [{ collection: "", key: keyOf(index), value: value === null ? null : bytes(value) }];
  await store.applyTxn({ job: "change", fence: 1, origin: "change", changes, rows: [] });
}

async function rowsOf(address: string): Promise<Record<string, string>> {
  await using store = await openDataStore(address);
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[String(Buffer.from(key))] = String(Buffer.from(value));
  return found;
}

const moving = (...steps: Step[]): Migration =>
  defineMigration({ name: "moving", phases: [phase("move", { steps })] });

const run = (...steps: readonly Step[]): ReturnType<typeof runSteps> => runSteps(rig, steps);

const breaks = (): Step =>
  step("breaks", {
    run: () => {
      throw new Error("the new side broke");
    },
  });

/** What a definition is refused for. */
function refusal(make: () => Step): string {
  try {
    moving(make());
  } catch (error) {
    if (isCutoverError(error)) return `${error.message} · ${error.remedy}`;
    throw error;
  }
  return "nothing";
}

describe("a migration that moves data", () => {
  test("backs up, copies and proves a LevelDB in LMDB, and leaves no log behind", async () => {
    await fill(old(), 2_500);
    const { state, results } = await run(
      backup(old(), { into: kept() }),
      backfill(old(), fresh()),
      verify(old(), fresh()),
    );
    expect(results["move/backup"]).toMatchObject({ rows: 2_500, provenIn: "a scratch leveldb store" });
    expect(results["move/backfill"]).toMatchObject({ rows: 2_500, aside: 0 });
    expect(results["move/verify"]).toMatchObject({ equal: true, note: "2,500 rows · 0 differ" });
    expect(state).toBe("COMPLETED");
    expect(await rowsOf(fresh())).toEqual(await rowsOf(old()));
    expect((await readdir(join(dir, "backups"))).toSorted()).toEqual(["before"]);
    await using source = await openDataStore(old());
    const head = await source.head();
    await source.applyTxn({
      job: "late",
      fence: 1,
      origin: "late",
      changes: [{ collection: "", key: keyOf(1), value: bytes("late") }],
      rows: [],
    });
    expect(await source.head()).toBe(head);
  }, 60_000);

  test("what was written to the old store after the copy is applied before both are compared", async () => {
    await fill(old(), 300);
    const { state, results } = await run(
      backfill(old(), fresh()),
      step("write", {
        run: async () => {
          await change(old(), 7, "changed later");
          await change(old(), 8, null);
        },
      }),
      verify(old(), fresh()),
    );
    expect(results["move/verify"]).toMatchObject({ equal: true });
    expect(state).toBe("COMPLETED");
    const rows = await rowsOf(fresh());
    expect(rows[String(keyOf(7))]).toBe("changed later");
    expect(Object.keys(rows)).toHaveLength(299);
  }, 60_000);

  test.each([
    [true, "COMPLETED"],
    [false, "ROLLED_BACK"],
  ])(
    "with follow: %s, what is written in a later phase is caught up with, or found missing",
    async (follow, end) => {
      await fill(old(), 40);
      const write = step("write", { run: () => change(old(), 900, "written in a later phase") });
      const handle = await rig.start(
        defineMigration({
          name: "followed",
          phases: [
            phase("move", { steps: [backfill(old(), fresh(), { follow })] }),
            phase("prove", { steps: [write, verify(old(), fresh())] }),
          ],
        }),
      );
      expect((await handle.done).state).toBe(end);
      expect(Object.keys(await rowsOf(fresh()))).toHaveLength(follow ? 41 : 0);
    },
    60_000,
  );

  test("a pause stops the copy, and it goes on from its place when the run is continued", async () => {
    await fill(old(), 20_000);
    const copying = Promise.withResolvers<void>();
    setFaultHandler((name) => name === "data.move.written" && copying.resolve());
    const handle = await rig.start(moving(backfill(old(), fresh()), verify(old(), fresh())));
    await copying.promise;
    await handle.pause("ann", "lunch");
    const state = async (): Promise<string> => handle.live().state;
    await expect.poll(state, { timeout: 5_000, interval: 5 }).toBe("PAUSED");
    // Once the step has stopped the old store is free: nobody else could open it before.
    const isFree = (): Promise<boolean> =>
      rowsOf(old()).then(
        () => true,
        () => false,
      );
    await expect.poll(isFree, { timeout: 1_500, interval: 20 }).toBe(true);
    expect(Object.keys(await rowsOf(fresh())).length).toBeLessThan(20_000);
    await handle.continue("ann", "back");
    expect((await handle.done).state).toBe("COMPLETED");
    expect(Object.keys(await rowsOf(fresh()))).toHaveLength(20_000);
  }, 60_000);

  test("through a map, rows without an image are set aside, and f(old) is compared with new", async () => {
    await fill(old(), 100);
    const map = ({ key, value }: { key: Uint8Array; value: Uint8Array }): { value: Uint8Array } => {
      if (String(Buffer.from(key)).endsWith("13")) throw noImage("thirteen has no image");
      return { value: Buffer.concat([bytes("v2:"), value]) };
    };
    const { state, results } = await run(
      backfill(old(), fresh(), { map: { map, originals: true } }),
      verify(old(), fresh(), { map: { map, originals: true } }),
    );
    expect(results["move/backfill"]).toMatchObject({ aside: 1 });
    expect(results["move/verify"]).toMatchObject({ equal: true, aside: 1 });
    expect(state).toBe("COMPLETED");
    expect(Object.keys(await rowsOf(fresh()))).toHaveLength(99);
    // What the report lists: place, reason and size, never the value; and how many old rows are kept beside their images.
    const [last] = await rig.store.runs.list();
    const told = (await rig.store.runs.evidence(last?.id ?? "")).filter(({ name }) => name === "aside");
    expect(told.map(({ step: of }) => of)).toEqual(["move/backfill", "move/verify"]);
    expect(told.at(-1)?.data).toEqual({
      of: fresh(),
      rows: 1,
      items: [{ id: '"order:000013"', reason: "thirteen has no image", bytes: 35 }],
      originals: 99,
    });
  }, 60_000);

  test("rows that are set aside in every chunk are warned of when they begin and counted in the end", async () => {
    await fill(old(), 4_000);
    const warnings: string[] = [];
    const warn = (message: string): void => void warnings.push(message);
    rig.engine({ log: { ...silentLog, warn } });
    const map = ({ key, value }: { key: Uint8Array; value: Uint8Array }): { value: Uint8Array } => {
      if (String(Buffer.from(key)).endsWith("500")) throw noImage("five hundred has no image");
      return { value };
    };
    const { state, results } = await run(backfill(old(), fresh(), { map }));
    expect(results["move/backfill"]).toMatchObject({ aside: 4, rows: 4_000 });
    expect(state).toBe("COMPLETED");
    expect(warnings).toEqual([
      "1 row set aside so far: five hundred has no image",
      "4 rows set aside in all; cutover report --aside lists them with their reasons",
    ]);
  }, 60_000);

  test.each(["leveldb", "lmdb", "files"])(
    "a damaged backup is refused before a %s store is made for it",
    async (kind) => {
      await fill(old(), 300);
      {
        await using source = await openDataStore(old());
        await backupData({ source, dir: kept(), clock: systemClock, random: (n) => new Uint8Array(n) });
      }
      const path = join(kept(), "0000.rows");
      const rows = await readFile(path);
      rows[50] = (rows[50] ?? 0) ^ 1;
      await writeFile(path, rows);
      const { state, results } = await run(restore(kept(), `${kind}:${dir}/again`));
      expect(results["move/restore"]).toMatchObject({ code: "CUTOVER_DATA_BACKUP" });
      expect(state).toBe("ROLLED_BACK");
      expect(existsSync(join(dir, "again"))).toBe(false);
    },
    60_000,
  );

  test("a difference fails verify with counts and places, and the way back empties the new store", async () => {
    await fill(old(), 200);
    const { state, results } = await run(
      backup(old(), { into: kept() }),
      backfill(old(), fresh()),
      step("damage", { run: () => change(fresh(), 5, "wrong") }),
      verify(old(), fresh()),
    );
    expect(results["move/verify"]).toMatchObject({
      code: "CUTOVER_DATA_DIFFERS",
      message: expect.stringContaining('1 different: different "order:000005"') as string,
    });
    expect(state).toBe("ROLLED_BACK");
    expect(await rowsOf(fresh())).toEqual({});
    expect(existsSync(kept())).toBe(false);
    expect(await readdir(join(dir, "backups"))).toEqual([]);
    expect(Object.keys(await rowsOf(old()))).toHaveLength(200);
  }, 60_000);

  test("repair makes the new store equal again and says what it wrote", async () => {
    await fill(old(), 200);
    const { state, results } = await run(
      backfill(old(), fresh()),
      step("damage", {
        run: async () => {
          await change(fresh(), 5, "wrong");
          await change(fresh(), 6, null);
          await change(fresh(), 900, "extra");
        },
      }),
      repair(old(), fresh()),
      verify(old(), fresh()),
    );
    expect(results["move/repair"]).toMatchObject({ written: 2, removed: 1, equal: true });
    expect(state).toBe("COMPLETED");
  }, 60_000);

  test("a row that is written on top of another one's image while both sides are compared is told by that comparison", async () => {
    await fill(old(), 3_000);
    const map = {
      map: ({ key, value }: { key: Uint8Array; value: Uint8Array }) => ({ key: key.subarray(-6), value }),
      places: (collection: string, key: Uint8Array) => [{ collection, key: key.subarray(-6) }],
    };
    let writes = 0;
    // The application has it open; it writes the first time that all of it is read after the copy.
    await using mine = await openLevelDb(join(dir, "old"));
    const store: StoreRef = {
      name: "orders",
      shared: true,
      open: () =>
        overlay<DataStore>(mine, {
          async *scan(...args: Parameters<DataStore["scan"]>) {
            for await (const rows of mine.scan(...args)) {
              yield rows;
              if (++writes === 1)
                await mine.write([{ collection: "", key: bytes("other:000017"), value: bytes("on top") }]);
            }
          },
        }),
    };
    const { state, results } = await run(
      backfill(store, fresh(), { map, follow: true }),
      verify(store, fresh(), { map }),
    );
    expect(results["move/verify"]).toMatchObject({
      code: "CUTOVER_DATA_DIFFERS",
      details: { counts: { clash: 1, missing: 0, extra: 0, different: 0 } },
    });
    expect([state, writes > 1]).toEqual(["ROLLED_BACK", true]);
  }, 60_000);

  test("a backup is restored into an empty store, which the way back empties again", async () => {
    await fill(old(), 50);
    const again = `leveldb:${dir}/again`;
    const steps = (): Step[] => [backup(old(), { into: kept() }), restore(kept(), again)];
    const { state, results } = await run(...steps(), verify(old(), again), breaks());
    expect(results["move/restore"]).toMatchObject({ rows: 50, store: again });
    expect(state).toBe("ROLLED_BACK");
    expect(await rowsOf(again)).toEqual({});
    // The same once more, from the start.
    expect((await run(...steps(), verify(old(), again))).state).toBe("COMPLETED");
    expect(Object.keys(await rowsOf(again))).toHaveLength(50);
  }, 60_000);

  test("rows of somebody else in the new store are refused and stay", async () => {
    await fill(old(), 10);
    await fill(fresh(), 3);
    const { state, results } = await run(backfill(old(), fresh()));
    expect(results["move/backfill"]).toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(state).toBe("ROLLED_BACK");
    expect(Object.keys(await rowsOf(fresh()))).toHaveLength(3);
  }, 60_000);

  test("a folder that holds files is neither written nor removed by backup", async () => {
    await fill(old(), 10);
    await writeFile(join(dir, "notes"), "mine");
    const { state, results } = await run(backup(old(), { into: dir }));
    expect(results["move/backup"]).toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
    expect(state).toBe("ROLLED_BACK");
    expect(existsSync(join(dir, "notes"))).toBe(true);
  }, 60_000);

  test("the way back needs nothing of the new side", async () => {
    await fill(old(), 10);
    const ruin = step("ruin", {
      run: async () => {
        await rm(join(dir, "new"), { recursive: true });
        await writeFile(join(dir, "new"), "no store any more");
        throw new Error("the new side is gone");
      },
    });
    const { state } = await run(backfill(old(), fresh()), ruin);
    expect(state).toBe("ROLLED_BACK");
  }, 60_000);

  test("a store that the application has open is moved from within, and stays open", async () => {
    await using mine = await openDataStore(old(), { create: true });
    await mine.applyTxn({
      job: "fill",
      fence: 1,
      origin: "fill",
      changes: [],
      rows: [{ collection: "", key: keyOf(1), value: bytes("one") }],
    });
    const store: StoreRef = { name: "orders", open: (): DataStore => mine, shared: true };
    const { state } = await run(backfill(store, fresh()), verify(store, fresh()));
    expect(state).toBe("COMPLETED");
    expect(await mine.count({ collection: "" })).toBe(1);
    expect(Object.keys(await rowsOf(fresh()))).toHaveLength(1);
  }, 60_000);
});

test("tables of SQLite go over with a backup proven in a scratch file, and back again with what a map kept", async () => {
  for (const name of ["a", "b", "scratch"]) {
    const made = new DatabaseSync(join(dir, `${name}.db`));
    made.exec("create table orders (id integer primary key, state text not null)");
    if (name === "a") made.exec("insert into orders values (1, 'open'), (2, 'done'), (3, 'strange')");
    made.close();
  }
  const [from, to] = [`sqlite:${dir}/a.db`, `sqlite:${dir}/b.db`];
  const map = ({ value }: { value: Uint8Array }): { value: Uint8Array } => {
    if (Buffer.from(value).includes("strange")) throw noImage("no such state");
    return { value };
  };
  const steps = (): Step[] => [
    backup(from, { into: kept(), scratch: `sqlite:${dir}/scratch.db` }),
    backfill(from, to, { map }),
    verify(from, to, { map }),
  ];
  const { state, results } = await run(...steps(), breaks());
  expect(results["move/backup"]).toMatchObject({ rows: 3, provenIn: `sqlite:${dir}/scratch.db` });
  expect(results["move/verify"]).toMatchObject({ equal: true, aside: 1 });
  expect(state).toBe("ROLLED_BACK");
  await using target = await openDataStore(to);
  expect(await target.count({ collection: "orders" })).toBe(0);
  expect(await target.count({ collection: "cutover_aside" })).toBe(0);

  // What was restored for proof is gone again, so that the next run proves its backup in the same place.
  await using scratch = await openDataStore(`sqlite:${dir}/scratch.db`);
  expect(await scratch.count({ collection: "orders" })).toBe(0);
  const again = await run(...steps());
  expect(again.results["move/backup"]).toMatchObject({ rows: 3, provenIn: `sqlite:${dir}/scratch.db` });
  expect(again.state).toBe("COMPLETED");
  expect(await scratch.count({ collection: "orders" })).toBe(0);
}, 60_000);

test("a scratch store that holds rows is refused before a backup is written, and stays as it is", async () => {
  await fill(old(), 20);
  await fill(`leveldb:${dir}/scratch`, 3);
  const { state, results } = await run(backup(old(), { into: kept(), scratch: `leveldb:${dir}/scratch` }));
  expect(results["move/backup"]).toMatchObject({ code: "CUTOVER_DATA_NOT_EMPTY" });
  expect(state).toBe("ROLLED_BACK");
  expect(await readdir(dir)).not.toContain("backups");
  await using scratch = await openDataStore(`leveldb:${dir}/scratch`);
  expect(await scratch.count({ collection: "" })).toBe(3);
}, 60_000);

test("a dry run tells the tables that the new store does not have, and a key-value store makes its own", async () => {
  await fill(old(), 5);
  const made = new DatabaseSync(join(dir, "b.db"));
  made.exec("create table orders (id integer primary key, state text)");
  made.close();
  const map = ({ value }: { value: Uint8Array }): { collection: string; value: Uint8Array } => ({
    collection: "orders",
    value,
  });
  const summary = async (to: string, into: string[]): Promise<string> => {
    const { phases } = await dryRun(moving(backfill(old(), to, { map, into })));
    return phases[0]?.steps[0]?.summary ?? "";
  };
  const tables = ["orders", "lines"];
  expect(await summary(`sqlite:${dir}/b.db`, tables)).toContain(
    'THE NEW STORE DOES NOT HAVE "lines": make it first',
  );
  expect(await summary(`sqlite:${dir}/c.db`, tables)).toContain('DOES NOT HAVE "orders", "lines"');
  expect(await summary(`sqlite:${dir}/b.db`, ["orders"])).not.toContain("DOES NOT HAVE");
  expect(await summary(fresh(), tables)).not.toContain("DOES NOT HAVE");
  expect(await readdir(dir)).not.toContain("c.db");
}, 60_000);

test("one huge row among small ones does not make a dry run expect a thousand of them", async () => {
  await fill(old(), 3_000);
  await using store = await openDataStore(old());
  const value = new Uint8Array(5_000_000);
  const rows = [{ collection: "", key: Buffer.from("aaa"), value }];
  await store.applyTxn({ job: "huge", fence: 1, origin: "huge", changes: [], rows });
  await store[Symbol.asyncDispose]();
  const { phases } = await dryRun(moving(backfill(old(), fresh())));
  expect(phases[0]?.steps[0]?.summary).toMatch(/3,001 rows · about 5\.\d MB/);
}, 60_000);

describe("the dry run of steps that move data", () => {
  test("tells rows, bytes, disk, what has no image and what is refused, and makes nothing", async () => {
    await fill(old(), 100);
    const map = (): never => {
      throw noImage("no such status");
    };
    const { phases } = await dryRun(
      moving(backup(old(), { into: kept() }), backfill(old(), fresh(), { map }), verify(old(), fresh())),
    );
    const [saved, copied] = phases[0]?.steps ?? [];
    expect(saved?.summary).toContain("100 rows · about");
    expect(copied?.summary).toContain("100 rows · about");
    const told = [copied?.summary, ...(copied?.touches ?? [])].join("\n");
    expect(told).toContain("(will be made)");
    expect(told).toContain("100 of the first 100 rows have no image and are set aside: no such status");
    expect(told).toMatch(/disk of .*: needs about .* free/);
    expect((await readdir(dir)).toSorted()).toEqual(["old"]);
    await fill(fresh(), 1);
    const again = await dryRun(moving(backfill(old(), fresh())));
    expect(again.phases[0]?.steps[0]?.touches.join("\n")).toContain("HOLDS ROWS, and is refused");
  }, 60_000);
});

describe("what steps that move data refuse before anything runs", () => {
  const wrong = (value: unknown): never => value as never;
  test.each([
    ["a mistyped address", () => backfill("levldb:old", "lmdb:new"), 'did you mean "leveldb"?'],
    ["a path without a kind", () => verify("data/old", "lmdb:new"), "expected an address"],
    [
      "a mistyped option",
      () => backfill("lmdb:a", "lmdb:b", wrong({ folow: true })),
      'did you mean "follow"?',
    ],
    ["the same store twice", () => verify("lmdb:a", "lmdb:a"), "another store"],
    ["a map that is none", () => verify("lmdb:a", "lmdb:b", wrong({ map: "x" })), '"map"'],
    ["targets without a map", () => verify("lmdb:a", "lmdb:b", { into: ["x"] }), "together with a map"],
    ["a backup without a folder", () => backup("lmdb:a", wrong({})), '"into"'],
    ["a backup of tables that cannot be proven", () => backup("sqlite:a", { into: "b" }), '"scratch"'],
    ["a store without a name", () => repair(wrong({ open: () => null }), "lmdb:b"), '"from.name"'],
    ["no options but a text", () => verify("lmdb:a", "lmdb:b", wrong("fast")), '"options"'],
    ["a list that is none", () => restore("b", "lmdb:a", wrong({ collections: "x" })), '"collections"'],
    ["a restore over rows that could be undone", () => restore("b", "lmdb:a", { replace: true }), "forward"],
  ])("%s", (_, make, expected) => {
    expect(refusal(make)).toContain(expected);
  });

  test("a password stands neither in the record nor in a message", () => {
    const made = backfill("postgres://ann:hunter2@db/old", "postgres://ann:hunter2@db/new");
    const text = JSON.stringify([made.input, made.kind.summary?.(null), made.kind.fingerprint?.(null)]);
    expect(text).not.toContain("hunter2");
    expect(refusal(() => backfill("postgre://ann:hunter2@db/old", "lmdb:new"))).not.toContain("hunter2");
  });
});

/** A process that carries the run in its folder, and ends itself with SIGKILL where it is told. */
const room = new URL("../..", import.meta.url).href;
const program = `
import { setFaultHandler, silentLog, systemClock } from "${room}core/index.ts";
import { createEngine } from "${room}engine/index.ts";
import { defineMigration, phase } from "${room}plan/index.ts";
import { openSqliteStore } from "${room}store/index.ts";
import { backfill, backup, verify } from "${room}data/index.ts";

const [dir, point, hit] = process.argv.slice(2);
const [from, to] = ["leveldb:" + dir + "/old", "lmdb:" + dir + "/new"];
const migration = defineMigration({
  name: "moving",
  phases: [phase("move", { steps: [backup(from, { into: dir + "/backup" }), backfill(from, to), verify(from, to)] })],
});
const store = await openSqliteStore({ path: dir + "/cutover.db", clock: systemClock });
const owner = "process " + process.pid;
const engine = createEngine({ store, clock: systemClock, log: silentLog, owner, dir, isDead: () => true });
let hits = 0;
setFaultHandler((name) => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});
const [known] = await store.runs.list();
const handle = known === undefined
  ? await engine.start(migration, { by: "ann", source: "killed.ts" })
  : await engine.resume(known.id, migration, { by: "ann" });
const { state } = await handle.done;
await store.close();
console.log(state);
`;

function child(...args: readonly string[]): Promise<{ how: number | string | null; out: string }> {
  const made = spawn(process.execPath, [join(dir, "child.ts"), dir, ...args], { timeout: 60_000 });
  let out = "";
  made.stdout.on("data", (part) => (out += String(part)));
  made.stderr.on("data", (part) => (out += String(part)));
  return new Promise((resolve, reject) => {
    made.on("error", reject);
    made.on("close", (code, signal) => resolve({ how: signal ?? code, out: out.trim() }));
  });
}

test.each([
  // The copy's first chunk has 10,000 rows, the second twice as many.
  ["in the middle of the copy", "data.move.written", "2", 35_000],
  ["before the backup has its name", "data.backup.before-publish", "1", 6_000],
  ["while the backup is proven", "data.restore.before-write", "2", 6_000],
  ["after the copy was begun", "data.move.captured", "1", 6_000],
])(
  "killed %s, a run goes on where it stood and ends with equal stores",
  async (_, point, hit, rows) => {
    await writeFile(join(dir, "child.ts"), program);
    await fill(old(), rows);
    expect((await child(point, hit)).how).toBe("SIGKILL");
    expect(await child()).toEqual({ how: 0, out: "COMPLETED" });
    expect(await rowsOf(fresh())).toEqual(await rowsOf(old()));
    const store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
    const [known] = await store.runs.list();
    const steps = await store.runs.steps(known?.id ?? "");
    await store.close();
    const copied = steps.find(({ step: id }) => id === "move/backfill");
    expect(copied?.result).toMatchObject({ rows });
    expect((await readdir(dir)).filter((name) => /partial|scratch/.test(name))).toEqual([]);
  },
  90_000,
);
