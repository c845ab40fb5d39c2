import { CutoverError } from "../core/index.ts";
import {
  type Code,
  type CodeItem,
  columnsOf,
  comment,
  list,
  object,
  print,
  usedIn,
  words,
} from "./definition-code.ts";
import { phasesOfSections, placeLooseProofs, placeLooseWork, waysBack } from "./definition-leftovers.ts";
import { importLine } from "./bind-imports.ts";
import { claimGoal, PhaseDraft, draftPhase, fillPhase, phaseItems } from "./definition-phases.ts";
import { attachWayBack } from "./definition-back.ts";
import {
  type Constant,
  draftContingencies,
  draftMaps,
  draftRisks,
  draftTriggers,
  type Procedure,
  scheduleCode,
  scheduleOf,
} from "./definition-registers.ts";
import { DefinitionSource } from "./definition-source.ts";
import { addUnitWork } from "./definition-unit-work.ts";
import { draftUnits } from "./definition-units.ts";
import { Names, slug } from "./definition-words.ts";
import type { Inventory } from "./inventory.ts";
import { definitionOf, withDigests } from "./merge-entries.ts";

export interface WriteOptions {
  /** Name of the document as the definition gives it in places. Default: the last part of the inventory's file. */
  readonly document?: string;
}

/**
 * The migration that a written plan describes, as a TypeScript file in this project's style: phases with their checklists,
 * steps and gates, units, triggers, maps, registers; each with its line of the plan. What the plan shows no proof of stands
 * as `unproven("…")`. The file loads, type-checks and is whole for every inventory; nothing of it was run.
 */
export function writeDefinition(inventory: Inventory, options: WriteOptions = {}): string {
  const name = options.document ?? inventory.file.split(/[/\\]/).at(-1) ?? "";
  if (name.trim() === "" || /[\n\r]/.test(name))
    throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
      message: `expected a name for the document, found ${JSON.stringify(name)}`,
      remedy: "give the document a file name",
    });
  const source = new DefinitionSource(inventory, name);
  const units = draftUnits(source);
  const schedule = scheduleOf(source);
  const names = new Names();
  const findings = inventory.phases;
  const phases = findings.map((phase) => draftPhase(source, phase, units, names));
  for (const [index, draft] of phases.entries()) fillPhase(source, draft, findings[index]?.key ?? "");
  if (phases.length === 0) phases.push(...phasesOfSections(source, names));
  addUnitWork(source, units, phases, findings, names);
  const back = waysBack(source);
  if (phases.length === 0) {
    const title = inventory.title.trim() === "" ? "the migration" : inventory.title;
    phases.push(new PhaseDraft(source, { name: names.take("migration"), claim: title, line: 1 }));
  }
  for (const draft of phases) claimGoal(source, draft);
  if (findings.length > 0)
    placeLooseWork(
      source,
      phases,
      findings.map(({ scope }) => scope),
    );
  const attached = new Set<Procedure>();
  for (const procedure of back) {
    const { parts, under } = procedure;
    const commands = parts.filter((part) => part.kind === "command");
    const [own, ...others] = phases.filter(({ title }) => under !== undefined && title === under);
    if (own !== undefined && others.length === 0) {
      if (commands.length === parts.length && attachWayBack(own.steps, commands)) attached.add(procedure);
      continue;
    }
    const [begins] = phases.filter(({ steps }) =>
      steps.some(({ code }) => code.type === "call" && code.name === "command"),
    );
    if (begins !== undefined && commands.length === parts.length) attachWayBack(begins.steps, commands);
  }
  approvals(source, phases);
  const triggers = draftTriggers(source, {
    units: units.units.length > 0,
    scheduleEnd: schedule?.end !== undefined,
  });
  const risks = draftRisks(source);
  const contingencies = draftContingencies(
    source,
    back.filter((procedure) => !attached.has(procedure)),
  );
  const maps = draftMaps(source);
  placeLooseProofs(source, phases);
  const some = (items: readonly CodeItem[]): Code | undefined =>
    items.length === 0 ? undefined : list(items);
  const migration = object({
    name: words(slug(inventory.title) || slug(name.replace(/\.\w+$/, "")) || "imported-plan"),
    title: inventory.title.trim() === "" ? undefined : words(inventory.title),
    document: object({ file: words(name), hash: words(inventory.hash) }),
    schedule: schedule === undefined ? undefined : scheduleCode(schedule),
    units: some(units.units),
    waves: some(units.waves),
    phases: list(phases.flatMap((phase) => phaseItems(phase, names))),
    triggers: some(triggers),
    risks: some(risks),
    contingencies: some(contingencies),
  });
  const file = fileText(source, migration, maps);
  return withDigests(file, definitionOf(file));
}

