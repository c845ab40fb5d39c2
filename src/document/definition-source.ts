import type { Finding, Inventory } from "./inventory.ts";
import type { Place } from "./finding.ts";
import { allFindings } from "./inventory.ts";
import type { SectionFinding, SectionRole } from "./work-finding.ts";
import type { DurationFinding } from "./figure-finding.ts";

/** What the parts of the writer ask of the document: places by name, findings by key, what stands above them. */
export class DefinitionSource {
  readonly inventory: Inventory;
  /** Name of the document as places give it: `PLAN.md`. */
  readonly name: string;
  readonly #byKey: ReadonlyMap<string, Finding>;
  readonly #sectionsByText: ReadonlyMap<string, SectionFinding>;
  /** Lines whose words stand in the definition already, so that a figure in them is not told twice. */
  readonly told: Set<number> = new Set();
  /** Keys of checks that stand in the definition as work. */
  readonly placed: Set<string> = new Set();

  constructor(inventory: Inventory, name: string) {
    this.inventory = inventory;
    this.name = name;
    this.#byKey = new Map(allFindings(inventory).map((finding) => [finding.key, finding]));
    this.#sectionsByText = new Map(inventory.sections.map((section) => [section.text, section]));
  }

  /** `PLAN.md:31`, the form that `from` takes. */
  at({ line }: Place): string {
    return `${this.name}:${line}`;
  }

  /** A comment that says where something without a `from` of its own comes from. */
  mark(place: Place, words: string): string {
    return `${this.at(place)} ${words}`;
  }

  find<K extends Finding["kind"]>(
    key: string | undefined,
    kind: K,
  ): Extract<Finding, { kind: K }> | undefined {
    const found = key === undefined ? undefined : this.#byKey.get(key);
    return found?.kind === kind ? (found as Extract<Finding, { kind: K }>) : undefined;
  }

  /** What the headings above a finding are about, the nearest first. */
  rolesAbove(finding: Finding): readonly SectionRole[] {
    const section = this.find(finding.within.section, "section");
    if (section === undefined) return [];
    const above = section.path.toReversed().flatMap((text) => this.#sectionsByText.get(text) ?? []);
    return [section, ...above].map(({ role }) => role);
  }

  /** The headings above a finding as one text, the nearest first. */
  headingsAbove(finding: Finding): string {
    const section = this.find(finding.within.section, "section");
    return section === undefined ? "" : [section.text, ...section.path.toReversed()].join(" · ");
  }

  /** A duration as the tool reads it; undefined for positions (`Week 1`) and for what is no length. */
  duration(key: string | undefined): string | undefined {
    return durationText(this.find(key, "duration"));
  }
}

/** Days of a month, quarter and year are the usual rounded ones; the comment beside it keeps the words. */
const dayFactors: Readonly<Record<DurationFinding["unit"], readonly [factor: number, unit: string]>> = {
  ms: [1, "ms"],
  s: [1, "s"],
  min: [1, "m"],
  h: [1, "h"],
  day: [1, "d"],
  workday: [1, "d"],
  week: [7, "d"],
  month: [30, "d"],
  quarter: [91, "d"],
  year: [365, "d"],
};

/** Of a range the longer end. */
export function durationText(
  duration: Pick<DurationFinding, "sort" | "unit" | "high"> | undefined,
): string | undefined {
  if (duration === undefined || duration.sort !== "length") return undefined;
  const [factor, unit] = dayFactors[duration.unit];
  const amount = Number((duration.high * factor).toPrecision(12));
  // Exponents are no durations, and a span beyond a thousand years is a slip of the pen.
  return amount >= 0 && amount < 1e6 && !String(amount).includes("e") ? `${amount}${unit}` : undefined;
}
