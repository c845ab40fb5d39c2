import { parseDuration, shareLimit } from "../core/index.ts";
import { type Code, type CodeItem, list, object, text, words } from "./definition-code.ts";
import { numbers } from "./definition-measures.ts";
import { claimOfCheck, claimOfCriterion, Proofs, stepOfCheck } from "./definition-proofs.ts";
import type { DefinitionSource } from "./definition-source.ts";
import {
  hasLetter,
  claimedStep,
  commandItem,
  fromPlace,
  stepItem,
  type StepItem,
} from "./definition-steps.ts";
import type { UnitsDraft } from "./definition-units.ts";
import { Names, slug } from "./definition-words.ts";
import type { RampFinding } from "./figure-finding.ts";
import type { Finding } from "./inventory.ts";
import { attachWayBack, isWayBack } from "./definition-back.ts";
import type { CommandFinding, PhaseFinding } from "./work-finding.ts";

/** A phase while it is put together. */
export class PhaseDraft {
  readonly name: string;
  readonly title: string | undefined;
  readonly from: string | undefined;
  readonly notes: string[] = [];
  readonly entry: Proofs;
  readonly wayBack: Proofs;
  readonly exit: Proofs;
  readonly steps: StepItem[] = [];
  readonly stepNames: Names = new Names();
  /** Commands that take it back. */
  readonly back: CommandFinding[] = [];
  units: readonly string[] | undefined;
  forwardOnly = false;
  approval = false;
  /** What it is for, when nothing else stands in it. */
  readonly claim: string;
  readonly line: number;

  constructor(
    source: DefinitionSource,
    is: {
      readonly name: string;
      readonly title?: string;
      readonly from?: string;
      readonly claim: string;
      readonly line: number;
    },
  ) {
    this.name = is.name;
    this.title = is.title === undefined || is.title.trim() === "" ? undefined : is.title;
    this.from = is.from;
    this.claim = is.claim;
    this.line = is.line;
    this.entry = new Proofs(source, "checks");
    this.wayBack = new Proofs(source, "checks");
    this.exit = new Proofs(source, "gates");
  }

  get empty(): boolean {
    return this.steps.length + this.entry.items.length + this.exit.items.length === 0;
  }
}

export function draftPhase(
  source: DefinitionSource,
  phase: PhaseFinding,
  units: UnitsDraft,
  names: Names,
): PhaseDraft {
  const draft = new PhaseDraft(source, {
    name: names.take(
      ...[slug(phase.name), slug(phase.title)].filter(hasLetter),
      `phase-${slug(phase.number ?? "") || phase.order}`,
    ),
    title: phase.title.trim() === "" ? phase.text : phase.title,
    from: source.at(phase.place),
    claim: phase.goal ?? (phase.title.trim() === "" ? phase.text : phase.title),
    line: phase.place.line,
  });
  source.told.add(phase.place.line);
  if (phase.goal !== undefined) draft.notes.push(`Goal: ${phase.goal}`);
  if (phase.claim !== undefined)
    draft.notes.push(`Said to be ${phase.claim.state} ("${phase.claim.text}"): a claim, no evidence.`);
  for (const key of phase.durations) {
    const duration = source.find(key, "duration");
    if (duration !== undefined) draft.notes.push(`Takes ${duration.written} (${source.at(duration.place)}).`);
  }
  for (const key of phase.calendar) {
    const entry = source.find(key, "calendar");
    if (entry?.start !== undefined)
      draft.notes.push(
        `From ${entry.start}${entry.end === undefined ? "" : ` to ${entry.end}`} (${source.at(entry.place)}).`,
      );
  }
  if (phase.scope !== undefined) {
    draft.notes.push(`Moves ${phase.scope}.`);
    draft.units = unitsInScope(phase.scope, units);
  }
  if (phase.wayBack !== undefined) {
    if (phase.wayBack.forwardOnly) {
      draft.forwardOnly = true;
      draft.notes.push(`The plan has no way back from here: "${phase.wayBack.text}".`);
    } else draft.wayBack.add({ words: `way back: ${phase.wayBack.text}`, place: phase.place });
  }
  return draft;
}

/** Units of the classes that a scope names: `16-40 (P2-P3 systems)` means P2 and P3. */
function unitsInScope(scope: string, { classes }: UnitsDraft): readonly string[] | undefined {
  const found = new Set<string>();
  for (const [, letter = "", from = "", to] of scope.matchAll(
    /\b([A-Z])(\d+)(?:\s*[-–—]\s*[A-Z]?(\d+))?\b/gi,
  ))
    for (let number = Number(from); number <= Math.min(Number(to ?? from), Number(from) + 100); number += 1)
      for (const unit of classes.get(`${letter}${number}`.toLowerCase()) ?? []) found.add(unit);
  return found.size === 0 ? undefined : [...found];
}

