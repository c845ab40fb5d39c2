import { describe, expect, test } from "vitest";
import { CutoverError, type ErrorCode } from "../core/index.ts";
import { defineMigration } from "./define-migration.ts";
import type { MigrationInput, Phase, Step, Trigger } from "./definition.ts";
import { isMigration } from "./migration.ts";
import { memory, p99, rate, value } from "./measures.ts";
import { check, gate, phase } from "./phase.ts";
import { step } from "./task.ts";
import { when } from "./when.ts";

const run = (): void => {};
const done = step("done", { run });
const move = phase("move", { steps: [done] });

/** The error a definition ends with, or a failure of the test. */
function errorOf(input: unknown): CutoverError {
  try {
    defineMigration(input as MigrationInput);
  } catch (error) {
    if (error instanceof CutoverError) return error;
    throw error;
  }
  throw new Error("expected the definition to be refused");
}

const withPhases = (...phases: unknown[]): unknown => ({ name: "queue", phases });
const withSteps = (...steps: unknown[]): unknown => withPhases({ name: "move", steps });
const steps = (extra: Partial<Step>): unknown => withSteps({ ...done, ...extra });
const wholly = (extra: object): unknown => ({ name: "queue", phases: [move], ...extra });
const exit = (...gates: unknown[]): unknown => withPhases({ ...move, exit: gates });

interface Refused {
  readonly title: string;
  readonly input: unknown;
  readonly code: ErrorCode;
  readonly message: string | RegExp;
  readonly place: string;
  readonly remedy: string | RegExp;
}