/** Who signs off closes the last phase; a team is no name that anybody approves under. */
function approvals(source: DefinitionSource, phases: readonly PhaseDraft[]): void {
  for (const role of source.inventory.roles) {
    if (!/approv|sign[- ]?off|freigabe|abnahme|valid(e|ation)|aprob/i.test(role.duty ?? "")) continue;
    const place = source.find(role.within.phase, "phase")?.place;
    const from = place === undefined ? undefined : source.at(place);
    const phase = phases.find((each) => from !== undefined && each.from === from) ?? phases.at(-1);
    if (phase === undefined) continue;
    phase.approval = true;
    phase.notes.push(`Approval: ${source.mark(role.place, role.text)}`);
  }
}

function fileText(source: DefinitionSource, migration: Code, maps: readonly Constant[]): string {
  const whole: Code = { type: "call", name: "defineMigration", args: [migration] };
  const used = new Set(usedIn(whole));
  used.delete("ramp");
  const main = [...used, "type Migration"].toSorted((a, b) => plain(a).localeCompare(plain(b), "en"));
  const lines = [
    importLine(main, "cutover"),
    ...(usedIn(whole).includes("ramp") ? [importLine(["ramp"], "cutover/rollout")] : []),
    "",
    ...header(source).map(comment),
    "",
    ...maps.flatMap((map) => constant(map)),
    `const migration: Migration = ${print(whole, 0, "const migration: Migration = ".length, 1)};`,
    "export default migration;",
    "",
  ];
  return lines.join("\n");
}

const plain = (name: string): string => name.replace("type ", "");

function constant({ name, notes, code }: Constant): readonly string[] {
  const start = `export const ${name} = `;
  return [
    ...notes.map(comment),
    `${start}${print(code, 0, columnsOf(start), " as const;".length)} as const;`,
    "",
  ];
}

/** What the file is, and what was read and has no place in a definition. */
function header(source: DefinitionSource): readonly string[] {
  const { inventory } = source;
  const totals = inventory.totals.map(({ place, text: said }) => `${source.at(place)} ${said}`);
  const kept = (
    [
      ["note", inventory.notes],
      ["file", inventory.artifacts],
      ["row", inventory.rows],
      ["code value", inventory.literals],
      ["report", inventory.reports],
      ["link", inventory.links],
      ["role", inventory.roles.filter(({ duty }) => !/approv/i.test(duty ?? ""))],
    ] as const
  ).flatMap(([word, found]) =>
    found.length === 0 ? [] : [`${found.length} ${word}${found.length === 1 ? "" : "s"}`],
  );
  const unplaced = inventory.unplaced.length;
  const first = `Written by \`cutover import\` from ${source.name}: read it, change it, and say with \`cutover bind\` how each claim is shown.`;
  return [
    first,
    ...totals.map((each) => `Time: ${each}`),
    ...(kept.length === 0
      ? []
      : [
          `Read, and without a place in a definition: ${kept.join(", ")}. \`cutover import --json\` has them.`,
        ]),
    ...(unplaced === 0
      ? []
      : [
          `Not read: ${unplaced} line${unplaced === 1 ? "" : "s"}; \`cutover import --unplaced\` shows them.`,
        ]),
  ];
}
