import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PhaseView, RunView, StepView } from "../../report/index.ts";
import { bar } from "./bar.ts";
import { closingBlock } from "./closing-block.ts";
import { ends, fit, lineWidth, paint, span } from "./line.ts";
import { PlainLines } from "./plain-lines.ts";
import { runTree } from "./run-tree.ts";
import { cut, pad, textWidth, wrap } from "./text-width.ts";

const step = (name: string, change: Partial<StepView> = {}): StepView => ({
  id: `move/${name}`,
  name,
  kind: "task",
  state: "PENDING",
  attempt: 0,
  startedAt: null,
  endedAt: null,
  elapsedMs: null,
  progress: null,
  result: null,
  error: null,
  line: "",
  ...change,
});

const phase = (name: string, change: Partial<PhaseView> = {}): PhaseView => ({
  name,
  title: "",
  state: "PENDING",
  startedAt: null,
  endedAt: null,
  elapsedMs: null,
  forwardOnly: false,
  approvals: 0,
  approvers: [],
  counts: {},
  steps: [],
  hiddenSteps: 0,
  verdicts: [],
  headline: "",
  ...change,
});

const start = Date.UTC(2026, 0, 1, 12);

function view(
  change: Omit<Partial<RunView>, "run"> & { readonly run?: Partial<RunView["run"]> } = {},
): RunView {
  const { run, ...rest } = change;
  return {
    run: {
      id: "r7f3k",
      migration: "work-order-queue",
      title: "",
      hash: "a".repeat(64),
      source: "crossing.ts",
      state: "RUNNING",
      reason: "",
      startedBy: "ann",
      createdAt: start,
      updatedAt: start,
      endedAt: null,
      elapsedMs: 112_000,
      owner: "host:1",
      at: start + 112_000,
      waitsFor: "",
      throttledBy: null,
      callsPerSecond: 203,
      ...run,
    },
    phases: [],
    units: [],
    triggers: [],
    routes: [],
    success: [],
    wanted: [],
    approvals: [],
    overrides: [],
    incidents: [],
    aside: [],
    sidecars: [],
    notes: [],
    next: { text: "", command: "" },
    ...rest,
  };
}

const ramping = view({
  phases: [
    phase("prepare", {
      state: "SEALED",
      startedAt: start,
      endedAt: start + 10_000,
      elapsedMs: 10_000,
      headline: "backup restored and equal (62 files)",
    }),
    phase("rollout", {
      state: "RUNNING",
      startedAt: start + 10_000,
      elapsedMs: 60_000,
      counts: { RUNNING: 1 },
      steps: [
        step("ramp", {
          state: "RUNNING",
          attempt: 1,
          progress: {
            done: null,
            total: null,
            unit: null,
            note: "old 500 calls · new 498 calls",
            share: 50,
            fraction: null,
          },
        }),
      ],
      verdicts: [
        {
          gate: "errors of queue.submit below 2× old",
          role: "step",
          step: "rollout/ramp",
          verdict: "hold",
          reason: "ratio 0.9 (0.6–1.4), clears below 2×: e 12 of 20",
          figures: null,
          evidence: [],
          waitMs: 25_000,
          at: start,
        },
      ],
    }),
    phase("retire", { forwardOnly: true, approvals: 1, headline: "irreversible, needs 1 approval" }),
  ],
  triggers: ["errors > 2× old", "p99 > 2× old", "memory > 90 %"].map((name) => ({
    name,
    action: "rollback",
    phases: [],
    armed: true,
    manual: false,
    unproven: false,
    last: null,
    firedAt: null,
    firedFor: null,
    firedBy: null,
    recoveredAt: null,
  })),
});

const shown = (what: RunView, columns: number, rows = 100, keys = ""): readonly string[] =>
  runTree(what, { columns, rows, keys }).map((line) => paint(line, false));

describe("a picture of a run that stays", () => {
  const headline = `45,829 rows moved · 2.5 MB · ${Array.from({ length: 8 }, (_, n) => `${n} set aside for reason ${n}`).join(" · ")}`;
  const sealed = view({ phases: [phase("copy", { state: "SEALED", elapsedMs: 12_000, headline })] });
  const drawn = (columns: number, still: boolean): readonly string[] =>
    runTree(sealed, { columns, rows: 10_000, keys: "", still }).map((line) => paint(line, false));

  test.each([60, 80, 200])("tells in %i columns all that a phase says, and no line is wider", (columns) => {
    const lines = drawn(columns, true);
    expect(lines.every((line) => textWidth(line) <= columns)).toBe(true);
    const text = lines.join(" ").replaceAll(/\s+/g, " ");
    if (columns > 60) expect(text).toContain(headline);
    else expect(text).toContain("45,829 rows moved · 2.5 MB · 0 set aside for reason 0 · 1 set aside");
  });

  test("a live one keeps one line for each phase", () => {
    expect(drawn(80, false).filter((line) => line.trim() !== "")).toHaveLength(2);
  });
});

