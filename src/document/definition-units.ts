import { type CodeItem, list, object, words } from "./definition-code.ts";
import type { DefinitionSource } from "./definition-source.ts";
import { Names, slug } from "./definition-words.ts";
import type { UnitFinding } from "./work-finding.ts";

/** Units and waves of a definition, with the names that findings got there. */
export interface UnitsDraft {
  readonly units: readonly CodeItem[];
  readonly waves: readonly CodeItem[];
  /** Name in the definition by key of the finding. */
  readonly names: ReadonlyMap<string, string>;
  /** Names of units by the class they stand in: `p0` → its units. */
  readonly classes: ReadonlyMap<string, readonly string[]>;
}

export function draftUnits(source: DefinitionSource): UnitsDraft {
  const { inventory } = source;
  const taken = new Names();
  const names = new Map<string, string>();
  const findings = inOrder(inventory.units);
  for (const unit of findings)
    names.set(unit.key, taken.take(slug(unit.name), slug(unit.text), `unit-${unit.place.line}`));
  const waves = waveMembers(source, names);
  const waveOf = new Map(waves.flatMap((wave, index) => wave.units.map((unit) => [unit, index] as const)));
  const after = dependencies(findings, names, waveOf);
  const classes = new Map<string, string[]>();
  for (const unit of findings) {
    const name = names.get(unit.key);
    if (unit.priority === undefined || name === undefined) continue;
    const group = unit.priority.toLowerCase();
    classes.set(group, [...(classes.get(group) ?? []), name]);
  }
  return {
    names,
    classes,
    units: findings.map((unit) => unitItem(source, unit, names.get(unit.key) ?? "", after)),
    waves: waves.map(({ name, units, notes }) => ({
      notes,
      code: object({ name: words(name), units: list(units.map(words)) }),
    })),
  };
}

interface After {
  readonly names: readonly string[];
  readonly notes: readonly string[];
}

function unitItem(
  source: DefinitionSource,
  unit: UnitFinding,
  name: string,
  after: ReadonlyMap<string, After>,
): CodeItem {
  const effort = source.find(unit.effort, "effort");
  const duration = source.find(effort?.duration ?? unit.effort, "duration");
  const length = source.duration(duration?.key);
  const { names = [], notes = [] } = after.get(name) ?? {};
  source.told.add(unit.place.line);
  return {
    notes: [
      ...(unit.claim === undefined
        ? []
        : [`Said to be ${unit.claim.state} ("${unit.claim.text}"): a claim, no evidence.`]),
      ...(unit.glob ? ["A pattern for many: name them one by one, or keep it as one unit."] : []),
      ...(unit.count === undefined ? [] : [`Stands for ${unit.count}.`]),
      ...notes,
      ...(duration !== undefined && length !== undefined && duration.written !== length
        ? [`Effort: ${duration.written}.`]
        : []),
      source.mark(unit.place, unit.text),
    ],
    code: object({
      name: words(name),
      title: unit.name === name || unit.name.trim() === "" ? undefined : words(unit.name),
      priority: unit.priority === undefined || unit.priority.trim() === "" ? undefined : words(unit.priority),
      after: names.length === 0 ? undefined : list(names.map(words)),
      effort: length === undefined ? undefined : words(length),
    }),
  };
}

/** Where the plan numbers units, by number; others as they stand. */
const inOrder = (units: readonly UnitFinding[]): readonly UnitFinding[] =>
  units.every(({ order }) => order !== undefined)
    ? units.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0))
    : units;

/**
 * What each unit waits for: what the plan says; in a numbered order also the one before, where nothing else is said. What
 * would close a circle, or contradict the waves, is left out with a word: the definition could not be read with it.
 */
function dependencies(
  findings: readonly UnitFinding[],
  names: ReadonlyMap<string, string>,
  waveOf: ReadonlyMap<string, number>,
): ReadonlyMap<string, After> {
  const kept = new Map<string, { names: string[]; notes: string[] }>();
  const reaches = (from: string, to: string): boolean =>
    from === to || (kept.get(from)?.names ?? []).some((each) => reaches(each, to));
  for (const unit of findings) {
    const name = names.get(unit.key) ?? "";
    kept.set(name, { names: [], notes: [] });
  }
  for (const [index, unit] of findings.entries()) {
    const name = names.get(unit.key) ?? "";
    const own = kept.get(name) ?? { names: [], notes: [] };
    const stated = unit.after.flatMap((key) => names.get(key) ?? []);
    const before = names.get(findings[index - 1]?.key ?? "");
    const free =
      /\b(no|without) (any )?dependenc|independent|keine abhängig|sans dépendance|sin dependencia/i;
    const implied =
      stated.length === 0 && unit.dependsOn.length === 0 && unit.order !== undefined && !free.test(unit.text);
    const wanted = implied && before !== undefined ? [before] : stated;
    for (const each of new Set(wanted)) {
      const early = (waveOf.get(each) ?? 0) > (waveOf.get(name) ?? 0);
      if (reaches(each, name)) own.notes.push(`Left out, it closes a circle: after ${each}.`);
      else if (early) own.notes.push(`Left out, its wave comes later: after ${each}.`);
      else own.names.push(each);
    }
    if (implied && own.names.length > 0) own.notes.push("Waits for the one before, as the plan orders them.");
    const unknown = unit.dependsOn.filter((words) =>
      stated.length === 0 || !/\ball\b/i.test(words)
        ? !findings.some((other) => matches(other, words))
        : false,
    );
    if (unknown.length > 0) own.notes.push(`Depends also on what is no unit here: ${unknown.join(", ")}.`);
  }
  return kept;
}

const matches = (unit: UnitFinding, words: string): boolean => {
  const [name, wanted] = [slug(unit.name), slug(words)];
  return wanted === "" || name === wanted || name.includes(wanted) || wanted.includes(name);
};

interface Wave {
  readonly name: string;
  readonly notes: readonly string[];
  readonly units: readonly string[];
}

/** Every unit in one wave: the first that names it; those that none names come last. */
function waveMembers(source: DefinitionSource, names: ReadonlyMap<string, string>): readonly Wave[] {
  const left = new Set(names.values());
  const taken = new Names();
  const waves: Wave[] = [];
  const empty: string[] = [];
  for (const wave of source.inventory.waves) {
    const units = wave.units.flatMap((key) => names.get(key) ?? []).filter((name) => left.delete(name));
    const mark = source.mark(wave.place, wave.note === undefined ? wave.text : `${wave.text}: ${wave.note}`);
    if (units.length === 0) empty.push(`No unit of its own: ${mark}`);
    else {
      const name = taken.take(slug(wave.name), `wave-${wave.place.line}`);
      waves.push({ name, units: [...new Set(units)], notes: [...empty.splice(0), mark] });
    }
  }
  if (waves.length === 0) return [];
  if (left.size > 0)
    waves.push({
      name: taken.take("others"),
      notes: ["The plan puts these into no wave."],
      units: [...left],
    });
  return waves;
}
