import { nameOneOf } from "../core/index.ts";
import type { Contingency, MigrationInput, Trigger } from "./definition.ts";
import { readAlarm } from "./read-gates.ts";
import { sourceProblems } from "./read-measures.ts";
import type { RunCondition } from "./run-conditions.ts";
import { found, isObject, type Scope } from "./scope.ts";
import { contingencyOf } from "./when.ts";

/** What triggers may speak of. Contingencies as they were written: what is wrong with them is told at their own place. */
interface TriggerSurroundings {
  readonly phases: readonly string[];
  readonly units: readonly unknown[];
  readonly contingencies: MigrationInput["contingencies"];
  readonly schedule: MigrationInput["schedule"];
}

const actions = ["alert", "pause", "throttle", "hold", "rollback"];
const keys = ["name", "condition", "action", "phases", "for", "recover", "cooldown", "repeat"];
const times = ["for", "recover", "cooldown", "repeat"] as const;

export function readTriggers(
  scope: Scope,
  input: readonly Trigger[] | undefined,
  around: TriggerSurroundings,
): readonly Trigger[] {
  const triggers = scope.list(input, "triggers");
  for (const [index, trigger] of triggers.entries()) {
    const at = scope.entry("triggers", index, trigger);
    if (isObject(trigger) && typeof trigger["then"] === "function") {
      at.problem("CUTOVER_PLAN_INVALID", "expected a trigger, found when(…) without what it does", {
        remedy: 'write when(…).then("rollback")',
      });
      continue;
    }
    if (!at.object(trigger, "a trigger", keys)) continue;
    at.text(trigger.name, "name", true);
    readAction(at, trigger, around);
    readTimes(at, trigger);
    const armed = at.list(trigger.phases, "phases");
    at.known("CUTOVER_PLAN_UNKNOWN_PHASE", armed, around.phases, "phase", "name a phase of this migration");
    if (trigger.phases !== undefined && Array.isArray(trigger.phases) && armed.length === 0)
      at.problem("CUTOVER_PLAN_INVALID", "expected a trigger to be armed in a phase, found an empty list", {
        remedy: "leave `phases` out to arm it in all",
      });
    readCondition(at, trigger, around);
  }
  scope.in("triggers").unique(
    triggers.map((trigger) => (isObject(trigger) ? trigger["name"] : undefined)),
    "trigger name",
  );
  return triggers;
}

function readAction(at: Scope, { action }: Trigger, { contingencies }: TriggerSurroundings): void {
  const procedure = typeof action === "string" ? contingencyOf(action) : undefined;
  if (procedure === undefined) {
    if (!actions.includes(action))
      at.problem(
        "CUTOVER_PLAN_INVALID",
        `expected an action of ${actions.join(", ")} or contingency("…"), found ${found(action)}`,
        { remedy: typeof action === "string" ? nameOneOf(action, actions, instead) : instead },
      );
    return;
  }
  const known = (Array.isArray(contingencies) ? contingencies : []).filter(
    (each): each is Contingency => isObject(each) && typeof each["name"] === "string",
  );
  const meant = known.find((each) => each.name === procedure);
  if (meant?.on === "manual") return;
  if (meant !== undefined)
    return at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected a contingency that a trigger may run, found "${procedure}", which runs by itself when a rollback is stuck`,
      { remedy: 'declare it with on: "manual"' },
    );
  at.problem("CUTOVER_PLAN_INVALID", `expected a contingency of this migration, found ${found(procedure)}`, {
    remedy: nameOneOf(
      procedure,
      known.filter(({ on }) => on === "manual").map(({ name }) => name),
      'declare it: contingencies: [{ name, on: "manual", steps }]',
    ),
  });
}

const instead = 'write when(…).then("rollback")';

function readTimes(at: Scope, trigger: Trigger): void {
  const byHand = isObject(trigger.condition) && trigger.condition.type === "manual";
  for (const key of times) {
    const given: unknown = trigger[key];
    if (given === undefined) continue;
    if (byHand) {
      at.problem("CUTOVER_PLAN_INVALID", `expected no \`${key}\` on a trigger that a person fires`, {
        remedy: `remove \`${key}\`: the person decides when`,
      });
      continue;
    }
    at.duration(trigger[key], key);
  }
  const { action, repeat } = trigger;
  const lasting = action !== "alert" && typeof action === "string" && contingencyOf(action) === undefined;
  if (repeat !== undefined && lasting)
    at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected \`repeat\` on an alert or a contingency, found it on ${action}`,
      {
        remedy: `remove \`repeat\`: ${action} lasts until it is over`,
      },
    );
}

function readCondition(at: Scope, { condition }: Trigger, around: TriggerSurroundings): void {
  const type: unknown = isObject(condition) ? condition["type"] : undefined;
  if (type === "manual") return;
  if (type !== "run") return readAlarm(at, condition as Parameters<typeof readAlarm>[1]);
  const given = condition as RunCondition;
  at.text(given.name, "name", true);
  for (const message of conditionProblems(given)) at.problem("CUTOVER_GATE_INPUT", message);
  if (given.of === "units-failed" && around.units.length === 0)
    at.problem("CUTOVER_PLAN_INVALID", "expected units to count failed ones of, found a migration of none", {
      remedy: "name the units in `units`",
    });
  if (given.of === "behind-schedule" && around.schedule?.end === undefined)
    at.problem("CUTOVER_PLAN_INVALID", "expected a schedule to be behind of, found none with an end", {
      remedy: 'write schedule: { end: "2026-03-01" }',
    });
}

function conditionProblems(condition: RunCondition): readonly string[] {
  const problems: string[] = [];
  const say = (sound: boolean, expected: string, value: unknown): void => {
    if (!sound) problems.push(`${condition.name}: expected ${expected}, found ${found(value)}`);
  };
  const count = (name: string, value: number): void =>
    say(Number.isSafeInteger(value) && value >= 1, `\`${name}\` to be a whole number from 1 on`, value);
  const time = (name: string, value: number): void =>
    say(Number.isFinite(value) && value > 0, `\`${name}\` to be a duration above 0`, value);
  switch (condition.of) {
    case "units-failed":
      say(
        Number.isSafeInteger(condition.limit) && condition.limit >= 0,
        "a whole number from 0 on",
        condition.limit,
      );
      break;
    case "behind-schedule":
      time("above", condition.limitMs);
      break;
    case "growth":
      say(typeof condition.read === "function", "`read` to be a function", condition.read);
      problems.push(...sourceProblems(condition.read).map((problem) => `${condition.name}: ${problem}`));
      say(Number.isFinite(condition.limit), "a finite limit", condition.limit);
      time("per", condition.perMs);
      break;
    case "throughput":
      say(condition.route !== "", "a route's name", condition.route);
      say(
        condition.limit > 0 && condition.limit <= 1,
        "a part of the old side's above 0 and at most 1",
        condition.limit,
      );
      count("minSample", condition.minSample);
      count("n", condition.n);
      count("of", condition.m);
      if (condition.n > condition.m) say(false, `\`n\` of at most ${condition.m} windows`, condition.n);
      time("window", condition.windowMs);
      break;
    default:
      say(false, "a known condition of the run", (condition as { of?: unknown }).of);
  }
  return problems;
}
