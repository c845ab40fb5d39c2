import { expect, test } from "vitest";
import {
  check,
  command,
  defineMigration,
  from,
  gate,
  type Migration,
  phase,
  step,
  unproven,
} from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { buildRunView } from "./run-viewer.ts";
import type { PlanItem } from "../core/index.ts";
import { readPlanRecord } from "./plan-record.ts";

const hash = "cd".repeat(32);

const migration = (exit: "pass" | "fail"): Migration =>
  defineMigration({
    name: "queue",
    units: ["one", "two"],
    document: { file: "PLAN.md", hash },
    phases: [
      phase("copy", {
        from: "PLAN.md:3",
        entry: [
          from(
            "PLAN.md:4",
            check("backup taken", () => ({ ok: true, note: "62 files" })),
          ),
        ],
        steps: (unit) => [from("PLAN.md:5", step(`copy`, { run: () => ({ unit }), rollback: () => {} }))],
        exit: [
          from(
            "PLAN.md:6",
            gate("rows equal", {
              collect: () => ({ exit }),
              judge: (seen) => ({
                kind: seen["exit"] === "pass" ? "pass" : "fail",
                reason: `it says ${exit}`,
              }),
            }),
          ),
        ],
      }),
      phase("switch", {
        units: [],
        steps: [
          step("flip", unproven("flip the switch", { from: "PLAN.md:9" })),
          command("tidy", { run: ["true"], from: "PLAN.md:10" }),
        ],
      }),
    ],
  });

const itemsOf = async (rig: Rig, run: string): Promise<Readonly<Record<string, PlanItem>>> => {
  const view = await buildRunView(rig.store, run, { at: rig.clock.now() });
  const { items, document } = await readPlanRecord(rig.store, run, view);
  expect(document).toEqual({ file: "PLAN.md", hash });
  return Object.fromEntries(items.map((item) => [`${item.role} ${item.name}`, item]));
};

test("the record tells of every item of a plan how it stands, its line, and the events that show it", async () => {
  await using rig = await openRig();
  const handle = await rig.start(migration("pass"));
  await rig.until(() => handle.live().state === "HOLDING");
  const items = await itemsOf(rig, handle.id);
  expect(items["entry backup taken"]).toMatchObject({ state: "proven", from: "PLAN.md:4", phase: "copy" });
  expect(items["step copy/copy@two"]).toMatchObject({ state: "done", from: "PLAN.md:5" });
  expect(items["exit rows equal"]).toMatchObject({
    state: "proven",
    from: "PLAN.md:6",
    note: "it says pass",
  });
  expect(items["phase copy"]).toMatchObject({ state: "done", from: "PLAN.md:3" });
  expect(items["unit one"]).toMatchObject({ state: "done", from: null });
  expect(items["step switch/flip"]).toMatchObject({ state: "holds", from: "PLAN.md:9" });
  expect(items["step switch/tidy"]).toMatchObject({ state: "open", from: "PLAN.md:10", events: [] });
  const stored = new Map((await rig.store.events.read({ limit: 1_000 })).map(({ seq, type }) => [seq, type]));
  expect(items["exit rows equal"]?.events.map((seq) => stored.get(seq))).toEqual([
    "evidence.recorded",
    "verdict.given",
  ]);
  expect(items["step copy/copy@one"]?.events.map((seq) => stored.get(seq))).toEqual(["step.transition"]);
});

test("what a person settled is told as a word, not as done", async () => {
  await using rig = await openRig();
  const handle = await rig.start(migration("pass"));
  await rig.until(() => handle.live().state === "HOLDING");
  await handle.settle("switch/flip", "done", "ada", "flipped by hand");
  await rig.end(handle);
  expect((await itemsOf(rig, handle.id))["step switch/flip"]).toMatchObject({
    state: "on-word",
    note: expect.stringContaining("flipped by hand") as unknown,
  });
});

test("a phase that was taken back shows nothing any more, also what was proven in it", async () => {
  await using rig = await openRig();
  const handle = await rig.start(migration("fail"));
  await rig.end(handle);
  const items = await itemsOf(rig, handle.id);
  expect(items["entry backup taken"]?.state).toBe("back");
  expect(items["step copy/copy@one"]?.state).toBe("back");
  expect(items["phase copy"]?.state).toBe("back");
  expect(items["unit one"]?.state).toBe("back");
});
