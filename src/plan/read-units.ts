import type { UnitInput, WaveInput } from "./definition.ts";
import { findCycles } from "./dependencies.ts";
import type { Unit } from "./migration.ts";
import { readGates } from "./read-gates.ts";
import { found, type Scope } from "./scope.ts";

/** Units with their defaults; every dependency must be known and no circle may stand. */
export function readUnits(scope: Scope, input: readonly (string | UnitInput)[] | undefined): readonly Unit[] {
  const units: Unit[] = [];
  for (const [index, given] of scope.list(input, "units").entries()) {
    const at = scope.entry("units", index, given);
    const unit = typeof given === "string" ? { name: given } : given;
    if (!at.object(unit, "a unit", ["name", "title", "priority", "after", "effort"])) continue;
    at.name(unit.name, "a unit");
    at.text(unit.title, "title");
    at.text(unit.priority, "priority");
    units.push({
      name: unit.name,
      title: unit.title,
      priority: unit.priority,
      after: at.list(unit.after, "after"),
      effortMs: at.duration(unit.effort, "effort"),
    });
  }
  scope.in("units").unique(
    units.map((unit) => unit.name),
    "unit",
  );
  const names = units.map((unit) => unit.name);
  for (const [index, unit] of units.entries())
    scope
      .entry("units", index, unit)
      .known("CUTOVER_PLAN_UNKNOWN_UNIT", unit.after, names, "unit", "name a unit that is listed in `units`");
  for (const path of findCycles(new Map(units.map((unit) => [unit.name, unit.after]))))
    scope.in("units").problem("CUTOVER_PLAN_CYCLE", `units wait for each other: ${path.join(" → ")}`, {
      facts: { path },
    });
  return units;
}

/** Waves hold every unit once, and no unit before one it depends on. */
export function readWaves(
  scope: Scope,
  input: readonly WaveInput[] | undefined,
  units: readonly Unit[],
): readonly WaveInput[] {
  const waves: WaveInput[] = [];
  for (const [index, wave] of scope.list(input, "waves").entries()) {
    const at = scope.entry("waves", index, wave);
    if (!at.object(wave, "a wave", ["name", "units", "exit"])) continue;
    at.name(wave.name, "a wave");
    const members = at.list(wave.units, "units");
    if (members.length === 0)
      at.problem("CUTOVER_PLAN_INVALID", "expected a wave to hold at least one unit, found none", {
        remedy: "name its units, or remove the wave",
      });
    at.known(
      "CUTOVER_PLAN_UNKNOWN_UNIT",
      members,
      units.map((unit) => unit.name),
      "unit",
      "name a unit that is listed in `units`, or add it there",
    );
    waves.push({ name: wave.name, units: members, exit: readGates(at, wave.exit, "exit") });
  }
  if (waves.length > 0) checkWaves(scope.in("waves"), waves, units);
  return waves;
}

function checkWaves(scope: Scope, waves: readonly WaveInput[], units: readonly Unit[]): void {
  scope.unique(
    waves.map((wave) => wave.name),
    "wave",
  );
  scope.unique(
    waves.flatMap((wave) => wave.units),
    "unit in the waves",
  );
  const number = new Map(waves.flatMap((wave, index) => wave.units.map((unit) => [unit, index] as const)));
  const left = units.map((unit) => unit.name).filter((name) => !number.has(name));
  if (left.length > 0)
    scope.problem(
      "CUTOVER_PLAN_INVALID",
      `expected every unit in a wave, found none for ${left.map(found).join(", ")}`,
      { remedy: "add the named units to a wave", facts: { units: left } },
    );
  for (const unit of units) {
    for (const before of unit.after) {
      const [own, other] = [number.get(unit.name), number.get(before)];
      if (own === undefined || other === undefined || other <= own) continue;
      const [early, late] = [waves[own]?.name, waves[other]?.name];
      scope.problem(
        "CUTOVER_PLAN_INVALID",
        `unit "${unit.name}" comes after "${before}", but its wave "${early}" goes before wave "${late}"`,
        {
          remedy: `move "${before}" to wave "${early}" or an earlier one, or "${unit.name}" to a later one`,
          facts: { unit: unit.name, after: before },
        },
      );
    }
  }
}
