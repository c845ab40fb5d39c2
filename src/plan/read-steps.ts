import { isCutoverError } from "../core/index.ts";
import type { Phase, Step } from "./definition.ts";
import { jsonProblem } from "./json-input.ts";
import { keepPlace } from "./place.ts";
import { found, isObject, type Scope } from "./scope.ts";

const stepKeys = ["name", "kind", "input", "after", "unit", "timeout", "retries"];

/** Steps of a phase in the order written; a list per unit is asked for once per unit, and its steps carry the unit. */
export function readSteps(scope: Scope, input: Phase["steps"], units: readonly string[]): readonly Step[] {
  if (typeof input !== "function") return objects(scope, scope.list(input, "steps"));
  if (units.length === 0)
    scope.problem("CUTOVER_PLAN_INVALID", "expected units for a list of steps per unit, found none", {
      remedy: "name the units in `units`, or write the steps as a plain list",
    });
  return units.flatMap((unit) => {
    const at = scope.in(`steps(${JSON.stringify(unit)})`);
    try {
      return objects(at, at.list(input(unit), "steps")).map((step) => ofUnit(at, step, unit));
    } catch (error) {
      at.problem(
        "CUTOVER_PLAN_INVALID",
        `expected a list of steps for unit "${unit}", but the function threw: ${messageOf(error)}`,
        { remedy: "the function must answer for every unit of the phase without touching anything" },
      );
      return [];
    }
  });
}

function objects(scope: Scope, steps: readonly Step[]): readonly Step[] {
  return steps
    .filter((step, index) => isObject(step) || notStep(scope.entry("steps", index, step), step))
    .map((step, index) => {
      if (step.after === undefined || Array.isArray(step.after)) return step;
      return keepPlace({ ...step, after: scope.entry("steps", index, step).list(step.after, "after") }, step);
    });
}

function notStep(scope: Scope, step: unknown): false {
  scope.problem("CUTOVER_PLAN_INVALID", `expected a step, found ${found(step)}`, {
    remedy: "make steps with step(), command() or the builders of a room",
  });
  return false;
}

function ofUnit(scope: Scope, step: Step, unit: string): Step {
  if (step.unit !== undefined && step.unit !== unit)
    scope.problem(
      "CUTOVER_PLAN_INVALID",
      `expected step "${step.name}" to belong to unit "${unit}", found ${found(step.unit)}`,
      { remedy: "leave `unit` out: it is filled in" },
    );
  return keepPlace({ ...step, unit }, step);
}

/** Notes what is wrong with one step: name, kind, input, limits, and what its kind says about the input. */
export function checkStep(scope: Scope, step: Step, units: readonly string[], mayBeFinal: boolean): void {
  scope.object(step, "a step", stepKeys);
  scope.name(step.name, "a step");
  if (step.unit !== undefined)
    scope.known(
      "CUTOVER_PLAN_UNKNOWN_UNIT",
      [step.unit],
      units,
      "unit of this phase",
      "name a unit that is listed in `units`, or add it there",
    );
  scope.duration(step.timeout, "timeout");
  if (step.retries !== undefined && !(Number.isInteger(step.retries) && step.retries >= 0))
    scope.problem(
      "CUTOVER_PLAN_INVALID",
      `expected \`retries\` to be a whole number from 0 on, found ${found(step.retries)}`,
      { remedy: "leave `retries` out for none" },
    );
  const notJson = jsonProblem(step.input, "input");
  if (notJson !== undefined)
    scope.problem("CUTOVER_PLAN_INVALID", notJson, {
      remedy: "the input is recorded: keep functions and class instances out of it",
    });
  const { kind } = step;
  if (!isObject(kind) || typeof kind.kind !== "string" || typeof kind.start !== "function") {
    scope.problem("CUTOVER_PLAN_INVALID", `expected \`kind\` to be a step kind, found ${found(kind)}`, {
      remedy: "make steps with step(), command() or the builders of a room",
    });
    return;
  }
  if (!kind.reversible && !mayBeFinal)
    scope.problem(
      "CUTOVER_PLAN_NO_WAY_BACK",
      `step "${step.name}" cannot be undone, but its phase is not forward-only`,
    );
  if (notJson === undefined) askKind(scope, step);
}

function askKind(scope: Scope, step: Step): void {
  try {
    for (const problem of step.kind.validate?.(step.input) ?? []) {
      const at = problem.place === undefined ? scope : scope.in(problem.place);
      at.problem("CUTOVER_PLAN_INVALID", problem.message, { remedy: problem.remedy });
    }
  } catch (error) {
    if (isCutoverError(error))
      scope.problem(error.code, error.message, { remedy: error.remedy, facts: error.details });
    else
      scope.problem(
        "CUTOVER_PLAN_INVALID",
        `step kind "${step.kind.kind}" could not read its input: ${messageOf(error)}`,
        { remedy: "correct the step's input" },
      );
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