describe("text in a terminal", () => {
  test("wide letters take two columns, marks on letters none", () => {
    expect([textWidth("abc"), textWidth("漢字"), textWidth("e\u0301"), textWidth("✔●…")]).toEqual([
      3, 4, 1, 3,
    ]);
  });

  test("cut and padded text has exactly the width asked for, whatever it holds", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 40 }), (text, columns) => {
        expect(textWidth(cut(text, columns))).toBeLessThanOrEqual(columns);
        const padded = textWidth(pad(text, columns));
        expect(padded === columns || padded === columns - 1).toBe(true);
      }),
    );
  });

  test("wrapping loses no word", () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
        fc.integer({ min: 5, max: 60 }),
        (words, columns) => {
          expect(wrap(words.join(" "), columns).join(" ")).toBe(words.join(" "));
        },
      ),
    );
  });

  test("a line is coloured after it is measured, and carries no colour without a terminal", () => {
    const line = [span("ok", "good"), span(" then")];
    expect(lineWidth(line)).toBe(7);
    expect(paint(line, false)).toBe("ok then");
    expect(paint(line, true)).toBe("\u001b[32mok\u001b[0m then");
    expect(paint(fit(line, 4), false)).toBe("ok …");
    expect(paint(ends([span("a")], [span("b")], 5), false)).toBe("a   b");
    expect(paint(ends([span("abcd")], [span("b")], 5), false)).toBe("abcd");
  });

  test("what a record holds cannot move the cursor", () => {
    expect(paint([span("a\u001b[2Jb\nc")], false)).toBe("a\ufffd[2Jb c");
  });

  test("a bar never looks empty when something is done, nor full when something is left", () => {
    const text = (fraction: number): string =>
      bar(fraction, 10)
        .map((part) => part.text)
        .join("");
    expect([0, 0.001, 0.5, 0.999, 1].map(text)).toEqual([
      "░░░░░░░░░░",
      "█░░░░░░░░░",
      "█████░░░░░",
      "█████████░",
      "██████████",
    ]);
  });
});

describe("the tree of a run", () => {
  test("names the triggers that people fire, and says which one slows the run and why", () => {
    const [first, second] = ramping.triggers;
    if (first === undefined || second === undefined) throw new Error("expected triggers");
    const triggers = [
      { ...first, name: "customer impact", manual: true },
      { ...second, name: "memory > 90 %", action: "throttle", firedAt: start, firedFor: "memory 0.95" },
    ];
    const text = shown({ ...ramping, triggers }, 80).join("\n");
    expect(text).toContain(" throttled: one step at a time, memory > 90 %: memory 0.95");
    expect(text).toContain(" armed: customer impact (by hand) · memory > 90 %");
    expect(text).not.toContain("unproven");
  });

  test("names the triggers that guard nothing, since nobody has said how they are measured", () => {
    const [first, ...others] = ramping.triggers;
    if (first === undefined) throw new Error("expected triggers");
    const triggers = [{ ...first, name: "the queue grows", armed: false, unproven: true }, ...others];
    const lines = shown({ ...ramping, triggers }, 80);
    expect(lines).toContain(" ⚠ unproven, never fire: the queue grows");
    expect(lines.find((line) => line.startsWith(" armed: "))).not.toContain("queue");
  });

  test("shows share, wait, gate, triggers and what is to come in 80 columns", () => {
    expect(shown(ramping, 80, 100, "p pause")).toEqual([
      "work-order-queue · run r7f3k · 01:52                               ● 203 calls/s",
      "",
      " ✔ prepare    10 s   backup restored and equal (62 files)",
      " ● rollout   01:00   ████████████░░░░░░░░░░░░  50 %   holding, about 25 s more",
      "       old 500 calls · new 498 calls",
      "     ◐ errors of queue.submit below 2× old",
      "       ratio 0.9 (0.6–1.4), clears below 2×: e 12 of 20",
      " ○ retire            ⚠ irreversible, needs 1 approval",
      "",
      " armed: errors > 2× old · p99 > 2× old · memory > 90 %                   p pause",
    ]);
  });

  test("fits every width and height", () => {
    const waiting = view({
      ...ramping,
      wanted: [
        {
          phase: "rollout",
          needed: 2,
          from: [],
          given: ["ann"],
          evidence: "e",
          command: 'cutover approve r7f3k --phase rollout --reason "…"',
        },
      ],
      overrides: [
        { at: start, what: "route moved by hand from shadow to live", by: "ben", reason: "because" },
      ],
    });
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 140 }), fc.integer({ min: 12, max: 40 }), (columns, rows) => {
        const lines = shown(waiting, columns, rows, "p pause · b roll back · q stop");
        expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);
        expect(lines.length).toBeLessThanOrEqual(rows + 6);
      }),
    );
  });

  test("a command is never cut off, however narrow the terminal is", () => {
    const command = 'cutover approve r7f3k --phase retire --reason "…"';
    const waiting = view({
      phases: [
        phase("retire", { state: "AWAITING_APPROVAL", approvals: 1, headline: "waits for 1 approval" }),
      ],
      wanted: [{ phase: "retire", needed: 1, from: [], given: [], evidence: "e", command }],
    });
    const text = shown(waiting, 44)
      .map((line) => line.trim())
      .join(" ");
    expect(text).toContain(`npx ${command}`);
  });

  test("an override is shown in the tree", () => {
    const moved = view({ overrides: [{ at: start, what: "route moved", by: "ben", reason: "because" }] });
    expect(shown(moved, 80).join("\n")).toContain("⚠ override route moved (ben: because)");
  });
});

