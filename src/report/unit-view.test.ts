import { afterEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../core/index.ts";
import { openSqliteStore, type RunEvent, type StepState, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/index.ts";
import { buildRunView, loudUnits, renderHtml, renderMarkdown, type RunView, unitCounts } from "./index.ts";

const stores: Store[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

const names = Array.from({ length: 50 }, (_, index) => `u${String(index + 1).padStart(2, "0")}`);
const pilot = names.slice(0, 10);
const rest = names.slice(10);

const step = (unit: string | null, name: string, wave: string | null = null): JsonObject => ({
  id: unit === null ? `move/${name}` : `move/${name}@${unit}`,
  name,
  unit,
  wave,
  kind: "task",
});

/** Fifty units in two waves, the first with a gate; each unit is copied and compared. */
const fifty: JsonObject = {
  units: names.map((name) => ({
    name,
    ...(name === "u11" ? { title: "Billing", priority: "high", effortMs: 3_600_000 } : {}),
  })),
  waves: [
    { name: "pilot", units: pilot },
    { name: "rest", units: rest },
  ],
  phases: [
    {
      name: "move",
      units: names,
      steps: [
        ...names.flatMap((unit) => [step(unit, "copy"), step(unit, "compare")]),
        step(null, "wave:pilot", "pilot"),
      ],
    },
  ],
};

interface Told {
  readonly store: Store;
  readonly clock: ManualClock;
  /** Takes steps, named without their phase, from one state to another. */
  go(ids: readonly string[], from: StepState, to: StepState, error?: string): Promise<void>;
  phase(name: string, from: string, to: string): Promise<void>;
  view(): Promise<RunView>;
}

async function begin(graph: JsonObject): Promise<Told> {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const store = await openSqliteStore({ path: ":memory:", clock });
  stores.push(store);
  const created = { migration: "m", hash: "a".repeat(64), source: "m.ts", by: "ann", graph };
  await store.runs.commit("r1", [{ type: "run.created", data: created }]);
  const told: Told = {
    store,
    clock,
    go: async (ids, from, to, error) => {
      const events = ids.map((id): RunEvent => ({
        type: "step.transition",
        data: {
          step: `move/${id}`,
          phase: "move",
          from,
          to,
          event: "test",
          attempt: 1,
          ...(error === undefined ? {} : { error: { code: "CUTOVER_STEP_FAILED", message: error } as never }),
        },
      }));
      await store.runs.commit("r1", events);
    },
    phase: async (name, from, to) => {
      const data = { phase: name, from, to, event: "test" } as never;
      await store.runs.commit("r1", [{ type: "phase.transition", data }]);
    },
    view: () => buildRunView(store, "r1", { at: clock.now() }),
  };
  return told;
}

const both = (units: readonly string[]): readonly string[] =>
  units.flatMap((unit) => [`copy@${unit}`, `compare@${unit}`]);

/** The pilot through its gate; of the rest one failed, one moving, one taken back, one moved. */
async function halfway(): Promise<Told> {
  const told = await begin(fifty);
  await told.phase("move", "PENDING", "RUNNING");
  await told.go(both(pilot), "PENDING", "RUNNING");
  await told.clock.advance(5_000);
  await told.go(both(pilot), "RUNNING", "DONE");
  await told.go(["wave:pilot"], "PENDING", "RUNNING");
  await told.go(["wave:pilot"], "RUNNING", "DONE");
  await told.go(["copy@u11", "copy@u12", "copy@u13", ...both(["u14"])], "PENDING", "RUNNING");
  await told.clock.advance(2_000);
  await told.go(["copy@u11", "copy@u12", "copy@u13", ...both(["u14"])], "RUNNING", "DONE");
  await told.go(["compare@u11", "compare@u12", "compare@u13"], "PENDING", "RUNNING");
  await told.clock.advance(1_000);
  await told.go(["compare@u11"], "RUNNING", "FAILED", "3 rows | differ");
  await told.go(["compare@u13"], "RUNNING", "FAILED", "no room");
  await told.go(["compare@u13"], "FAILED", "ROLLING_BACK");
  await told.go(["copy@u13"], "DONE", "ROLLING_BACK");
  await told.go(["copy@u13", "compare@u13"], "ROLLING_BACK", "ROLLED_BACK");
  return told;
}

const unitOf = (view: RunView, name: string): RunView["units"][number] | undefined =>
  view.units.find((unit) => unit.name === name);

describe("how each unit stands", () => {
  test("follows from its own steps: moved, moving, failed, taken back, not begun", async () => {
    const told = await halfway();
    const view = await told.view();

    expect(view.units.map(({ name }) => name)).toEqual(names);
    expect(unitOf(view, "u11")).toEqual({
      name: "u11",
      title: "Billing",
      priority: "high",
      wave: "rest",
      state: "failed",
      stepsDone: 1,
      stepsTotal: 2,
      effortMs: 3_600_000,
      startedAt: told.clock.now() - 3_000,
      endedAt: told.clock.now(),
      line: "compare: 3 rows | differ",
    });
    expect(unitOf(view, "u12")).toMatchObject({
      state: "moving",
      stepsDone: 1,
      endedAt: null,
      line: "compare",
    });
    expect(unitOf(view, "u13")).toMatchObject({ state: "back", stepsDone: 0, line: "compare: no room" });
    expect(unitOf(view, "u50")).toMatchObject({ state: "pending", startedAt: null, endedAt: null, line: "" });
    expect(unitCounts(view.units).map(({ state, count }) => [state, count])).toEqual([
      ["failed", 1],
      ["moving", 1],
      ["back", 1],
      ["moved", 11],
      ["pending", 36],
    ]);
    expect(loudUnits(view.units).map(({ name }) => name)).toEqual(["u11", "u13", "u12"]);
  });

  test("a unit whose steps are done is being judged until its wave's gates have passed", async () => {
    const told = await begin(fifty);
    await told.go(both(pilot), "PENDING", "RUNNING");
    await told.go(both(pilot), "RUNNING", "DONE");
    await told.go(["wave:pilot"], "PENDING", "RUNNING");
    expect(unitOf(await told.view(), "u01")).toMatchObject({ state: "judging", stepsDone: 2, endedAt: null });

    await told.go(["wave:pilot"], "RUNNING", "FAILED", "errors 3× old");
    expect(unitOf(await told.view(), "u01")).toMatchObject({ state: "failed", line: "errors 3× old" });
  });

  test("a unit that is half undone is being taken back while the run goes back", async () => {
    const told = await begin(fifty);
    await told.go(both(["u01"]), "PENDING", "RUNNING");
    await told.go(both(["u01"]), "RUNNING", "DONE");
    await told.store.runs.commit("r1", [
      {
        type: "run.transition",
        data: { from: "RUNNING", to: "ROLLING_BACK", event: "roll-back", reason: "said so" },
      },
    ]);
    await told.go(["compare@u01"], "DONE", "ROLLING_BACK");
    expect(unitOf(await told.view(), "u01")?.state).toBe("taking-back");
    await told.go(["compare@u01"], "ROLLING_BACK", "ROLLED_BACK");
    expect(unitOf(await told.view(), "u01")?.state).toBe("taking-back");
    await told.go(["copy@u01"], "DONE", "ROLLING_BACK");
    await told.go(["copy@u01"], "ROLLING_BACK", "ROLLED_BACK");
    expect(unitOf(await told.view(), "u01")).toMatchObject({ state: "back", stepsDone: 0, stepsTotal: 2 });
  });

  test("a step whose outcome nobody knows is neither failed nor moving", async () => {
    const told = await begin(fifty);
    await told.go(["copy@u01"], "PENDING", "RUNNING");
    await told.go(["copy@u01"], "RUNNING", "UNKNOWN");
    expect(unitOf(await told.view(), "u01")).toMatchObject({ state: "unknown", endedAt: null });
  });

  test("a unit without steps of its own is moved by the phases that name it", async () => {
    const told = await begin({
      units: [{ name: "core" }, { name: "shell" }, { name: "idle" }],
      phases: [
        { name: "move", units: ["core", "shell"], steps: [step(null, "all"), step("shell", "copy")] },
        { name: "watch", units: ["idle"], steps: [] },
      ],
    });
    await told.go(["all"], "PENDING", "RUNNING");
    await told.phase("watch", "PENDING", "RUNNING");
    expect((await told.view()).units.map(({ state, stepsTotal }) => [state, stepsTotal])).toEqual([
      ["moving", 1],
      ["pending", 1],
      ["moving", 0],
    ]);
    await told.go(["all"], "RUNNING", "DONE");
    await told.phase("watch", "RUNNING", "SEALED");
    expect((await told.view()).units.map(({ state }) => state)).toEqual(["moved", "pending", "moved"]);
  });

  test("steps of units are told apart by name wherever steps are listed", async () => {
    const [phase] = (await (await halfway()).view()).phases;
    expect(phase?.steps.map(({ name }) => name)).toContain("copy@u11");
  });
});

describe("reports on many units", () => {
  test("Markdown counts them and lists each, with nothing in a record read as markup", async () => {
    const text = renderMarkdown(await (await halfway()).view());
    expect(text).toContain("50 units: 1 failed · 1 moving · 1 taken back · 11 moved · 36 not begun.");
    expect(text).toContain("| unit | state | steps | now | took | wave | priority | effort |");
    expect(text).toMatch(
      /\| u11: Billing \| ✖ failed \| 1 of 2 \| .*differ \| 3\.0 s \| rest \| high \| 1 h 00 min \|/,
    );
    expect(text.match(/^\| u\d\d/gm)).toHaveLength(50);
  });

  test("HTML shows those in trouble or in motion and folds up the others", async () => {
    const page = renderHtml(await (await halfway()).view());
    const [before = "", folded = ""] = page.split("47 units more");
    expect(before).toContain(">u12</td>");
    expect(before).not.toContain(">u50</td>");
    expect(folded).toContain(">u50</td>");
    expect(page).toContain("<b>11 of 50</b>");
    // A short word is never broken inside, however narrow its column gets.
    expect(page).toMatch(/<td class="short"[^>]*><span class="good">✔<\/span> moved<\/td>/);
    expect(page).toContain(".short{white-space:nowrap}");
  });

  test("a single unit is not told apart from its phases", async () => {
    const told = await begin({ ...fifty, units: [{ name: "u01" }], waves: [] });
    const view = await told.view();
    expect(view.units).toHaveLength(1);
    expect(renderMarkdown(view)).not.toContain("## Units");
    expect(renderHtml(view)).not.toContain("<h2>Units</h2>");
  });
});
