import type { DefinitionSource } from "./definition-source.ts";
import { isWayBack } from "./definition-back.ts";
import { PhaseDraft, rampStep } from "./definition-phases.ts";
import { claimOfCheck, claimOfCriterion, stepOfCheck } from "./definition-proofs.ts";
import type { Procedure } from "./definition-registers.ts";
import { commandItem, stepItem } from "./definition-steps.ts";
import { Names, slug } from "./definition-words.ts";
import type { RampFinding } from "./figure-finding.ts";
import type { Finding } from "./inventory.ts";
import type { CheckFinding, CommandFinding, StepFinding } from "./work-finding.ts";

type Work = StepFinding | CommandFinding;

const loose = ({ within }: Finding): boolean => within.phase === undefined && within.unit === undefined;

/** Steps and commands that stand in no phase and belong to no unit, in the order of the document. */
export function looseWork(source: DefinitionSource): readonly Work[] {
  return [...source.inventory.steps, ...source.inventory.commands]
    .filter(loose)
    .toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

/** Points of checklists that are things to do and stand in no phase. */
const looseTasks = (source: DefinitionSource): readonly CheckFinding[] =>
  source.inventory.checks.filter(
    (check) =>
      loose(check) &&
      (check.guards === "task" || check.guards === "cleanup") &&
      check.within.section !== undefined,
  );

const goesBack = (source: DefinitionSource, check: CheckFinding): boolean =>
  source.rolesAbove(check).includes("rollback");

/** Ways back told outside of the phases, by the heading they stand under. */
export function waysBack(source: DefinitionSource): readonly Procedure[] {
  const parents = parentsOf(source);
  const points = looseTasks(source).filter((check) => goesBack(source, check));
  for (const { key } of points) source.placed.add(key);
  const groups = Map.groupBy(
    [...looseWork(source).filter((work) => isWayBack(source, work) && !parents.has(work.key)), ...points],
    ({ within }) => within.section ?? "",
  );
  return [...groups].map(([section, parts]) => {
    const heading = source.find(section, "section");
    const line = heading?.place.line ?? parts[0]?.place.line ?? 1;
    const title = heading?.title.trim() === "" ? heading.text : (heading?.title ?? "way back");
    return { title, line, under: heading?.path.at(-1), parts };
  });
}

export const parentsOf = (source: DefinitionSource): ReadonlySet<string | undefined> =>
  new Set([...source.inventory.steps, ...source.inventory.commands].map(({ within }) => within.step));

/** A plan without phases: each heading that has work under it is one. */
export function phasesOfSections(source: DefinitionSource, names: Names): readonly PhaseDraft[] {
  const tasks = looseTasks(source).filter((check) => !goesBack(source, check));
  const parents = parentsOf(source);
  const work = looseWork(source).filter((each) => !isWayBack(source, each) && !parents.has(each.key));
  const ramps = source.inventory.ramps.filter(loose);
  const groups = Map.groupBy([...work, ...ramps, ...tasks], ({ within }) => within.section ?? "");
  return [...groups].map(([section, parts]) => {
    const heading = source.find(section, "section");
    const title = heading?.text.trim() ?? "";
    const line = heading?.place.line ?? parts[0]?.place.line ?? 1;
    const draft = new PhaseDraft(source, {
      name: names.take(
        slug(heading?.title ?? ""),
        slug(title),
        heading === undefined ? "migration" : `part-${line}`,
      ),
      claim: title === "" ? "the migration" : title,
      line,
      ...(heading === undefined ? {} : { title, from: source.at(heading.place) }),
    });
    source.told.add(line);
    addWork(source, parts, draft);
    return draft;
  });
}

function addWork(
  source: DefinitionSource,
  parts: readonly (Work | RampFinding | CheckFinding)[],
  draft: PhaseDraft,
): void {
  const options = { names: draft.stepNames };
  for (const part of parts) {
    if (part.kind === "ramp") {
      draft.steps.push(rampStep(source, part, draft));
      continue;
    }
    if (part.kind === "check") {
      source.placed.add(part.key);
      draft.steps.push(stepOfCheck(source, part, options));
      continue;
    }
    const item = part.kind === "step" ? stepItem(source, part, options) : commandItem(source, part, options);
    if (item !== undefined) draft.steps.push(item);
  }
  draft.steps.sort((a, b) => a.line - b.line);
}

/**
 * Places work that stands outside of the phases of a plan that has some: timetables go on from phase to phase as their
 * words name classes of units or phases; what is to be ready before goes to the first checklist; cleaning up to the last
 * phase; what is left is to be shown before the last phase ends, as are the plan's criteria of success: a gate holds there,
 * where `success` would only be told.
 */
export function placeLooseWork(
  source: DefinitionSource,
  phases: readonly PhaseDraft[],
  scopes: readonly (string | undefined)[],
): void {
  const [first, last] = [phases[0], phases.at(-1)];
  if (first === undefined || last === undefined) return;
  const parents = parentsOf(source);
  let current = 0;
  for (const work of looseWork(source)) {
    if (isWayBack(source, work) || parents.has(work.key)) continue;
    const roles = source.rolesAbove(work);
    const headings = source.headingsAbove(work);
    const claim = { words: work.text, place: work.place };
    if (roles.includes("timeline")) {
      current = Math.max(current, named(work.text, phases, scopes) ?? current);
      addWork(source, [work], phases[current] ?? last);
    } else if (
      /\bpre[- ]?(migration|cutover|flight|check)|\bbefore\b|prerequisit|preparation|vorbereitung|prépara|prepara/i.test(
        headings,
      )
    ) {
      first.entry.add(claim);
    } else if (
      roles.includes("cleanup") ||
      /\bpost[- ]?(migration|cutover)|clean[- ]?up|aufräum|nettoyage|limpieza/i.test(headings)
    ) {
      addWork(source, [work], last);
    } else (deletesAfter(phases, work.place.line) ?? last).exit.add(claim);
  }
  // Shares told outside of the phases, where no phase has its own.
  const own = source.inventory.ramps.some((ramp) => !loose(ramp));
  const shares = own
    ? undefined
    : source.inventory.ramps.find((ramp) => loose(ramp) && ramp.sureness !== "guessed");
  const moving = phases.findLast(({ name }) =>
    /ramp|roll-?out|canary|traffic|shift|switch|cut-?over/.test(name),
  );
  if (shares !== undefined) addWork(source, [shares], moving ?? last);
}

/** Position of the phase that words speak of, by the class of its units (`P2`) or its number. */
function named(
  words: string,
  phases: readonly PhaseDraft[],
  scopes: readonly (string | undefined)[],
): number | undefined {
  const classes = (text: string): ReadonlySet<string> => {
    const found = new Set<string>();
    for (const [, letter = "", from = "", to] of text.matchAll(
      /\b([A-Z])(\d+)(?:\s*[-–—/]\s*[A-Z]?(\d+))?\b/g,
    ))
      for (let number = Number(from); number <= Math.min(Number(to ?? from), Number(from) + 100); number += 1)
        found.add(`${letter}${number}`);
    return found;
  };
  const said = classes(words);
  const found = phases.findIndex((_, index) => {
    const scope = classes(scopes[index] ?? "");
    return [...said].some((each) => scope.has(each));
  });
  return found === -1 ? undefined : found;
}

/** The first phase that takes something away for good below a line of the plan: what stands in that line is shown before it. */
const deletesAfter = (phases: readonly PhaseDraft[], line: number): PhaseDraft | undefined =>
  phases.find(({ steps }) => steps.some((step) => step.irreversible && step.line > line));

/** Checks, criteria and limits that stand in no phase. */
export function placeLooseProofs(source: DefinitionSource, phases: readonly PhaseDraft[]): void {
  const { inventory } = source;
  const [first, last] = [phases[0], phases.at(-1)];
  if (first === undefined || last === undefined) return;
  for (const check of inventory.checks) {
    if (!loose(check) || source.placed.has(check.key)) continue;
    const claim = claimOfCheck(check);
    if (check.guards === "entry") first.entry.add(claim);
    else if (check.guards === "success") last.exit.add(claim);
    else (deletesAfter(phases, check.place.line) ?? last).exit.add(claim);
  }
  for (const criterion of inventory.criteria)
    if (
      criterion.within.phase === undefined &&
      criterion.within.unit === undefined &&
      criterion.check === undefined
    )
      last.exit.add(claimOfCriterion(criterion));
  const spoken = new Set([
    ...inventory.triggers.flatMap(({ thresholds }) => thresholds),
    ...[...inventory.checks, ...inventory.criteria].flatMap(({ thresholds }) => thresholds),
  ]);
  // Of two readings of one line, the one that names what is measured.
  const named = inventory.thresholds.toSorted((a, b) => Number(a.measure === "") - Number(b.measure === ""));
  for (const threshold of named) {
    if (spoken.has(threshold.key) || threshold.does !== undefined) continue;
    // One sentence of a line is told as a trigger, the one beside it is not.
    const beside = [...inventory.triggers, ...inventory.ramps].some(
      ({ place, text }) => place.line === threshold.place.line && !text.includes(threshold.text.trim()),
    );
    if (source.told.has(threshold.place.line) && !beside) continue;
    if (inventory.ramps.some(({ text }) => text.includes(threshold.text.trim()))) continue;
    const heading = source.find(threshold.within.section, "section");
    const above = heading === undefined ? undefined : source.at(heading.place);
    const draft = phases.find(
      ({ from }) =>
        from !== undefined && (from === phaseOf(source, threshold.within.phase) || from === above),
    );
    const claim = { words: threshold.text, place: threshold.place, thresholds: [threshold.key] };
    (draft ?? last).exit.add(claim);
  }
}

function phaseOf(source: DefinitionSource, key: string | undefined): string | undefined {
  const phase = source.find(key, "phase");
  return phase === undefined ? undefined : source.at(phase.place);
}
