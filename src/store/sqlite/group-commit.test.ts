import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { ManualClock, onFaultPoint } from "../../testing/index.ts";
import type { RunEvent } from "../run-events.ts";
import type { Store } from "../store.ts";
import { Connection } from "./connection.ts";
import { openSqliteStore, sqliteStore } from "./open.ts";
import { migrateSchema } from "./schema.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-commit-"));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => onFaultPoint(undefined));
let files = 0;

const created: RunEvent = {
  type: "run.created",
  data: { migration: "m", hash: "h", source: "s", by: "ana", graph: {} },
};
const note = (text: string): RunEvent => ({ type: "note.added", data: { by: "ana", text } });

function countCommits(): () => number {
  let commits = 0;
  onFaultPoint((name) => {
    if (name === "store.commit.after") commits++;
  });
  return () => commits;
}

/** A store that may only grow by `pages` pages of 4 KB from where it stands. */
async function smallStore(pages: number): Promise<{ store: Store; db: Connection }> {
  const path = join(folder, `${++files}.db`);
  const clock = new ManualClock();
  const db = new Connection(path);
  migrateSchema(db, clock, path);
  const store = sqliteStore(db, { path, clock });
  await store.runs.commit("r", [created]);
  const used = db.get<{ page_count: number }>("PRAGMA page_count")?.page_count ?? 0;
  db.exec(`PRAGMA max_page_count = ${used + pages}`);
  return { store, db };
}

describe("writes", () => {
  test("of one tick share one commit, awaited ones have one each", async () => {
    await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
    const commits = countCommits();
    await Promise.all(Array.from({ length: 50 }, (_, n) => store.runs.commit(`r${n}`, [created])));
    expect(commits()).toBe(1);
    for (let n = 0; n < 5; n++) await store.runs.commit("r0", [note("x")]);
    expect(commits()).toBe(6);
  });

  test("of those woken by one commit share the next", async () => {
    await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
    await store.runs.commit("r", [created]);
    const commits = countCommits();
    const work = async (depth: number): Promise<void> => {
      for (let n = 0; n < 4; n++) await wrapped(depth, () => store.runs.commit("r", [note("x")]));
    };
    await Promise.all([work(0), work(3), work(7)]);
    expect(commits()).toBe(4);
  });

  test("more than fit into one batch are all done, in order", async () => {
    await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
    await store.runs.commit("r", [created]);
    const commits = countCommits();
    await Promise.all(Array.from({ length: 1_300 }, (_, n) => store.runs.commit("r", [note(String(n))])));
    expect(commits()).toBe(3);
    const texts = (await store.events.read({ after: 1, limit: 2_000 })).map((event) => event.data["text"]);
    expect(texts).toEqual(Array.from({ length: 1_300 }, (_, n) => String(n)));
  });

  test("do not keep timers from firing, however many are awaited in a row", async () => {
    await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
    await store.runs.commit("r", [created]);
    let fired = false;
    setTimeout(() => (fired = true), 0);
    for (let n = 0; n < 500 && !fired; n++) await store.runs.commit("r", [note("x")]);
    expect(fired).toBe(true);
  });
});

describe("a commit that fails", () => {
  test("refuses every call of its batch and keeps nothing of them", async () => {
    const path = join(folder, `${++files}.db`);
    await using store = await openSqliteStore({ path, clock: new ManualClock() });
    await store.runs.commit("r", [created]);
    const heard: unknown[] = [];
    store.events.subscribe((events) => heard.push(...events));
    onFaultPoint((name) => {
      if (name === "store.commit.before") throw new Error("the machine failed here");
    });
    const outcomes = await Promise.allSettled([
      store.runs.commit("r", [note("a")]),
      store.routes.set({ route: "q", epoch: 0, stage: "live", share: 1, by: "x" }),
    ]);
    onFaultPoint(undefined);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(["rejected", "rejected"]);
    expect(heard).toEqual([]);
    expect(await store.events.count()).toBe(1);
    expect(await store.routes.list()).toEqual([]);
    await store.runs.commit("r", [note("b")]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 });
  });
});

describe("a full disk", () => {
  test("refuses the write, keeps nothing of it, and what was acknowledged stays", async () => {
    const { store, db } = await smallStore(2);
    const long = note("x".repeat(3_000));
    let kept = 0;
    let code = "";
    for (let n = 0; n < 50 && code === ""; n++) {
      await store.runs.commit("r", [long]).then(
        () => kept++,
        (error: { code: string }) => (code = error.code),
      );
    }
    expect(code).toBe("CUTOVER_STORE_FULL");
    expect(await store.events.count()).toBe(1 + kept);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    db.exec("PRAGMA max_page_count = 100000");
    await store.runs.commit("r", [long]);
    expect(await store.events.verify()).toMatchObject({ whole: true, events: 2 + kept });
    await store.close();
  });

  test("leaves no half of a call that writes much", async () => {
    const { store } = await smallStore(3);
    const before = await store.events.count();
    const big = Array.from({ length: 40 }, () => note("y".repeat(2_000)));
    await expect(store.runs.commit("r", big)).rejects.toMatchObject({ code: "CUTOVER_STORE_FULL" });
    expect(await store.events.count()).toBe(before);
    expect(await store.events.verify()).toMatchObject({ whole: true });
    await store.close();
  });
});

async function wrapped<T>(depth: number, work: () => Promise<T>): Promise<T> {
  return depth === 0 ? await work() : await wrapped(depth - 1, work);
}