const refused: readonly Refused[] = [
  {
    title: "no definition at all",
    input: undefined,
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a migration, found undefined",
    place: "the migration",
    remedy: /write an object with name/,
  },
  {
    title: "a name that is not kebab-case",
    input: { name: "Work Orders", phases: [move] },
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected a name in kebab-case, found "Work Orders"',
    place: 'migration "Work Orders"',
    remedy: /small letters/,
  },
  {
    title: "a name that is missing",
    input: { phases: [move] },
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a name in kebab-case, found none",
    place: "the migration",
    remedy: /small letters/,
  },
  {
    title: "a misspelt member, which would do nothing",
    input: wholly({ triger: [] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "a migration knows no `triger`",
    place: 'migration "queue"',
    remedy: 'did you mean "triggers"?',
  },
  {
    title: "a definition without phases",
    input: { name: "queue", phases: [] },
    code: "CUTOVER_PLAN_INVALID",
    message: "expected at least one phase, found none",
    place: 'migration "queue"',
    remedy: /phase\("name"/,
  },
  {
    title: "phases that are no list",
    input: { name: "queue", phases: "move" },
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `phases` to be a list, found "move"',
    place: 'migration "queue"',
    remedy: "write phases: [ … ]",
  },
  {
    title: "a phase that is no object",
    input: withPhases("move"),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected a phase, found "move"',
    place: 'phases[0] "move"',
    remedy: /write an object/,
  },
  {
    title: "a step of plain JavaScript without options",
    input: withPhases(phase("move", { steps: [step("copy", undefined as never)] })),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected "run" to be a function, found undefined',
    place: 'phases[0] "move" › steps[0] "copy" › run',
    remedy: /write run: async/,
  },
  {
    title: "a mistyped rollback, which would undo nothing",
    input: withPhases(
      phase("move", { steps: [step("copy", { run: () => {}, rolback: () => {} } as never)] }),
    ),
    code: "CUTOVER_PLAN_INVALID",
    message: 'a step knows no "rolback"',
    place: 'phases[0] "move" › steps[0] "copy" › rolback',
    remedy: 'did you mean "rollback"?',
  },
  {
    title: "a trigger that was not told what to do",
    input: wholly({ triggers: [when(memory().above(0.9)) as unknown as Trigger] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a trigger, found when(…) without what it does",
    place: "triggers[0]",
    remedy: /\.then\("rollback"\)/,
  },
  {
    title: "a trigger on something that is no gate",
    input: wholly({ triggers: [when(5 as never).then("pause")] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a gate, found 5",
    place: 'triggers[0] "when(…)"',
    remedy: /./,
  },
  {
    title: "an empty phase",
    input: withPhases(move, phase("rest", {})),
    code: "CUTOVER_PLAN_INVALID",
    message: 'phase "rest" is empty',
    place: 'phases[1] "rest"',
    remedy: /steps, a checklist, exit gates or an approval/,
  },
  {
    title: "a phase name that would break step ids",
    input: withPhases({ ...move, name: "move/it" }),
    code: "CUTOVER_PLAN_INVALID",
    message: /name of a phase to be letters.* found "move\/it"/,
    place: 'phases[0] "move/it"',
    remedy: /put words for people into `title`/,
  },
  {
    title: "two phases of one name",
    input: withPhases(move, phase("move", { steps: [done] })),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each phase once, found "move" twice',
    place: "phases",
    remedy: /a name of its own/,
  },
  {
    title: "a phase after one that does not exist",
    input: withPhases(move, phase("rest", { after: ["moev"], steps: [done] })),
    code: "CUTOVER_PLAN_UNKNOWN_PHASE",
    message: 'expected a known phase, found "moev"',
    place: 'phases[1] "rest"',
    remedy: 'did you mean "move"?',
  },
  {
    title: "phases that wait for each other, with the path",
    input: withPhases(
      { name: "a", after: ["c"], steps: [done] },
      { name: "b", steps: [done] },
      { name: "c", steps: [done] },
    ),
    code: "CUTOVER_PLAN_CYCLE",
    message: "phases wait for each other: a → b → c → a",
    place: "phases",
    remedy: /removing one of these "after" entries/,
  },
  {
    title: "a forward-only phase that nobody has to approve",
    input: withPhases({ name: "retire", forwardOnly: true, steps: [done] }),
    code: "CUTOVER_PLAN_FORWARD_ONLY",
    message: 'phase "retire" has no way back once begun, but nobody has to approve it',
    place: 'phases[0] "retire"',
    remedy: "add `approval: { by: 1 }` to the phase",
  },
  {
    title: "an approval by nobody",
    input: withPhases({ ...move, approval: { by: 0 } }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected `by` to be a whole number of people from 1 on, found 0",
    place: 'phases[0] "move" › approval',
    remedy: "write approval: { by: 1 }",
  },
  {
    title: "an approval by more people than are named",
    input: withPhases({ ...move, approval: { by: 2, from: ["ann"] } }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected 2 different people in `from`, found 1",
    place: 'phases[0] "move" › approval',
    remedy: /name more people/,
  },
  {
    title: "an approval by more people than are named, one under two spellings",
    input: withPhases({ ...move, approval: { by: 2, from: ["ann", "Ann "] } }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected 2 different people in `from`, found 1",
    place: 'phases[0] "move" › approval',
    remedy: /name more people/,
  },
  {
    title: "patience that is no duration",
    input: withPhases({ ...move, patience: "long" }),
    code: "CUTOVER_DURATION_INVALID",
    message: /`patience` to be a duration.* found "long"/,
    place: 'phases[0] "move"',
    remedy: /ms, s, m, h or d/,
  },
  {
    title: "forward-only as a text",
    input: withPhases({ ...move, forwardOnly: "false" }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `forwardOnly` to be true or false, found "false"',
    place: 'phases[0] "move"',
    remedy: /leave it out/,
  },
  {
    title: "a check without a function",
    input: withPhases({ ...move, entry: [{ name: "backup", run: true }] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected `run` to be a function, found true",
    place: 'phases[0] "move" › entry[0] "backup"',
    remedy: /check\("name"/,
  },
  {
    title: "two checks of one name",
    input: withPhases({
      ...move,
      wayBack: [check("ok", () => ({ ok: true, note: "" })), check("ok", () => ({ ok: true, note: "" }))],
    }),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each check once, found "ok" twice',
    place: 'phases[0] "move" › wayBack',
    remedy: /a name of its own/,
  },
  {
    title: "a step that is none",
    input: withSteps(null),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a step, found null",
    place: 'phases[0] "move" › steps[0]',
    remedy: /make steps with step\(\)/,
  },
  {
    title: "a step without a kind",
    input: steps({ kind: "task" as never }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `kind` to be a step kind, found "task"',
    place: 'phases[0] "move" › steps[0] "done"',
    remedy: /make steps with step\(\)/,
  },
  {
    title: "two steps of one name",
    input: withSteps(done, step("done", { run })),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each step name once, found "done" twice',
    place: 'phases[0] "move"',
    remedy: /a name of its own/,
  },
  {
    title: "a step after one that does not exist",
    input: withSteps(step("verify", { run }), step("copy", { run, after: ["verfiy"] })),
    code: "CUTOVER_PLAN_UNKNOWN_STEP",
    message: 'expected `after` to name a step of phase "move", found "verfiy"',
    place: 'phases[0] "move" › steps[1] "copy"',
    remedy: 'did you mean "verify"?',
  },
  {
    title: "steps that wait for each other, with the path",
    input: withSteps(
      step("backfill", { run, after: ["repair"] }),
      step("verify", { run }),
      step("repair", { run }),
    ),
    code: "CUTOVER_PLAN_CYCLE",
    message: 'steps of phase "move" wait for each other: backfill → verify → repair → backfill',
    place: 'phases[0] "move" › steps[0] "backfill"',
    remedy: 'break the circle by removing one of these "after" entries',
  },
  {
    title: "a step that waits for itself",
    input: withSteps(step("copy", { run, after: ["copy"] })),
    code: "CUTOVER_PLAN_CYCLE",
    message: 'steps of phase "move" wait for each other: copy → copy',
    place: 'phases[0] "move" › steps[0] "copy"',
    remedy: /break the circle/,
  },
  {
    title: "an irreversible step where there must be a way back",
    input: withSteps(step("drop", { run, irreversible: true })),
    code: "CUTOVER_PLAN_NO_WAY_BACK",
    message: 'step "drop" cannot be undone, but its phase is not forward-only',
    place: 'phases[0] "move" › steps[0] "drop"',
    remedy: /add a rollback to the step, or mark its phase `forwardOnly`/,
  },
  {
    title: "a timeout that is no duration",
    input: steps({ timeout: "3 weeks" }),
    code: "CUTOVER_DURATION_INVALID",
    message: /`timeout` to be a duration.* found "3 weeks"/,
    place: 'phases[0] "move" › steps[0] "done"',
    remedy: /ms, s, m, h or d/,
  },
  {
    title: "retries below nought",
    input: steps({ retries: -1 }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected `retries` to be a whole number from 0 on, found -1",
    place: 'phases[0] "move" › steps[0] "done"',
    remedy: /leave `retries` out/,
  },
  {
    title: "an input that cannot be recorded",
    input: withSteps(step("copy", { run, input: { from: { at: new Date(0) } } as never })),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected `input.from.at` to be JSON, found an instance of Date",
    place: 'phases[0] "move" › steps[0] "copy"',
    remedy: /keep functions and class instances out of it/,
  },
  {
    title: "a step without a function to run",
    input: withSteps(step("copy", {} as never)),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected "run" to be a function, found undefined',
    place: 'phases[0] "move" › steps[0] "copy" › run',
    remedy: /async \(context\)/,
  },
  {
    title: "an estimate that is no duration",
    input: withSteps(step("copy", { run, estimate: "soon" })),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected "estimate" to be a duration, found "soon"',
    place: 'phases[0] "move" › steps[0] "copy" › estimate',
    remedy: /number with a unit/,
  },
  {
    title: "an irreversible step with a rollback",
    input: withPhases({
      name: "retire",
      forwardOnly: true,
      approval: { by: 1 },
      steps: [step("drop", { run, rollback: run, irreversible: true })],
    }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected an irreversible step to have no rollback, found both",
    place: 'phases[0] "retire" › steps[0] "drop" › irreversible',
    remedy: /remove/,
  },
  {
    title: "a step of a unit that does not exist",
    input: {
      name: "queue",
      units: ["orders"],
      phases: [phase("move", { steps: [step("copy", { run, unit: "order" })] })],
    },
    code: "CUTOVER_PLAN_UNKNOWN_UNIT",
    message: 'expected a known unit of this phase, found "order"',
    place: 'phases[0] "move" › steps[0] "copy" of unit "order"',
    remedy: 'did you mean "orders"?',
  },
  {
    title: "a phase of a unit that does not exist",
    input: withPhases({ ...move, units: ["orders"] }),
    code: "CUTOVER_PLAN_UNKNOWN_UNIT",
    message: 'expected a known unit, found "orders"',
    place: 'phases[0] "move" › units',
    remedy: /name a unit that is listed in `units`/,
  },
  {
    title: "steps per unit without units",
    input: withPhases({ name: "move", steps: () => [done] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected units for a list of steps per unit, found none",
    place: 'phases[0] "move"',
    remedy: /name the units/,
  },
  {
    title: "steps per unit whose function throws",
    input: wholly({
      units: ["a"],
      phases: [
        {
          name: "move",
          steps: () => {
            throw new Error("no table");
          },
        },
      ],
    }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected a list of steps for unit "a", but the function threw: no table',
    place: 'phases[0] "move" › steps("a")',
    remedy: /answer for every unit/,
  },
  {
    title: "a step list for one unit with a step of another",
    input: wholly({
      units: ["a", "b"],
      phases: [phase("move", { steps: () => [step("copy", { run, unit: "a" })] })],
    }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected step "copy" to belong to unit "b", found "a"',
    place: 'phases[0] "move" › steps("b")',
    remedy: /leave `unit` out/,
  },
  {
    title: "a unit after one that does not exist",
    input: wholly({ units: ["common", { name: "main", after: ["comon"] }] }),
    code: "CUTOVER_PLAN_UNKNOWN_UNIT",
    message: 'expected a known unit, found "comon"',
    place: 'units[1] "main"',
    remedy: 'did you mean "common"?',
  },
  {
    title: "units that wait for each other, with the path",
    input: wholly({
      units: [
        { name: "a", after: ["b"] },
        { name: "b", after: ["a"] },
      ],
    }),
    code: "CUTOVER_PLAN_CYCLE",
    message: "units wait for each other: a → b → a",
    place: "units",
    remedy: /break the circle/,
  },
  {
    title: "a unit listed twice",
    input: wholly({ units: ["a", "a"] }),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each unit once, found "a" twice',
    place: "units",
    remedy: /a name of its own/,
  },
  {
    title: "an effort that is no duration",
    input: wholly({ units: [{ name: "a", effort: "2 days" }] }),
    code: "CUTOVER_DURATION_INVALID",
    message: /`effort`/,
    place: 'units[0] "a"',
    remedy: /ms, s, m, h or d/,
  },
  {
    title: "a wave of a unit that does not exist",
    input: wholly({ units: ["a"], waves: [{ name: "pilot", units: ["a", "zebra"] }] }),
    code: "CUTOVER_PLAN_UNKNOWN_UNIT",
    message: 'expected a known unit, found "zebra"',
    place: 'waves[0] "pilot"',
    remedy: /listed in `units`, or add it there; known: a/,
  },
  {
    title: "waves that leave a unit out",
    input: wholly({ units: ["a", "b"], waves: [{ name: "pilot", units: ["a"] }] }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected every unit in a wave, found none for "b"',
    place: "waves",
    remedy: "add the named units to a wave",
  },
  {
    title: "a unit in two waves",
    input: wholly({
      units: ["a"],
      waves: [
        { name: "one", units: ["a"] },
        { name: "two", units: ["a"] },
      ],
    }),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each unit in the waves once, found "a" twice',
    place: "waves",
    remedy: /a name of its own/,
  },
  {
    title: "a wave before the wave its units depend on",
    input: wholly({
      units: ["a", { name: "b", after: ["a"] }],
      waves: [
        { name: "one", units: ["b"] },
        { name: "two", units: ["a"] },
      ],
    }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'unit "b" comes after "a", but its wave "one" goes before wave "two"',
    place: "waves",
    remedy: /move "a" to wave "one" or an earlier one/,
  },
  {
    title: "an empty wave",
    input: wholly({
      units: ["a"],
      waves: [
        { name: "one", units: [] },
        { name: "two", units: ["a"] },
      ],
    }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a wave to hold at least one unit, found none",
    place: 'waves[0] "one"',
    remedy: /name its units/,
  },
  {
    title: "a rate no evidence can be below",
    input: exit(rate.error().below(0)),
    code: "CUTOVER_GATE_INPUT",
    message: 'gate "errors below 0 %": expected a rate to be tested against between 0 and 1, found 0',
    place: 'phases[0] "move" › exit[0] "errors below 0 %"',
    remedy: /shares lie in 0…1/,
  },
  {
    title: "a rate in percent instead of a share",
    input: exit(rate.mismatch("queue.submit").below(5)),
    code: "CUTOVER_GATE_INPUT",
    message: /expected a rate to be tested against between 0 and 1, found 5/,
    place: 'phases[0] "move" › exit[0] "mismatches of queue.submit below 500 %"',
    remedy: /shares lie in 0…1/,
  },
  {
    title: "a comparison that equal sides fail",
    input: exit(p99().worseThan("old", { by: 1 })),
    code: "CUTOVER_GATE_INPUT",
    message: /expected `by` above 1 and at most 1000, found 1/,
    place: 'phases[0] "move" › exit[0] "p99 below 1× old"',
    remedy: /probabilities in \(0, 1\)/,
  },
  {
    title: "an impossible alpha",
    input: exit(rate.error().below(0.1, { alpha: 0 })),
    code: "CUTOVER_GATE_INPUT",
    message: /expected alpha between 0 and 1, found 0/,
    place: 'phases[0] "move" › exit[0] "errors below 10 %"',
    remedy: /probabilities/,
  },
  {
    title: "more bad intervals than intervals",
    input: exit(value("depth", () => 1).below(10, { n: 4, of: 3 })),
    code: "CUTOVER_GATE_INPUT",
    message: /expected `n` of at most 3 intervals, found 4/,
    place: 'phases[0] "move" › exit[0] "depth not above 10"',
    remedy: /whole numbers/,
  },
  {
    title: "an interval that is no duration",
    input: exit(memory().below(0.9, { interval: "often" })),
    code: "CUTOVER_GATE_INPUT",
    message: /expected `interval` to be a duration above 0/,
    place: 'phases[0] "move" › exit[0] "memory below 90 %"',
    remedy: /whole numbers/,
  },
  {
    title: "a limit that is no number",
    input: exit(value("depth", () => 1).below(Number.NaN)),
    code: "CUTOVER_GATE_INPUT",
    message: /expected a finite limit, found NaN/,
    place: 'phases[0] "move" › exit[0] "depth not above NaN"',
    remedy: /whole numbers/,
  },
  {
    title: "two gates of one name",
    input: exit(rate.error().below(0.1), rate.error().below(0.1)),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each gate once, found "errors below 10 %" twice',
    place: 'phases[0] "move" › exit',
    remedy: /a name of its own/,
  },
  {
    title: "a gate that is none",
    input: exit(0.01),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a gate, found 0.01",
    place: 'phases[0] "move" › exit[0]',
    remedy: /use rate, p50/,
  },
  {
    title: "a gate of one's own without a judge",
    input: exit(gate("restored", { collect: () => ({}) } as never)),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected `judge` to be a function, found undefined",
    place: 'phases[0] "move" › exit[0] "restored"',
    remedy: /gate\("name"/,
  },
  {
    title: "a trigger in a phase that does not exist",
    input: wholly({ triggers: [when(memory().above(0.9)).then("throttle", { phases: ["moving"] })] }),
    code: "CUTOVER_PLAN_UNKNOWN_PHASE",
    message: 'expected a known phase, found "moving"',
    place: 'triggers[0] "memory > 90 %"',
    remedy: /name a phase of this migration/,
  },
  {
    title: "a trigger armed in no phase",
    input: wholly({ triggers: [when(memory().above(0.9)).then("throttle", { phases: [] })] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a trigger to be armed in a phase, found an empty list",
    place: 'triggers[0] "memory > 90 %"',
    remedy: /leave `phases` out/,
  },
  {
    title: "a trigger with an unknown action",
    input: wholly({ triggers: [when(memory().above(0.9)).then("stop" as Trigger["action"])] }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected an action of alert, pause, throttle, hold, rollback or contingency("…"), found "stop"',
    place: 'triggers[0] "memory > 90 %"',
    remedy: /then\("rollback"\)/,
  },
  {
    title: "two triggers of one name",
    input: wholly({
      triggers: [when(memory().above(0.9)).then("alert"), when(memory().above(0.9)).then("pause")],
    }),
    code: "CUTOVER_PLAN_DUPLICATE",
    message: 'expected each trigger name once, found "memory > 90 %" twice',
    place: "triggers",
    remedy: /a name of its own/,
  },
  {
    title: "a trigger on an impossible limit",
    input: wholly({ triggers: [when(memory().above(90)).then("throttle")] }),
    code: "CUTOVER_GATE_INPUT",
    message: /expected a limit on memory between 0 and 1, found 90/,
    place: 'triggers[0] "memory > 9000 %"',
    remedy: /shares lie in 0…1/,
  },
  {
    title: "a risk of an unknown level",
    input: wholly({ risks: [{ risk: "loss", probability: "some", impact: "high", mitigation: "backup" }] }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `probability` of low, medium, high, found "some"',
    place: "risks[0]",
    remedy: 'write probability: "medium"',
  },
  {
    title: "a contingency without steps",
    input: wholly({ contingencies: [{ name: "stuck", on: "rollback-stuck", steps: [] }] }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected a contingency to have steps, found none",
    place: 'contingencies[0] "stuck"',
    remedy: /write its procedure as steps/,
  },
  {
    title: "a contingency for an unknown event",
    input: wholly({ contingencies: [{ name: "stuck", on: "fire", steps: [done] }] }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `on` to be "rollback-stuck" or "manual", found "fire"',
    place: 'contingencies[0] "stuck"',
    remedy: /rollback-stuck/,
  },
  {
    title: "a schedule on a day that does not exist",
    input: wholly({ schedule: { start: "2026-02-30" } }),
    code: "CUTOVER_PLAN_INVALID",
    message: 'expected `start` to be a date such as 2026-03-01, found "2026-02-30"',
    place: "schedule",
    remedy: /ISO 8601/,
  },
  {
    title: "a schedule that ends before it starts",
    input: wholly({ schedule: { start: "2026-03-02", end: "2026-03-01" } }),
    code: "CUTOVER_PLAN_INVALID",
    message: "expected the end after the start, found 2026-03-02 … 2026-03-01",
    place: "schedule",
    remedy: /swap them/,
  },
];

describe("a wrong definition is refused with code, place and remedy", () => {
  test.each(refused)("$title", ({ input, code, message, place, remedy }) => {
    const error = errorOf(input);
    const [first] = error.details["problems"] as { place: string; code: string }[];
    expect({ code: error.code, place: first?.place }).toEqual({ code, place });
    expect(error.message.split("\n")[0]).toEqual(
      typeof message === "string" ? message : expect.stringMatching(message),
    );
    expect(error.remedy).toEqual(typeof remedy === "string" ? remedy : expect.stringMatching(remedy));
    expect(error.exitCode).toBe(2);
  });

  test("a phase behind a circle is called unreachable, with the phase it waits for", () => {
    const error = errorOf(
      withPhases(
        { name: "a", after: ["b"], steps: [done] },
        { name: "b", after: ["a"], steps: [done] },
        { name: "c", after: ["b"], steps: [done] },
      ),
    );
    const problems = error.details["problems"] as { code: string; place: string; message: string }[];
    expect(problems.map((problem) => problem.code)).toEqual([
      "CUTOVER_PLAN_CYCLE",
      "CUTOVER_PLAN_UNREACHABLE",
    ]);
    expect(problems[1]).toMatchObject({
      place: 'phases[2] "c"',
      message: 'phase "c" can never begin: it comes after "b", which never ends',
    });
  });

  test("a circle that only exists between two units is found, with its path", () => {
    const perUnit: Phase["steps"] = (unit) => [step("copy", { run, after: unit === "a" ? ["copy@b"] : [] })];
    const error = errorOf({
      name: "queue",
      units: ["a", { name: "b", after: ["a"] }],
      phases: [phase("move", { steps: perUnit })],
    });
    expect(error.code).toBe("CUTOVER_PLAN_CYCLE");
    expect(error.details["path"]).toEqual(["copy@a", "copy@b", "copy@a"]);
  });

  test("all problems are shown together, in the order of the definition", () => {
    const error = errorOf({
      name: "queue",
      units: ["a", "a"],
      phases: [phase("move", { steps: [step("drop", { run, irreversible: true, timeout: "x" })] })],
      triggers: [when(rate.error().above(2)).then("rollback", { phases: ["nowhere"] })],
    });
    const problems = error.details["problems"] as { code: string; place: string }[];
    expect(problems.map((problem) => problem.code)).toEqual([
      "CUTOVER_PLAN_DUPLICATE",
      "CUTOVER_DURATION_INVALID",
      "CUTOVER_PLAN_NO_WAY_BACK",
      "CUTOVER_PLAN_UNKNOWN_PHASE",
      "CUTOVER_GATE_INPUT",
    ]);
    expect(error.message).toContain("4 more problems:");
    for (const problem of problems.slice(1)) expect(error.message).toContain(problem.code);
  });

  test("the place names the file and line of the step, else of its phase, else of the migration", () => {
    const line = (error: CutoverError): number =>
      Number(/define-migration\.test\.ts:(\d+)\)$/.exec(error.place ?? "")?.[1]);
    const here = Number(/:(\d+):\d+\)?$/.exec(new Error("here").stack?.split("\n")[1] ?? "")?.[1]);
    const bad = step("drop", { run, irreversible: true });
    expect(line(errorOf(withSteps(bad)))).toBe(here + 1);
    const copied = { ...bad };
    const owner = phase("move", { steps: [copied] });
    expect(line(errorOf(withPhases(owner)))).toBe(here + 4);
  });

  test("nonsense of any shape ends in the one error, never in a TypeError", () => {
    const nonsense: unknown[] = [
      null,
      7,
      "x",
      [],
      () => {},
      { phases: {} },
      { name: "a", phases: [null, [], 7] },
    ];
    for (const part of [null, 7, "x", {}, [null], [7], [[]], ["x"], [{}]])
      for (const key of [
        "units",
        "waves",
        "phases",
        "triggers",
        "success",
        "risks",
        "contingencies",
        "schedule",
      ])
        nonsense.push({ name: "queue", phases: [move], [key]: part, extra: 1 });
    for (const part of [null, 7, "x", {}, [null], [7], [[]], ["x"], [{}]])
      for (const key of [
        "steps",
        "entry",
        "exit",
        "after",
        "units",
        "approval",
        "wayBack",
        "patience",
        "title",
      ])
        nonsense.push(withPhases({ ...move, [key]: part, extra: 1 }));
    for (const part of [null, 7, {}, [null], [7]])
      for (const key of ["name", "kind", "after", "unit", "timeout", "retries"])
        nonsense.push(withSteps({ ...done, [key]: part, extra: 1 }));
    for (const input of nonsense) expect(errorOf(input)).toBeInstanceOf(CutoverError);
  });
});

describe("a step kind of another room", () => {
  const kind = (validate: () => never): unknown => steps({ kind: { ...done.kind, validate } });

  test("may refuse its input with an error of its own", () => {
    const missing = new CutoverError("CUTOVER_ROUTE_UNKNOWN", {
      message: "no such route",
      details: { route: "x" },
    });
    const error = errorOf(
      kind(() => {
        throw missing;
      }),
    );
    expect(error).toMatchObject({
      code: "CUTOVER_ROUTE_UNKNOWN",
      message: "no such route",
      remedy: missing.remedy,
    });
    expect(error.details["route"]).toBe("x");
  });

  test("that stumbles over its input is a problem of the definition, not a crash", () => {
    const error = errorOf(
      kind(() => {
        throw new TypeError("input is null");
      }),
    );
    expect(error).toMatchObject({
      code: "CUTOVER_PLAN_INVALID",
      message: 'step kind "task" could not read its input: input is null',
    });
  });
});

describe("a sound definition", () => {
  test("can be told from any other value", () => {
    expect(isMigration(defineMigration({ name: "queue", phases: [move] }))).toBe(true);
    for (const other of [null, undefined, "migration", {}, move, { name: "queue", phases: [] }])
      expect(isMigration(other)).toBe(false);
  });

  test("gets its defaults and cannot be changed afterwards", () => {
    const migration = defineMigration({
      name: "queue",
      units: ["a"],
      phases: [move, phase("check", { entry: [check("counts", () => ({ ok: true, note: "22" }))] })],
    });
    expect(migration.phases[1]).toMatchObject({
      after: ["move"],
      units: ["a"],
      forwardOnly: false,
      patienceMs: 86_400_000,
      steps: [],
    });
    expect(migration.units).toEqual([
      { name: "a", title: undefined, priority: undefined, after: [], effortMs: undefined },
    ]);
    expect(() => (migration.phases as unknown as Phase[]).push(move)).toThrow(TypeError);
  });

  test("may hold irreversible steps where an approval guards a forward-only phase", () => {
    const retire = phase("retire", {
      forwardOnly: true,
      approval: { by: 2, from: ["ann", "bob"] },
      steps: [step("drop", { run, irreversible: true })],
    });
    expect(defineMigration({ name: "queue", phases: [move, retire] }).phases).toHaveLength(2);
  });
});
