import type { Step, WaveInput } from "./definition.ts";
import type { MigrationPhase, Unit } from "./migration.ts";

/** A step's place in the graph of its phase: a step as written, or the built-in one that judges a wave. */
export interface Node {
  /** `phase/name` or `phase/name@unit`; `phase/wave:name` for a wave's gates. */
  readonly id: string;
  readonly step?: Step;
  readonly wave?: WaveInput;
  readonly after: readonly string[];
}

export interface Expanded {
  readonly nodes: readonly Node[];
  /** Entries of `after` that name no step: index of the step and the entry. */
  readonly unknown: readonly { readonly index: number; readonly entry: string }[];
}

export const stepId = (phase: string, name: string, unit: string | undefined): string =>
  unit === undefined ? `${phase}/${name}` : `${phase}/${name}@${unit}`;

/** Reading a definition and compiling it both need the graph of the same phases. */
const expansions = new WeakMap<object, Expanded & { readonly units: unknown; readonly waves: unknown }>();

/**
 * The graph of one phase, worked out once for as long as units and waves are the same. See `expand`.
 */
export function expandPhase(
  phase: Pick<MigrationPhase, "name" | "steps">,
  units: readonly Unit[],
  waves: readonly WaveInput[],
): Expanded {
  const known = expansions.get(phase);
  if (known !== undefined && known.units === units && known.waves === waves) return known;
  const expanded = { ...expand(phase, units, waves), units, waves };
  expansions.set(phase, expanded);
  return expanded;
}

/**
 * The graph of one phase. Without `after` a step comes after the one listed before it (of its own unit); one without
 * a unit then waits for all units listed before it. A unit's first steps wait for the last steps of the units it
 * depends on, also through units that this phase leaves out. A wave's first steps wait for the wave before,
 * and for its gates where it has some.
 */
function expand(
  phase: Pick<MigrationPhase, "name" | "steps">,
  units: readonly Unit[],
  waves: readonly WaveInput[],
): Expanded {
  const after = new Map<string, Set<string>>();
  const unknown: { index: number; entry: string }[] = [];
  const ids = phase.steps.map((step) => stepId(phase.name, step.name, step.unit));
  if (phase.steps.every((step) => step.after === undefined && step.unit === undefined))
    return { nodes: oneByOne(phase, ids), unknown };
  const index = indexNames(phase);
  for (const [position, step] of phase.steps.entries()) {
    const wanted = new Set<string>();
    for (const entry of step.after ?? []) {
      const matches = index.find(entry, step.unit);
      if (matches.length === 0) unknown.push({ index: position, entry });
      for (const id of matches) wanted.add(id);
    }
    if (step.after === undefined) for (const id of listedBefore(phase, ids, position)) wanted.add(id);
    after.set(ids[position] ?? "", wanted);
  }
  const ends = unitEnds(phase, ids, after);
  const link = (firsts: readonly string[], lasts: readonly string[]): void => {
    for (const first of firsts) for (const last of lasts) after.get(first)?.add(last);
  };
  for (const [unit, end] of ends)
    for (const before of presentBefore(unit, units, ends)) link(end.first, ends.get(before)?.last ?? []);
  const gates = linkWaves(phase, waves, ends, after, link);
  const nodes: Node[] = phase.steps.map((step, position) => {
    const id = ids[position] ?? "";
    return { id, step, after: [...(after.get(id) ?? [])] };
  });
  return { nodes: [...nodes, ...gates], unknown };
}

/** A plain list, which may be thousands of steps long: each comes after the one before it. */
const oneByOne = ({ steps }: Pick<MigrationPhase, "steps">, ids: readonly string[]): readonly Node[] =>
  steps.map((step, position) => {
    const before = ids[position - 1];
    return { id: ids[position] ?? "", step, after: before === undefined ? [] : [before] };
  });

interface Ends {
  readonly first: readonly string[];
  readonly last: readonly string[];
}

