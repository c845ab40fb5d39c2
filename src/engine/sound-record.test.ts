import { DatabaseSync } from "node:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { silentLog } from "../core/index.ts";
import { defineMigration, gate, phase, step } from "../plan/index.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/index.ts";
import { createEngine, type Engine } from "./engine.ts";

const folder = mkdtempSync(join(tmpdir(), "cutover-sound-"));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;

const done: string[] = [];
const held = defineMigration({
  name: "held",
  phases: [
    phase("one", {
      steps: [step("a", { run: () => {}, rollback: () => {} })],
      exit: [gate("never", { collect: () => ({}), judge: () => ({ kind: "hold", reason: "no evidence" }) })],
    }),
    phase("two", {
      approval: { by: 2 },
      steps: [step("b", { run: () => void done.push("b"), rollback: () => {} })],
    }),
  ],
});

/** A run that its gate holds, on a store whose file another hand can open. */
async function heldRun(): Promise<{
  path: string;
  clock: ManualClock;
  store: Store;
  engine: Engine;
  run: string;
}> {
  const path = join(folder, `${++files}.db`);
  const clock = new ManualClock();
  const store = await openSqliteStore({ path, clock });
  const make = (owner: string): Engine =>
    createEngine({ store, clock, log: silentLog, owner, dir: folder, isDead: () => true });
  const first = make("first");
  const handle = await first.start(held, { by: "ann", source: "test.ts" });
  while ((await store.runs.verdicts(handle.id)).length === 0) await clock.advance(250);
  await handle.stop();
  return { path, clock, store, engine: make("second"), run: handle.id };
}

function edit(path: string, sql: string): void {
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
}

describe("a run whose rows were edited", () => {
  test.each([
    ["a phase said to be sealed", "UPDATE phases SET state = 'SEALED' WHERE phase = 'one'", "has state"],
    ["a gate said to have passed", "UPDATE verdicts SET verdict = 'pass'", "has verdict"],
    [
      "approvals that nobody gave",
      `INSERT INTO approvals SELECT 900 + n, id, 'two', 'eve' || n, '', 'x', 1, 0
       FROM runs, (SELECT 1 AS n UNION SELECT 2)`,
      "comes from no event",
    ],
    ["a run said to be over", "UPDATE runs SET state = 'COMPLETED'", "has state"],
  ])("is not carried on: %s", async (_title, sql, told) => {
    const { path, store, engine, run } = await heldRun();
    edit(path, sql);
    const events = await store.events.count();
    await expect(engine.resume(run, held, { by: "ann" })).rejects.toMatchObject({
      code: "CUTOVER_AUDIT_BROKEN",
      place: `run ${run}`,
      message: expect.stringContaining(told) as string,
    });
    expect(await store.events.count()).toBe(events);
    expect(done).toEqual([]);
    await store.rebuild();
    const handle = await engine.resume(run, held, { by: "ann" });
    expect(handle.live().phases["two"]).not.toBe("SEALED");
    await handle.stop();
    await store.close();
  });

  test("is nothing that a later run may begin from", async () => {
    const { path, store, engine, run } = await heldRun();
    edit(path, "UPDATE phases SET state = 'SEALED' WHERE phase = 'one'; UPDATE runs SET state = 'COMPLETED'");
    await expect(engine.start(held, { by: "ann", source: "test.ts", from: "two" })).rejects.toMatchObject({
      code: "CUTOVER_AUDIT_BROKEN",
      place: `run ${run}`,
    });
    await store.close();
  });
});
