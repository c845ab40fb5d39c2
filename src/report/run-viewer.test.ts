import { afterEach, describe, expect, test } from "vitest";
import type { Interval } from "../core/index.ts";
import { type EvidenceRecord, openSqliteStore, type RunEvent, type Store } from "../store/index.ts";
import { ManualClock } from "../testing/index.ts";
import { asideItems, sidecarsOf } from "./aside.ts";
import { buildRunView, renderAside, renderHtml, renderIncident, renderMarkdown, RunViewer } from "./index.ts";

const stores: Store[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function emptyStore(): Promise<{ store: Store; clock: ManualClock }> {
  const clock = new ManualClock(Date.UTC(2026, 0, 1, 12));
  const store = await openSqliteStore({ path: ":memory:", clock });
  stores.push(store);
  return { store, clock };
}

const nasty = `<script>alert("x")</script> | \u001b[2J`;

const graph = {
  title: nasty,
  phases: [
    { name: "prepare", steps: [{ id: "prepare/backup", name: "backup", kind: "task" }] },
    {
      name: "rollout",
      approval: { by: 2, from: ["ann", "ben"] },
      steps: [{ id: "rollout/ramp", name: "ramp", kind: "ramp" }],
    },
    { name: "retire", forwardOnly: true, approval: { by: 1 }, steps: [] },
  ],
  triggers: [{ name: "errors > 2× old", action: "rollback", phases: null }],
};

const created: RunEvent = {
  type: "run.created",
  data: { migration: "queue", hash: "a".repeat(64), source: "crossing.ts", by: "ann", graph },
};

const stepEvent = (
  step: string,
  from: "PENDING" | "RUNNING",
  to: "RUNNING" | "DONE",
  result?: object,
): RunEvent => ({
  type: "step.transition",
  data: {
    step,
    phase: step.split("/")[0] ?? "",
    from,
    to,
    event: to === "DONE" ? "done" : "start",
    attempt: 1,
    ...(result === undefined ? {} : { result: result as never }),
  },
});

const interval = (
  id: string,
  from: number,
  old: number,
  fresh: number,
  change: Partial<Interval> = {},
): Interval => ({
  id,
  route: "queue.submit",
  door: "d",
  epoch: 1,
  stage: "live",
  share: 50,
  from,
  to: from + 1_000,
  old: { calls: old, errors: 1, latency: [[100, old]] },
  new: { calls: fresh, errors: 2, latency: [[80, fresh]] },
  shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
  compared: 10,
  mismatches: 1,
  failedOver: 2,
  operations: { submit: 10 },
  ...change,
});

/** A run half way: prepared, ramping, one override, one incident, something set aside. */
async function halfway(): Promise<{ store: Store; clock: ManualClock }> {
  const { store, clock } = await emptyStore();
  await store.runs.commit("r1", [created]);
  await store.runs.commit("r1", [
    { type: "phase.transition", data: { phase: "prepare", from: "PENDING", to: "RUNNING", event: "begin" } },
    stepEvent("prepare/backup", "PENDING", "RUNNING"),
  ]);
  await clock.advance(10_000);
  await store.runs.commit("r1", [
    stepEvent("prepare/backup", "RUNNING", "DONE", {
      note: `62 files, ${nasty}`,
      aside: [{ id: "wo-13", reason: "cut off", file: "x.json" }, "wo-14"],
    }),
    { type: "phase.transition", data: { phase: "prepare", from: "RUNNING", to: "SEALED", event: "seal" } },
    { type: "phase.transition", data: { phase: "rollout", from: "PENDING", to: "RUNNING", event: "begin" } },
    stepEvent("rollout/ramp", "PENDING", "RUNNING"),
    {
      type: "verdict.given",
      data: {
        gate: "errors below 2× old",
        role: "exit",
        phase: "rollout",
        verdict: "hold",
        reason: "ratio 0.9 (0.6–1.4)",
        figures: { e: 12 },
        evidence: ["e1"],
      },
    },
    {
      type: "override.recorded",
      data: { what: "route queue.submit: shadow → live", by: "ben", reason: nasty },
    },
    {
      type: "incident.opened",
      data: { id: "i1", cause: "trigger", summary: "errors 31× old", seen: { ratio: 31, text: "```" } },
    },
  ]);
  await store.routes.set({
    route: "queue.submit",
    epoch: 0,
    stage: "live",
    share: 50,
    by: "ann",
    reason: "ramp",
  });
  const at = clock.now();
  await store.routes.recordIntervals([
    interval("1", at, 100, 0, { share: 0 }),
    interval("2", at + 1_000, 50, 50),
    interval("3", at + 2_000, 0, 120, { share: 100 }),
  ]);
  await clock.advance(3_000);
  return { store, clock };
}

describe("a run as it is shown", () => {
  test("checks that say nothing when they pass leave no gap in the words of their phase", async () => {
    const headlineOf = async (...reasons: readonly string[]): Promise<string | undefined> => {
      const { store, clock } = await emptyStore();
      const small = { phases: [{ name: "prepare", steps: [] }], triggers: [] };
      const step = { phase: "prepare", event: "x" };
      await store.runs.commit("r1", [
        { ...created, data: { ...created.data, graph: small } } as RunEvent,
        { type: "phase.transition", data: { ...step, from: "PENDING", to: "CHECKING" } },
        ...reasons.map((reason, index): RunEvent => {
          const data = {
            gate: `check ${index}`,
            role: "entry",
            phase: "prepare",
            verdict: "pass",
            reason,
          } as const;
          return { type: "verdict.given", data: { ...data, evidence: [] } };
        }),
        { type: "phase.transition", data: { ...step, from: "CHECKING", to: "RUNNING" } },
        { type: "phase.transition", data: { ...step, from: "RUNNING", to: "SEALED" } },
      ]);
      return (await buildRunView(store, "r1", { at: clock.now() })).phases[0]?.headline;
    };
    expect(await headlineOf("", "git ended well", "")).toBe("git ended well");
    expect(await headlineOf("", "")).toBe("2 checks passed");
  });

  test("tells what was done, what goes on and what is to come", async () => {
    const { store, clock } = await halfway();
    const live = {
      progress: { "rollout/ramp": { share: 50, note: "holding" } },
      verdicts: [],
      throttledBy: null,
      waitsFor: "",
    };
    const view = await buildRunView(store, "r1", { at: clock.now(), live });

    expect(view.phases.map(({ name, state, elapsedMs }) => [name, state, elapsedMs])).toEqual([
      ["prepare", "SEALED", 10_000],
      ["rollout", "RUNNING", 3_000],
      ["retire", "PENDING", null],
    ]);
    expect(view.phases[0]?.headline).toContain("2 set aside");
    expect(view.phases[1]?.steps[0]?.line).toBe("50 % · holding");
    expect(view.phases[2]?.headline).toBe("irreversible, needs 1 approval");
    expect(view.run).toMatchObject({ startedBy: "ann", elapsedMs: 13_000, endedAt: null });
  });

  test("sets old against new: calls, errors, latency, rate while alone", async () => {
    const { store, clock } = await halfway();
    const view = await buildRunView(store, "r1", { at: clock.now() });
    const [route] = view.routes;

    expect(route?.sides.old).toMatchObject({ calls: 150, errors: 3 });
    expect(route?.sides.new).toMatchObject({ calls: 170, errors: 6 });
    expect(route?.sides.old.p99).toBeCloseTo(0.01 * 1.08 ** 100, 6);
    expect(route?.alone).toEqual({ old: 100, new: 120 });
    expect([route?.compared, route?.mismatches, route?.failedOver]).toEqual([30, 3, 6]);
    expect(route?.series.map((point) => point.share)).toEqual([0, 50, 100]);
    expect(view.run.callsPerSecond).toBeCloseTo((150 + 170 - 6) / 3, 6);
  });

  test("names who must approve, on which evidence, and with which command", async () => {
    const { store, clock } = await halfway();
    await store.runs.commit("r1", [
      {
        type: "phase.transition",
        data: { phase: "rollout", from: "RUNNING", to: "AWAITING_APPROVAL", event: "ask" },
      },
      {
        type: "evidence.recorded",
        data: { id: "b".repeat(64), name: "approval-basis", phase: "rollout", data: {} },
      },
      {
        type: "approval.given",
        data: { phase: "rollout", by: "ann", reason: "fine", evidence: "b".repeat(64) },
      },
    ]);
    const view = await buildRunView(store, "r1", { at: clock.now() });

    expect(view.wanted).toEqual([
      {
        phase: "rollout",
        needed: 2,
        from: ["ann", "ben"],
        given: ["ann"],
        evidence: "b".repeat(64),
        command: 'cutover approve r1 --phase rollout --reason "…"',
      },
    ]);
    expect(view.next.command).toBe(view.wanted[0]?.command);
  });

  test("a viewer that looks again sees what is new and forgets nothing", async () => {
    const { store, clock } = await halfway();
    const viewer = new RunViewer(store, "r1");
    await viewer.view({ at: clock.now() });
    await store.runs.commit("r1", [
      { type: "override.recorded", data: { what: "second", by: "ben", reason: "again" } },
      stepEvent("rollout/ramp", "RUNNING", "DONE", { note: "at 100 %" }),
    ]);
    await store.routes.recordIntervals([interval("4", clock.now(), 0, 7)]);

    const second = await viewer.view({ at: clock.now() });
    expect(second).toEqual(await buildRunView(store, "r1", { at: clock.now() }));
    expect(second.overrides.map(({ what }) => what)).toEqual(["route queue.submit: shadow → live", "second"]);
    expect(second.routes[0]?.sides.new.calls).toBe(177);
  });

  test("lists of steps stay short however many there are, with all that is in trouble", async () => {
    const { store, clock } = await emptyStore();
    const steps = Array.from({ length: 1_000 }, (_, index) => ({
      id: `many/s${index}`,
      name: `s${index}`,
      kind: "task",
    }));
    await store.runs.commit("r1", [
      { ...created, data: { ...created.data, graph: { phases: [{ name: "many", steps }] } } } as RunEvent,
    ]);
    await store.runs.commit(
      "r1",
      steps.slice(0, 900).map(({ id }) => stepEvent(id, "PENDING", "RUNNING")),
    );
    await store.runs.commit(
      "r1",
      steps.slice(0, 890).map(({ id }) => stepEvent(id, "RUNNING", "DONE")),
    );
    const [phase] = (await buildRunView(store, "r1", { at: clock.now() })).phases;

    expect(phase?.counts).toEqual({ DONE: 890, RUNNING: 10, PENDING: 100 });
    expect(phase?.steps.filter((step) => step.state === "RUNNING")).toHaveLength(10);
    expect((phase?.steps.length ?? 0) + (phase?.hiddenSteps ?? 0)).toBe(1_000);
    expect(phase?.steps.length).toBeLessThanOrEqual(200);
  });

  test("a run that is not there is refused by its code", async () => {
    const { store } = await emptyStore();
    await expect(buildRunView(store, "nope", { at: 0 })).rejects.toMatchObject({
      code: "CUTOVER_RUN_NOT_FOUND",
    });
  });
});

describe("reports", () => {
  test("Markdown shows phases, verdicts, both sides, overrides, incidents and what was set aside", async () => {
    const { store, clock } = await halfway();
    const view = await buildRunView(store, "r1", { at: clock.now() });
    const text = renderMarkdown(view, { audit: await store.events.verify() });

    for (const part of [
      "## ⚠ Overrides (1)",
      "ratio 0.9 (0.6–1.4)",
      "| calls | 150 | 170 |",
      "errors 31× old",
      "wo-13",
      "chain whole",
    ])
      expect(text).toContain(part);
    expect(text).not.toContain("<script>");
    expect(text.split("\n").filter((line) => line.startsWith("|") && !line.endsWith("|"))).toEqual([]);
  });

  test("HTML is one file that loads nothing, runs nothing and obeys nothing in the record", async () => {
    const { store, clock } = await halfway();
    const page = renderHtml(await buildRunView(store, "r1", { at: clock.now() }));

    expect(page).not.toMatch(/<script|<link|<img|src=|@import|url\(/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("&lt;script&gt;");
    expect(page).toContain('name="viewport"');
    expect(page).toContain("prefers-color-scheme:dark");
    expect(page.match(/<svg/g)?.length).toBeGreaterThan(3);
    expect(openTags(page)).toEqual([]);
  });

  test("a report without overrides says that there are none", async () => {
    const { store, clock } = await emptyStore();
    await store.runs.commit("r1", [created]);
    const view = await buildRunView(store, "r1", { at: clock.now() });
    expect(renderMarkdown(view)).toContain("None: every move of this run rests on evidence.");
    expect(renderHtml(view)).toContain("None: every move of this run rests on evidence.");
  });

  test("an incident can be read on its own, with what was seen", async () => {
    const { store, clock } = await halfway();
    const view = await buildRunView(store, "r1", { at: clock.now() });
    expect(renderIncident(view, "i1")).toContain('"ratio": 31');
    // A fence in the evidence cannot close the block around it.
    expect(renderIncident(view, "i1")).toContain("````json");
    expect(renderIncident(view, "i2")).toBeUndefined();
  });

  test("what was set aside is listed with its reason, whether an entry is a text or an object", async () => {
    const { store, clock } = await halfway();
    const view = await buildRunView(store, "r1", { at: clock.now() });
    expect(view.aside).toEqual([
      { id: "wo-13", reason: "cut off", step: "prepare/backup", facts: { file: "x.json" } },
      { id: "wo-14", reason: "", step: "prepare/backup", facts: {} },
    ]);
    expect(renderAside(view)).toContain("| `wo-13` | cut off | prepare/backup | file x.json |");
    expect(renderAside({ ...view, aside: [] })).toBe("Nothing was set aside.");
  });

  test("on a phone each cell of a row set aside stands behind what its column says, so that no column runs off", async () => {
    const { store, clock } = await halfway();
    const page = renderHtml(await buildRunView(store, "r1", { at: clock.now() }));
    const [row = ""] = page.match(/<tr>(?:(?!<\/tr>)[^])*wo-13[^]*?<\/tr>/) ?? [];
    const heads = [...row.matchAll(/<td[^>]* data-head="([^"]+)"/g)].map(([, head]) => head);
    expect(heads).toEqual(["what", "why", "step", "known about it"]);
    expect(page).toMatch(/@media \(max-width:34rem\)\{[^]*\.stacked td::before\{content:attr\(data-head\)/);
    expect(page).not.toContain("min-width:36rem");
  });

  test("a newer list of what lies aside in a store stands in place of the one before", () => {
    const told = (step: string, of: string | null, ...ids: readonly string[]): EvidenceRecord =>
      ({
        name: "aside",
        step,
        data: { ...(of === null ? {} : { of }), items: ids.map((id) => ({ id, reason: "no image" })) },
      }) as unknown as EvidenceRecord;
    const evidence = [
      told("move/backfill", "lmdb:new", "a", "b"),
      told("move/task", null, "c"),
      told("move/verify", "lmdb:new", "b"),
      told("back/cutoverData", "leveldb:old", "d"),
    ];
    expect(asideItems([], evidence).map(({ id, step }) => `${step} ${id}`)).toEqual([
      "move/task c",
      "move/verify b",
      "back/cutoverData d",
    ]);
  });
});

describe("old rows that are kept beside their images", () => {
  const told = (of: string, originals?: number): EvidenceRecord =>
    ({
      name: "aside",
      step: "move/verify",
      data: { of, items: [], ...(originals === undefined ? {} : { originals }) },
    }) as unknown as EvidenceRecord;

  test("are told with their newest number, for each store that has some", () => {
    const evidence = [
      told("lmdb:new", 3),
      told("lmdb:other", 5),
      told("lmdb:new", 30),
      told("lmdb:other", 0),
      told("x"),
    ];
    expect(sidecarsOf(evidence)).toEqual([{ store: "lmdb:new", rows: 30, step: "move/verify" }]);
  });

  test("are said in both reports, also where nothing was set aside", async () => {
    const { store, clock } = await halfway();
    const seen = await buildRunView(store, "r1", { at: clock.now() });
    const view = { ...seen, aside: [], sidecars: sidecarsOf([told("lmdb:new", 1_200)]) };
    const line = "lmdb:new keeps the old rows of 1,200 images: their way back is exact";
    expect(renderAside(view)).toBe(`Nothing was set aside.\n\n- ${line}`);
    expect(renderMarkdown(view)).toContain(`## Set aside\n\nNothing was set aside.\n\n- ${line}\n`);
    expect(renderHtml(view)).toContain(`<p>${line}</p>`);
  });
});

/** Tags that are opened and not closed, or the other way round. */
function openTags(page: string): readonly string[] {
  const alone = new Set(["meta", "rect", "path", "br"]);
  const open: string[] = [];
  for (const [, end, name = ""] of page.matchAll(/<(\/?)([a-z0-9]+)(?:\s[^<>]*)?>/g)) {
    if (alone.has(name)) continue;
    if (end === "") open.push(name);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
}