/** Everything inside a phase of the plan, in the order of the document. */
export function fillPhase(source: DefinitionSource, draft: PhaseDraft, key: string): void {
  const { inventory } = source;
  const inside = <T extends Finding>(list: readonly T[]): readonly T[] =>
    list.filter(({ within }) => within.phase === key && within.unit === undefined);
  const ramps = inside(inventory.ramps);
  const work: (StepItem | undefined)[] = [];
  const options = { names: draft.stepNames };
  const parents = new Set(
    [...inventory.steps, ...inventory.commands, ...inventory.units].map(({ within }) => within.step),
  );
  let above: string[] = [];
  const parts = [...inside(inventory.steps), ...inside(inventory.commands)].toSorted(
    (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
  );
  for (const part of parts) {
    if (isWayBack(source, part)) {
      if (part.kind === "command") draft.back.push(part);
      else if (!parents.has(part.key)) draft.wayBack.add({ words: part.text, place: part.place });
      continue;
    }
    if (part.kind === "step" && parents.has(part.key)) {
      // A heading over steps of its own: they are the work, it is their headline.
      source.told.add(part.place.line);
      above = [part.text];
      continue;
    }
    const notes = part.within.step === undefined ? [] : above;
    above = [];
    work.push(
      part.kind === "step"
        ? stepItem(source, part, { ...options, notes })
        : commandItem(source, part, { ...options, notes }),
    );
  }
  for (const order of inside(inventory.orders)) {
    if (order.way === "rollback") continue;
    for (const item of order.items)
      if (item.finding === undefined)
        work.push(claimedStep(source, { words: item.text, place: item.place }, options));
  }
  for (const ramp of ramps) work.push(rampStep(source, ramp, draft));
  draft.steps.push(...work.filter((item) => item !== undefined));
  for (const check of inside(inventory.checks)) {
    if (check.guards === "task") draft.steps.push(stepOfCheck(source, check, options));
    else (check.guards === "entry" ? draft.entry : draft.exit).add(claimOfCheck(check));
  }
  // Only now: what is to be shown before a command stands before it, or something is deleted first.
  draft.steps.sort((a, b) => a.line - b.line);
  for (const criterion of inside(inventory.criteria))
    if (criterion.check === undefined) draft.exit.add(claimOfCriterion(criterion));
}

/** Shares in order as a ramp; where they do not rise as a ramp asks, or lie outside 0…100, they are a claim like others. */
export function rampStep(source: DefinitionSource, ramp: RampFinding, draft: PhaseDraft): StepItem {
  const { place } = ramp;
  const shares = ramp.stages.map(({ percent }) => percent);
  // In steps of a bucket of keys, as a ramp asks; nothing at all may stand before the first one.
  const rising = shares.every((share, index) => {
    if (index === 0 && share === 0) return true;
    return share > 0 && share <= 100 && shareLimit(share) > shareLimit(shares[index - 1] ?? 0);
  });
  const above = shares.filter((share) => share > 0);
  if (!rising || above.length === 0)
    return claimedStep(source, { words: ramp.text, place, name: "ramp" }, { names: draft.stepNames });
  for (const stage of ramp.stages) source.told.add(stage.place.line);
  const holds = ramp.stages.map(({ hold }) => source.duration(hold));
  const held = holds.some((hold) => hold !== undefined);
  const name = routeOf(source, ramp, draft);
  const step = draft.stepNames.take("ramp");
  const steps = ramp.stages.flatMap(({ percent }, index): Code[] => {
    if (percent === 0) return [];
    const hold = holds[index];
    // A day is the longest a share may take unless it says so itself.
    const long = hold !== undefined && parseDuration(hold) >= 86_400_000;
    return [
      object({
        share: text(String(percent)),
        hold: hold === undefined ? undefined : words(hold),
        atMost: long ? words(hold.replace(/[\d.]+/, (amount) => String(Number(amount) * 2))) : undefined,
      }),
    ];
  });
  return {
    line: place.line,
    ofUnit: false,
    irreversible: false,
    notes: [
      "Name the route as the application declares it: rollout.route(name, …).",
      ...(shares[0] === 0 ? ["The 0 % before it is the route as it stands."] : []),
      ramp.text,
    ],
    code: fromPlace(source, place, {
      type: "call",
      name: "ramp",
      args: [
        words(name),
        held ? list(steps) : numbers(above),
        ...(step === "ramp" ? [] : [object({ name: words(step) })]),
      ],
    }),
  };
}

/** What the percentages are of, as the plan says it: `percentage of work orders` is the route `work-orders`. */
function routeOf(source: DefinitionSource, ramp: RampFinding, draft: PhaseDraft): string {
  const near = [draft.claim, ...draft.notes, ramp.text, ...ramp.stages.map(({ text: said }) => said)].join(
    "\n",
  );
  const of = /(?:percent(?:age)?|share|%)\s+of\s+(?:the\s+|all\s+)?([a-z][a-z-]*(?:\s+[a-z][a-z-]*)?)/i.exec(
    near,
  )?.[1];
  return slug(of ?? "") || slug(source.inventory.title) || "traffic";
}

/** A phase of which the plan tells no work stands for its goal. */
export function claimGoal(source: DefinitionSource, draft: PhaseDraft): void {
  if (!draft.empty) return;
  const place = { file: "", line: draft.line, column: 1, endLine: draft.line };
  const claim = { words: draft.claim, place, name: draft.name };
  draft.steps.push(claimedStep(source, claim, { names: draft.stepNames }));
}

/** Code of the phases that a draft becomes: from its first step that cannot be taken back, it is a forward-only one. */
export function phaseItems(draft: PhaseDraft, names: Names): readonly CodeItem[] {
  if (draft.back.length > 0 && !attachWayBack(draft.steps, draft.back))
    for (const { shell, place } of draft.back) draft.wayBack.add({ words: shell, place });
  const cut = draft.forwardOnly ? 0 : draft.steps.findIndex(({ irreversible }) => irreversible);
  const entry = draft.entry.items;
  const exit = draft.exit.items;
  const wayBack = draft.wayBack.items;
  const code = (name: string, parts: PhaseParts): Code => phaseCode(draft, name, parts);
  if (cut === -1)
    return [
      {
        notes: draft.notes,
        code: code(draft.name, { entry, steps: draft.steps, exit, wayBack, approved: draft.approval }),
      },
    ];
  const final = { entry: [], wayBack: [], steps: draft.steps.slice(cut), forwardOnly: true, approved: true };
  // What is to be shown is shown before anything is gone for good; what follows a phase that deletes at once can only end it.
  const goneAt = lastGone(final.steps);
  const shown = cut === 0 ? exit.filter(({ line }) => line < goneAt) : exit;
  const after = cut === 0 ? exit.filter(({ line }) => line >= goneAt) : [];
  if (cut === 0 && shown.length === 0)
    return [{ notes: draft.notes, code: code(draft.name, { ...final, entry, wayBack, exit: after }) }];
  const begun = draft.steps.slice(0, cut);
  const first = code(draft.name, { entry, wayBack, steps: begun, exit: shown, approved: false });
  const last = code(names.take(`${draft.name}-final`), { ...final, exit: after });
  return [
    { notes: draft.notes, code: first },
    { notes: ["From here on nothing brings back what is gone: one person has to approve."], code: last },
  ];
}

/** Line of the last step that cannot be taken back: every one, where the plan knows no way back from a phase and no command says so. */
function lastGone(steps: readonly StepItem[]): number {
  const gone = steps.filter(({ irreversible }) => irreversible);
  return Math.max(0, ...(gone.length > 0 ? gone : steps).map(({ line }) => line));
}

interface PhaseParts {
  readonly entry: readonly CodeItem[];
  readonly wayBack: readonly CodeItem[];
  readonly steps: readonly CodeItem[];
  readonly exit: readonly CodeItem[];
  readonly forwardOnly?: boolean;
  readonly approved: boolean;
}

function phaseCode(draft: PhaseDraft, name: string, parts: PhaseParts): Code {
  const some = (items: readonly CodeItem[]): Code | undefined =>
    items.length === 0 ? undefined : list(items);
  return {
    type: "call",
    name: "phase",
    args: [
      words(name),
      object({
        title: draft.title === undefined ? undefined : words(draft.title),
        from: draft.from === undefined ? undefined : words(draft.from),
        units: draft.units === undefined ? undefined : list(draft.units.map(words)),
        forwardOnly: parts.forwardOnly === true ? text("true") : undefined,
        approval: parts.approved ? object({ by: text("1") }) : undefined,
        wayBack: some(parts.wayBack),
        entry: some(parts.entry),
        steps: some(parts.steps),
        exit: some(parts.exit),
      }),
    ],
  };
}