function indexNames(phase: Pick<MigrationPhase, "name" | "steps">): {
  find(entry: string, unit: string | undefined): readonly string[];
} {
  const all = new Set<string>();
  const byName = new Map<string, string[]>();
  const looked = phase.steps.some(({ after = [] }) => after.length > 0);
  for (const step of looked ? phase.steps : []) {
    const id = stepId(phase.name, step.name, step.unit);
    all.add(id);
    const named = byName.get(step.name);
    if (named === undefined) byName.set(step.name, [id]);
    else named.push(id);
  }
  return {
    find(entry, unit) {
      const own = stepId(phase.name, entry, unit);
      if (all.has(own)) return [own];
      const plain = `${phase.name}/${entry}`;
      if (all.has(plain)) return [plain];
      return unit === undefined ? (byName.get(entry) ?? []) : [];
    },
  };
}

/** What a step without `after` waits for. */
function listedBefore(
  phase: Pick<MigrationPhase, "steps">,
  ids: readonly string[],
  position: number,
): readonly string[] {
  const unit = phase.steps[position]?.unit;
  const latest = new Map<string, string>();
  for (let at = position - 1; at >= 0; at--) {
    const other = phase.steps[at]?.unit;
    const id = ids[at] ?? "";
    if (unit !== undefined && (other === undefined || other === unit)) return [id];
    if (unit !== undefined) continue;
    if (other === undefined) return latest.size === 0 ? [id] : [...latest.values()];
    if (!latest.has(other)) latest.set(other, id);
  }
  return [...latest.values()];
}

/** First and last steps of each unit that has steps here. */
function unitEnds(
  phase: Pick<MigrationPhase, "steps">,
  ids: readonly string[],
  after: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlyMap<string, Ends> {
  const members = new Map<string, string[]>();
  for (const [position, step] of phase.steps.entries()) {
    if (step.unit === undefined) continue;
    const own = members.get(step.unit);
    if (own === undefined) members.set(step.unit, [ids[position] ?? ""]);
    else own.push(ids[position] ?? "");
  }
  const ends = new Map<string, Ends>();
  for (const [unit, own] of members) {
    const inside = new Set(own);
    const waitedFor = new Set(own.flatMap((id) => [...(after.get(id) ?? [])]));
    ends.set(unit, {
      first: own.filter((id) => ![...(after.get(id) ?? [])].some((before) => inside.has(before))),
      last: own.filter((id) => !waitedFor.has(id)),
    });
  }
  return ends;
}

/** Nearest units before `unit` that have steps here. */
function presentBefore(
  unit: string,
  units: readonly Unit[],
  present: ReadonlyMap<string, unknown>,
  seen: Set<string> = new Set(),
): readonly string[] {
  const before = units.find((other) => other.name === unit)?.after ?? [];
  return before.flatMap((other) => {
    if (seen.has(other)) return [];
    seen.add(other);
    return present.has(other) ? [other] : presentBefore(other, units, present, seen);
  });
}

function linkWaves(
  phase: Pick<MigrationPhase, "name" | "steps">,
  waves: readonly WaveInput[],
  ends: ReadonlyMap<string, Ends>,
  after: ReadonlyMap<string, Set<string>>,
  link: (firsts: readonly string[], lasts: readonly string[]) => void,
): readonly Node[] {
  const gates: Node[] = [];
  let before: readonly string[] = [];
  for (const wave of waves) {
    const here = wave.units.flatMap((unit) => ends.get(unit) ?? []);
    if (here.length === 0) continue;
    link(
      here.flatMap((end) => end.first),
      before,
    );
    const lasts = here.flatMap((end) => end.last);
    if ((wave.exit ?? []).length === 0) {
      before = lasts;
      continue;
    }
    const id = `${phase.name}/wave:${wave.name}`;
    gates.push({ id, wave, after: lasts });
    before = [id];
    // A step of no unit that waits for this wave's units by its place in the list waits for its gates too.
    for (const step of phase.steps) {
      const wanted = after.get(stepId(phase.name, step.name, step.unit));
      if (step.unit === undefined && step.after === undefined && lasts.some((last) => wanted?.has(last)))
        wanted?.add(id);
    }
  }
  return gates;
}
