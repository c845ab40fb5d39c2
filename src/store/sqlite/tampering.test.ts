import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { sha256 } from "../../core/index.ts";
import { ManualClock } from "../../testing/index.ts";
import { linkHash } from "../chain.ts";
import type { RunEvent } from "../run-events.ts";
import type { ChainReport } from "../store.ts";
import { openSqliteStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-tamper-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

const note = (text: string): RunEvent => ({ type: "note.added", data: { by: "ana", text } });
const created: RunEvent = {
  type: "run.created",
  data: { migration: "m", hash: "h", source: "s", by: "ana", graph: {} },
};

/** A store of `count` events whose file is then changed by another program. */
async function verifyAfter(count: number, tamper: (db: DatabaseSync) => void): Promise<ChainReport> {
  const path = join(folder, `${++files}.db`);
  const clock = new ManualClock();
  const store = await openSqliteStore({ path, clock });
  await store.runs.commit("r", [created, ...Array.from({ length: count - 1 }, (_, n) => note(`note ${n}`))]);
  await store.close();
  const db = new DatabaseSync(path);
  tamper(db);
  db.close();
  await using again = await openSqliteStore({ path, clock });
  return await again.events.verify();
}

/** What somebody with the file in hand does first. */
const unlock = (db: DatabaseSync): void =>
  db.exec(`DROP TRIGGER events_are_never_changed; DROP TRIGGER events_are_never_removed;
    DROP TRIGGER events_are_added_at_the_end`);

describe("the database itself refuses", () => {
  test.each([
    ["to change an event", "UPDATE events SET data = '{}' WHERE seq = 2"],
    ["to remove an event", "DELETE FROM events WHERE seq = 2"],
    [
      "to replace an event",
      "INSERT OR REPLACE INTO events SELECT seq, at, stream, type, '{}', hash FROM events WHERE seq = 2",
    ],
    [
      "to add an event in the middle",
      "INSERT INTO events SELECT 0, at, stream, type, data, hash FROM events WHERE seq = 2",
    ],
  ])("%s", async (_title, sql) => {
    const report = await verifyAfter(5, (db) => expect(() => db.exec(sql)).toThrow("append-only"));
    expect(report).toMatchObject({ whole: true, events: 5 });
  });
});

describe("verify finds, also when the triggers were removed,", () => {
  test.each([
    [
      "changed data",
      "UPDATE events SET data = replace(data, 'note', 'nope') WHERE seq = 4",
      4,
      "not what was written",
    ],
    ["a changed time", "UPDATE events SET at = at + 1 WHERE seq = 3", 3, "not what was written"],
    ["a changed stream", "UPDATE events SET stream = 'run:x' WHERE seq = 2", 2, "not what was written"],
    ["a changed type", "UPDATE events SET type = 'note' WHERE seq = 2", 2, "not what was written"],
    ["a changed hash", "UPDATE events SET hash = zeroblob(32) WHERE seq = 5", 5, "not what was written"],
    ["a removed event", "DELETE FROM events WHERE seq = 3", 3, "missing"],
    ["a removed first event", "DELETE FROM events WHERE seq = 1", 1, "missing"],
    ["a removed newest event", "DELETE FROM events WHERE seq = 6", 6, "the newest were removed"],
    ["all events removed", "DELETE FROM events", 1, "the newest were removed"],
    [
      "a removed event whose gap was closed",
      "DELETE FROM events WHERE seq = 3; UPDATE events SET seq = seq - 1 WHERE seq > 3",
      3,
      "not what was written",
    ],
    [
      "two events exchanged",
      "UPDATE events SET seq = 100 WHERE seq = 3; UPDATE events SET seq = 3 WHERE seq = 4; UPDATE events SET seq = 4 WHERE seq = 100",
      3,
      "not what was written",
    ],
    [
      "an inserted event",
      "UPDATE events SET seq = -seq WHERE seq > 3; INSERT INTO events SELECT 4, at, stream, type, data, hash FROM events WHERE seq = 3; UPDATE events SET seq = 1 - seq WHERE seq < 0",
      4,
      "not what was written",
    ],
  ])("%s", async (_title, sql, brokenAt, reason) => {
    const report = await verifyAfter(6, (db) => {
      unlock(db);
      db.exec(sql);
    });
    expect(report).toMatchObject({ whole: false, brokenAt });
    expect(report).toHaveProperty("reason", expect.stringContaining(reason));
  });

  test("an event added at the end with a hash that fits", async () => {
    const report = await verifyAfter(3, (db) => {
      const last = db.prepare("SELECT lower(hex(hash)) AS hash FROM events WHERE seq = 3").get();
      const event = { seq: 4, at: 1, stream: "run:r", type: "note.added", data: "{}" };
      const hash = Buffer.from(linkHash(event, String(last?.["hash"])), "hex");
      db.prepare("INSERT INTO events VALUES (4, 1, 'run:r', 'note.added', '{}', ?)").run(hash);
    });
    expect(report).toMatchObject({ whole: false, brokenAt: 4 });
  });

  test("what was cut off at the end, even after the store has written on", async () => {
    const path = join(folder, "cut.db");
    const clock = new ManualClock();
    const first = await openSqliteStore({ path, clock });
    await first.runs.commit("r", [created, note("one"), note("two")]);
    await first.close();
    const db = new DatabaseSync(path);
    unlock(db);
    db.exec("DELETE FROM events WHERE seq = 3");
    db.close();
    await using store = await openSqliteStore({ path, clock });
    await store.runs.commit("r", [note("three")]);
    expect(await store.events.verify()).toMatchObject({ whole: false, brokenAt: 3 });
  });

  test("any single byte of any event that is changed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(19), fc.nat(), fc.integer({ min: 1, max: 255 }), async (row, place, flip) => {
        let changed = false;
        const report = await verifyAfter(20, (db) => {
          unlock(db);
          const found = db
            .prepare("SELECT CAST(data AS BLOB) AS data FROM events WHERE seq = ?")
            .get(row + 1);
          const bytes = Buffer.from(found?.["data"] as Uint8Array);
          const before = sha256(bytes.toString("utf8"));
          const at = place % bytes.length;
          bytes[at] = (bytes[at] ?? 0) ^ flip;
          changed = sha256(bytes.toString("utf8")) !== before;
          db.prepare("UPDATE events SET data = CAST(? AS TEXT) WHERE seq = ?").run(bytes, row + 1);
        });
        expect(report).toMatchObject(changed ? { whole: false, brokenAt: row + 1 } : { whole: true });
      }),
      { numRuns: 25 },
    );
  });
});

test("verify lets other work run while it walks", async () => {
  await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
  await store.runs.commit("r", [created, ...Array.from({ length: 3_000 }, (_, n) => note(`note ${n}`))]);
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const walk = store.events.verify();
  await store.runs.commit("r", [note("meanwhile")]);
  expect(await walk).toMatchObject({ whole: true, events: 3_001 });
  clearInterval(count);
  expect(turns).toBeGreaterThan(0);
});
