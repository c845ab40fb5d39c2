import { isWayBack } from "./definition-back.ts";
import { PhaseDraft } from "./definition-phases.ts";
import { stepOfCheck } from "./definition-proofs.ts";
import type { DefinitionSource } from "./definition-source.ts";
import { claimedStep, commandItem, stepItem, type StepItem } from "./definition-steps.ts";
import type { UnitsDraft } from "./definition-units.ts";
import { Names } from "./definition-words.ts";
import type { PhaseFinding, UnitFinding } from "./work-finding.ts";

/**
 * Puts the work of each unit into the phase that moves it: the one whose scope names its class, the one it stands in, else
 * one that has nothing else to do, else a phase of its own. A unit of which the plan tells no work gets one claim.
 */
export function addUnitWork(
  source: DefinitionSource,
  units: UnitsDraft,
  phases: PhaseDraft[],
  findings: readonly PhaseFinding[],
  names: Names,
): void {
  const scoped = phases.some((phase) => phase.units !== undefined);
  let home: PhaseDraft | undefined;
  for (const unit of inListedOrder(source, units)) {
    const name = units.names.get(unit.key);
    if (name === undefined) continue;
    const own = phases[findings.findIndex(({ key }) => key === unit.within.phase)];
    const byScope = scoped ? phases.find((phase) => phase.units?.includes(name)) : undefined;
    const phase = byScope ?? own ?? (home ??= homeOf(source, phases, findings, names));
    if (phase.units !== undefined && !phase.units.includes(name)) phase.units = [...phase.units, name];
    phase.steps.push(...workOf(source, unit, name, phase));
  }
  for (const phase of phases) keepTogether(phase);
}

/**
 * Puts the work of units into one block, where the first of it stands in the plan. A step of no unit waits for all units
 * listed before it: one between two units that depend on each other the other way round would close a circle.
 */
function keepTogether(phase: PhaseDraft): void {
  const [units, plain] = [
    phase.steps.filter(({ ofUnit }) => ofUnit),
    phase.steps.filter(({ ofUnit }) => !ofUnit),
  ];
  const first = Math.min(...units.map(({ line }) => line));
  const before = plain.filter(({ line }) => line <= first);
  phase.steps.splice(
    0,
    phase.steps.length,
    ...before,
    ...units,
    ...plain.filter((step) => !before.includes(step)),
  );
}

const inListedOrder = (source: DefinitionSource, units: UnitsDraft): readonly UnitFinding[] =>
  [...units.names.keys()].flatMap((key) => source.find(key, "unit") ?? []);

/** Where units go that no phase claims. */
function homeOf(
  source: DefinitionSource,
  phases: PhaseDraft[],
  findings: readonly PhaseFinding[],
  names: Names,
): PhaseDraft {
  const idle = phases.filter((phase) => phase.empty);
  const now = idle.find((phase) => findings[phases.indexOf(phase)]?.claim?.state === "in-progress");
  const fits = idle.find(({ claim }) =>
    /migrat|implement|move|execut|umsetz|verschieb|mise en|migra|ejecu/i.test(claim),
  );
  const found = now ?? fits;
  if (found !== undefined) return found;
  const [first] = source.inventory.units;
  const draft = new PhaseDraft(source, {
    name: names.take("units"),
    title: "Units, one after the other",
    claim: "every unit is moved",
    line: first?.place.line ?? 1,
  });
  phases.push(draft);
  return draft;
}

function workOf(
  source: DefinitionSource,
  unit: UnitFinding,
  name: string,
  phase: PhaseDraft,
): readonly StepItem[] {
  const { inventory } = source;
  const inside = ({ within }: { readonly within: { readonly unit?: string } }): boolean =>
    within.unit === unit.key;
  const parents = new Set([...inventory.steps, ...inventory.commands].map(({ within }) => within.step));
  // Ids end in the unit's name, so each unit has names of its own.
  const options = { names: new Names(), unit: name };
  const items: StepItem[] = [];
  let above: string[] = [];
  const parts = [...inventory.steps.filter(inside), ...inventory.commands.filter(inside)].toSorted(
    (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
  );
  for (const part of parts) {
    if (isWayBack(source, part)) {
      if (!parents.has(part.key)) phase.wayBack.add({ words: part.text, place: part.place });
      continue;
    }
    if (part.kind === "step" && parents.has(part.key)) {
      source.told.add(part.place.line);
      above = [part.text];
      continue;
    }
    const notes = part.within.step === undefined ? [] : above;
    above = [];
    const item =
      part.kind === "step"
        ? stepItem(source, part, { ...options, notes })
        : commandItem(source, part, { ...options, notes });
    if (item !== undefined) items.push(item);
  }
  for (const check of inventory.checks.filter(inside)) items.push(stepOfCheck(source, check, options));
  for (const criterion of inventory.criteria.filter(inside))
    if (criterion.check === undefined)
      items.push(claimedStep(source, { words: criterion.text, place: criterion.place }, options));
  items.sort((a, b) => a.line - b.line);
  if (items.length > 0 && unit.claim === undefined) return items;
  return [claimedStep(source, { words: unit.text, place: unit.place, name: "move" }, options), ...items];
}
