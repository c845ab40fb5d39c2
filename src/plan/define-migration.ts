import type { MigrationInput } from "./definition.ts";
import type { Migration } from "./migration.ts";
import { markPlace } from "./place.ts";
import { type Problem, problemsError } from "./problem.ts";
import { readChecks, readGates } from "./read-gates.ts";
import { readPhases } from "./read-phases.ts";
import { readContingencies, readPlanDocument, readRisks, readSchedule } from "./read-register.ts";
import { readTriggers } from "./read-triggers.ts";
import { readUnits, readWaves } from "./read-units.ts";
import { isObject, Scope } from "./scope.ts";

const keys =
  "name title units waves phases triggers verifyOld success risks contingencies schedule document".split(" ");

/**
 * Reads a definition whole: fills in defaults, resolves names, and finds everything that is wrong with it before
 * anything is touched. The result is frozen plain data plus step kinds; nothing runs here except a `steps` function
 * (once per unit) and the kinds' `validate`.
 *
 * ```ts
 * export default defineMigration({ name: "queue", phases: [phase("move", { steps: [step("copy", { run })] })] });
 * ```
 *
 * @throws CutoverError with the code, place and remedy of the first problem; `details.problems` lists all of them.
 */
export function defineMigration(input: MigrationInput): Migration {
  const problems: Problem[] = [];
  const name: unknown = isObject(input) ? input.name : undefined;
  const marked = markPlace(isObject(input) ? input : {}, defineMigration);
  const root = typeof name === "string" ? `migration "${name}"` : "the migration";
  const scope = new Scope(problems, root).in("", marked);
  if (scope.object(input, "a migration", keys)) {
    const migration = read(scope, input);
    const [first, ...rest] = problems;
    if (first === undefined) return freeze(migration);
    throw problemsError([first, ...rest]);
  }
  throw problemsError([problems[0] as Problem]);
}

function read(scope: Scope, input: MigrationInput): Migration {
  if (
    typeof input.name !== "string" ||
    !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(input.name) ||
    input.name.length > 100
  )
    scope.problem(
      "CUTOVER_PLAN_INVALID",
      `expected a name in kebab-case, found ${JSON.stringify(input.name) ?? "none"}`,
      { remedy: 'use small letters, digits and "-", for example "work-order-queue"' },
    );
  scope.text(input.title, "title");
  const units = readUnits(scope, input.units);
  const waves = readWaves(scope, input.waves, units);
  const phases = readPhases(scope, input.phases, units, waves);
  return {
    type: "migration",
    name: input.name,
    title: input.title,
    units,
    waves,
    phases,
    triggers: readTriggers(scope, input.triggers, {
      phases: phases.map((phase) => phase.name),
      units,
      contingencies: input.contingencies,
      schedule: isObject(input.schedule) ? input.schedule : undefined,
    }),
    verifyOld: readChecks(scope, input.verifyOld, "verifyOld"),
    success: readGates(scope, input.success, "success"),
    risks: readRisks(scope, input.risks),
    contingencies: readContingencies(scope, input.contingencies),
    schedule: readSchedule(scope, input.schedule),
    document: readPlanDocument(scope, input.document),
  };
}

/** Freezes lists and plain objects all the way down; what a step kind brings along stays as it is. */
function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype) return value;
  Object.freeze(value);
  for (const key of Object.keys(value)) if (key !== "kind") freeze((value as Record<string, unknown>)[key]);
  return value;
}
