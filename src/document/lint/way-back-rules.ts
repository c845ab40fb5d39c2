import type { Inventory } from "../inventory.ts";
import type { PhaseFinding } from "../work-finding.ts";
import { lineOf, quoted, type LintPlace, type Tell } from "./finding.ts";
import { deletes, isDerived } from "./deleting.ts";

const approval =
  /approv|sign(?:ed)?[- ]?off|four[- ]eyes|go[/ -]no[- ]?go|peer review|reviewed by|freigabe|freigegeben|genehmig|vier-augen|abgezeichnet|approbation|approuv|validation par|feu vert|aprobaci|aprobad|visto bueno|aprova|approvaz|approvat|goedkeur|zatwierdz|akceptacj|утвержд|согласован|одобрен|批准|审批|承認|決裁|승인/iu;

/** A plan says how to go back, and what cannot be taken back needs somebody's word. */
export function checkWayBack(inventory: Inventory, tell: Tell): void {
  wayBack(inventory, tell);
  irreversible(inventory, tell);
  exits(inventory, tell);
}

function wayBack(inventory: Inventory, tell: Tell): void {
  const { phases, steps, orders, sections, commands, checks } = inventory;
  const backSections = new Set(sections.filter(({ role }) => role === "rollback").map(({ key }) => key));
  const under = (key: string | undefined): boolean => key !== undefined && backSections.has(key);
  const all = [
    ...steps.filter(({ way, within }) => way === "rollback" || under(within.section)),
    ...commands.filter(({ within }) => under(within.section)),
    ...checks.filter(({ within }) => under(within.section)),
    ...inventory.notes.filter(({ within }) => under(within.section)),
    ...inventory.contingencies.filter(({ text }) => /rollback|roll back|restore|zurück|retour/iu.test(text)),
  ];
  const backOrders = orders.filter(({ way }) => way === "rollback");
  const told = phases.some(({ wayBack: own }) => own?.forwardOnly === false);
  const work = phases.length + inventory.units.length + steps.length + commands.length;
  const first = sections[0] ?? phases[0] ?? steps[0] ?? commands[0];
  if (all.length === 0 && backOrders.length === 0 && !told && first !== undefined && work > 0) {
    tell("no-way-back", first, {
      expected: "a part that says how to go back, and when",
      found: `none for ${phases.length} phases and ${steps.length} steps`,
      remedy: "write a rollback plan: what triggers it, its steps, and how it is proven before it is needed",
      severity: "error",
    });
    return;
  }
  // Once the way back is told phase by phase, a phase that is left out has none.
  const named = new Set([
    ...backOrders.flatMap(({ items }) => items.flatMap(({ finding }) => finding ?? [])),
    ...all.flatMap(({ within }) => within.phase ?? []),
    ...phases.filter(({ wayBack: own }) => own?.forwardOnly === false).map(({ key }) => key),
  ]);
  const namedPhases = phases.filter(({ key }) => named.has(key));
  const general = all.some(({ within }) => within.phase === undefined) && backOrders.length === 0;
  if (namedPhases.length === 0 || general) return;
  const places = namedPhases.map(({ place, title }) => lineOf(place, `${title} has one`));
  const have = namedPhases.length === 1 ? "has" : "have";
  // One that is forward only says so; whether somebody approves it is another rule's question.
  for (const phase of phases.filter(({ key, wayBack: own }) => !named.has(key) && own === undefined))
    tell("no-way-back", phase, {
      expected: `a way back of its own, as ${namedPhases.map(nameOf).join(", ")} ${have}`,
      found: "none",
      remedy: "say how this phase is taken back, or that it is forward only and who approves that",
      also: places,
    });
}

const nameOf = ({ number, title }: PhaseFinding): string =>
  number === undefined ? quoted(title) : `phase ${number}`;