describe("plain lines for a log", () => {
  const clock = /^\d\d:\d\d:\d\d {2}/;

  test("tell each change once, each with its time", () => {
    const lines = new PlainLines(start);
    const say = (what: RunView): readonly string[] => lines.next(what).map((line) => paint(line, false));
    const first = say(ramping);
    expect(first.every((line) => clock.test(line))).toBe(true);
    expect(first.map((line) => line.replace(clock, ""))).toEqual([
      "work-order-queue · run r7f3k · running",
      "● prepare begins",
      "✔ prepare sealed after 10 s · backup restored and equal (62 files)",
      "● rollout begins",
      "  ramp at 50 % · old 500 calls · new 498 calls",
    ]);
    expect(say(ramping)).toEqual([]);
  });

  test("what was over before anybody looked is one line a phase", () => {
    const lines = new PlainLines(start + 60_000);
    const text = lines.next(ramping).map((line) => paint(line, false).replace(clock, ""));
    expect(text).toContain("✔ prepare sealed after 10 s · backup restored and equal (62 files)");
    expect(text).not.toContain("● prepare begins");
  });

  test("a quiet run says every 15 s that it lives", () => {
    const lines = new PlainLines(start);
    lines.next(ramping);
    const later = view({ ...ramping, run: { ...ramping.run, at: ramping.run.at + 15_000 } });
    expect(lines.next(later)).toHaveLength(1);
  });

  test("a wait for approval names the command", () => {
    const lines = new PlainLines(start);
    const waiting = view({
      phases: [phase("retire", { state: "AWAITING_APPROVAL", startedAt: start })],
      wanted: [
        {
          phase: "retire",
          needed: 1,
          from: ["ann"],
          given: [],
          evidence: "e",
          command: "cutover approve r7f3k",
        },
      ],
    });
    const text = lines
      .next(waiting)
      .map((line) => paint(line, false))
      .join("\n");
    expect(text).toContain("waits for approval, 0 of 1 given from ann: npx cutover approve r7f3k");
  });
});

describe("the closing block", () => {
  test("of a run that was taken back names incident and next command", () => {
    const back = view({
      run: { state: "ROLLED_BACK", reason: "errors 31× old", elapsedMs: 1_400 },
      incidents: [
        {
          id: "i12",
          cause: "trigger",
          summary: "errors 31× old",
          seen: {},
          openedAt: start,
          closedAt: start + 1_400,
          outcome: "back",
          facts: {},
        },
      ],
      next: { text: "mend the cause, then", command: "cutover run crossing.ts --from rollout" },
    });
    const text = closingBlock(back, { report: "r.html" }).map((line) => paint(line, false));
    expect(text[0]).toBe("✖ rolled back · 1.4 s · errors 31× old");
    expect(text).toContain("  → npx cutover report r7f3k --incident i12");
    expect(text.at(-1)).toBe("  next: mend the cause, then  npx cutover run crossing.ts --from rollout");
  });
});