function irreversible(inventory: Inventory, tell: Tell): void {
  const approvedIn = places(inventory);
  const finals = [
    ...inventory.commands
      .filter(({ dangers, shell }) => dangers.some((danger) => danger.irreversible) && !isDerived(shell))
      .map((command) => ({
        item: command,
        why: command.dangers.find((danger) => danger.irreversible)?.why ?? "",
        severity: "error" as const,
      })),
    ...inventory.steps
      .filter(({ way, text }) => way === "forward" && deletes(text))
      .map((item) => ({ item, why: "takes something away for good", severity: "warning" as const })),
  ];
  const homes = new Map<string, (typeof finals)[number][]>();
  for (const final of finals) {
    const { within } = final.item;
    const back = inventory.sections.find(({ key }) => key === within.section)?.role === "rollback";
    if (back || approvedIn(within, final.item.text)) continue;
    const home = `${final.severity} ${within.phase ?? ""} ${within.section ?? ""}`;
    const list = homes.get(home);
    if (list === undefined) homes.set(home, [final]);
    else list.push(final);
  }
  for (const [first, ...rest] of homes.values()) {
    if (first === undefined) continue;
    tell("irreversible-without-approval", first.item, {
      expected: "somebody's approval before it, named in the same part of the plan",
      found: `${quoted(first.item.text)}: ${first.why}${rest.length === 0 ? "" : `, and ${rest.length} more like it`}`,
      remedy: "say who approves it and on what evidence",
      severity: first.severity,
      also: rest.map(({ item }): LintPlace => lineOf(item.place, quoted(item.text))),
    });
  }
  for (const phase of inventory.phases)
    if (phase.wayBack?.forwardOnly === true && !approvedIn({ phase: phase.key }, phase.text))
      tell("irreversible-without-approval", phase, {
        expected: "somebody's approval before a phase with no way back",
        found: `${quoted(phase.wayBack.text)} and nobody named`,
        remedy: "say who approves it and on what evidence",
        severity: "error",
      });
}

type Within = Inventory["steps"][number]["within"];

/** Whether an approval is asked for in the same phase, or where there is none, in the same part. */
function places(inventory: Inventory): (within: Within, text: string) => boolean {
  const phases = new Set<string>();
  const sections = new Set<string>();
  let everywhere = false;
  const { steps, checks, criteria, notes, roles, sections: heads, triggers, calendar } = inventory;
  for (const item of [
    ...steps,
    ...checks,
    ...criteria,
    ...notes,
    ...roles,
    ...heads,
    ...triggers,
    ...calendar,
  ]) {
    if (!approval.test(item.text)) continue;
    if (item.within.phase !== undefined) phases.add(item.within.phase);
    else if (item.kind === "section") sections.add(item.key);
    if (item.within.section !== undefined) sections.add(item.within.section);
    // "Every irreversible step is approved by two people" holds for the whole plan.
    if (
      /irrevers|every|each|all |any |destructive|unumkehr|jede|chaque|tout|cada|todo|ogni|каждый|不可逆/iu.test(
        item.text,
      )
    )
      everywhere = true;
  }
  return (within, text) =>
    everywhere ||
    approval.test(text) ||
    (within.phase !== undefined && phases.has(within.phase)) ||
    (within.section !== undefined && sections.has(within.section));
}

/** A sentence that asks for its figure: `Done when …`, `the lag must stay under …`. */
const wanted =
  /\b(?:must|shall|(?:done|finished|complete|over) when|until)\b|muss|müssen|fertig,? wenn|bis (?:die|der|das)|doit|doivent|jusqu|debe|hasta que|должн|必须|直到/iu;

function exits(inventory: Inventory, tell: Tell): void {
  const { phases, checks, criteria, thresholds, sections, notes } = inventory;
  const has = new Set([
    ...checks
      .filter(({ guards }) => guards === "exit" || guards === "success")
      .map(({ within }) => within.phase),
    ...criteria.map(({ within }) => within.phase),
    ...thresholds
      .filter(({ sense, text }) => sense === "goal" || (sense === "unknown" && wanted.test(text)))
      .map(({ within }) => within.phase),
    ...sections
      .filter(({ role }) => role === "criteria" || role === "checklist")
      .map(({ within }) => within.phase),
  ]);
  // "After each phase: …" stands once for all of them.
  const everywhere = [...sections, ...notes].some(({ text, within }) =>
    within.phase === undefined
      ? /\b(?:after|at the end of|exit criteria (?:for|of)) (?:each|every|all) (?:phase|stage|step|wave|milestone)s?\b|nach jeder (?:phase|etappe)|après chaque (?:phase|étape)|después de cada fase|после каждого этапа|各フェーズ|每个阶段/iu.test(
          text,
        )
      : false,
  );
  if (everywhere) return;
  for (const phase of phases) {
    if (has.has(phase.key)) continue;
    tell("phase-without-exit", phase, {
      expected: "criteria that say when it is over",
      found: "none",
      remedy: "write what must be measured or checked before the next phase begins",
    });
  }
}
