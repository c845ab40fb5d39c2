import { sha256 } from "../core/index.ts";
import type { FindingBase, Place, Sureness } from "./finding.ts";
import { findingLists, type Lists } from "./inventory.ts";
import type { Unplaced } from "./matter-finding.ts";
import type { PhaseFinding, SectionFinding, SectionRole, StepFinding, UnitFinding } from "./work-finding.ts";

/** A finding while it is still being put together. Only this room's readers write to it. */
export type Growing<T> = { -readonly [Member in keyof T]: T[Member] };

/** Where the reader stands. */
export interface Context {
  readonly section?: SectionFinding;
  readonly phase?: Growing<PhaseFinding>;
  readonly unit?: Growing<UnitFinding>;
  readonly step?: Growing<StepFinding>;
  /** Of the nearest heading that has one. */
  readonly role: SectionRole;
  readonly way: "forward" | "rollback";
}

/** What every finding is made with; the draft adds key, place and the keys of what it stands in. */
export interface Said {
  readonly text: string;
  readonly line: number;
  readonly endLine?: number;
  /** Written somewhere on its line; the column is where it is found. Default: the first word of the line. */
  readonly written?: string;
  readonly sureness: Sureness;
  readonly why: string;
}

export type Own<F> = Omit<F, keyof FindingBase<string>>;
type Kind = Lists[keyof Lists][number]["kind"];
type ListOf<K extends Kind> = {
  [L in keyof Lists]: Lists[L][number]["kind"] extends K ? L : never;
}[keyof Lists];

const untold = 0;
const told = 1;
const layout = 2;
const left = 3;

/** Collects findings, gives them keys and places, and keeps account of every line. */
export class Draft {
  readonly lists: { [L in keyof Lists]: Lists[L][number][] };
  readonly lines: readonly string[];
  readonly file: string;
  readonly #account: Uint8Array;
  readonly #reasons: Map<number, string> = new Map();
  readonly #under: Map<number, string> = new Map();
  readonly #keys: Map<string, number> = new Map();

  constructor(file: string, lines: readonly string[]) {
    this.file = file;
    this.lines = lines;
    this.#account = new Uint8Array(lines.length + 2);
    this.lists = Object.fromEntries(findingLists.map((list) => [list, []])) as unknown as this["lists"];
  }

  place(line: number, endLine: number = line, written?: string): Place {
    const text = this.lines[line - 1] ?? "";
    const found = written === undefined ? -1 : text.indexOf(written);
    const column = (found === -1 ? Math.max(text.search(/\S/), 0) : found) + 1;
    return { file: this.file, line, column, endLine: Math.max(line, endLine) };
  }

  /** A key that nothing has yet. */
  key(kind: string, ...parts: readonly string[]): string {
    const wanted = `${kind}:${parts
      .filter((part) => part !== "")
      .map((part) => slug(part))
      .join("/")}`;
    const seen = (this.#keys.get(wanted) ?? 0) + 1;
    this.#keys.set(wanted, seen);
    return seen === 1 ? wanted : `${wanted}~${seen}`;
  }

  /** Adds a finding and marks its lines as told. */
  add<K extends Kind>(
    list: ListOf<K> & keyof Lists,
    kind: K,
    said: Said,
    context: Context,
    own: Own<Extract<Lists[keyof Lists][number], { kind: K }>>,
    key?: string,
  ): Growing<Extract<Lists[keyof Lists][number], { kind: K }>> {
    const { phase, unit, step, section } = context;
    const home = phase?.name ?? unit?.name ?? (section === undefined ? "" : section.title);
    const finding = {
      kind,
      // A line has many figures: each is known by itself, not by the line.
      key:
        key ??
        this.key(
          kind,
          home,
          kind === "duration" || kind === "percent" ? (said.written ?? said.text) : said.text,
        ),
      text: oneLine(said.text),
      place: this.place(said.line, said.endLine, said.written),
      sureness: said.sureness,
      why: said.why,
      within: {
        ...(section === undefined ? {} : { section: section.key }),
        ...(phase === undefined || kind === "phase" ? {} : { phase: phase.key }),
        ...(unit === undefined || kind === "unit" ? {} : { unit: unit.key }),
        ...(step === undefined ? {} : { step: step.key }),
      },
      ...own,
    };
    (this.lists[list] as unknown[]).push(finding);
    this.tell(said.line, said.endLine);
    return finding as unknown as Growing<Extract<Lists[keyof Lists][number], { kind: K }>>;
  }

  /** These lines are in a finding. */
  tell(line: number, endLine: number = line): void {
    for (let at = line; at <= endLine; at++) if (this.#account[at] !== layout) this.#account[at] = told;
  }

  /** This line only gives form: a fence, a rule, a bracket. */
  form(line: number, endLine: number = line): void {
    for (let at = line; at <= endLine; at++) if (this.#account[at] === untold) this.#account[at] = layout;
  }

  /** These lines are in no finding, for this reason; what was told or gives form already stays so. */
  leave(line: number, endLine: number, reason: string, context: Context): void {
    for (let at = line; at <= endLine; at++) {
      if (this.#account[at] !== untold) continue;
      this.#account[at] = left;
      this.#reasons.set(at, reason);
      this.#under.set(at, context.section?.text ?? "");
    }
  }

  isTold(line: number): boolean {
    return this.#account[line] === told;
  }

  /** What is left over, and the count of lines that hold something. A line nobody spoke of is left over too. */
  account(): { readonly unplaced: readonly Unplaced[]; readonly filled: number; readonly placed: number } {
    const unplaced: Unplaced[] = [];
    let filled = 0;
    this.lines.forEach((text, index) => {
      const line = index + 1;
      const state = this.#account[line];
      if (state === layout || text.trim() === "") return;
      filled++;
      if (state === told) return;
      const reason = this.#reasons.get(line) ?? "nothing that is known in plans was found in it";
      const under = this.#under.get(line) ?? "";
      unplaced.push({ place: this.place(line), text, reason, under });
    });
    return { unplaced, filled, placed: filled - unplaced.length };
  }
}

/** Lower case, letters and digits of any script, words joined by `-`; beyond 64 characters the rest as a hash. */
export function slug(text: string): string {
  const known = slugs.get(text);
  if (known !== undefined) return known;
  const made = slugOf(text);
  if (text.length < 120) {
    // Titles of sections come with every finding below them; others seldom twice.
    if (slugs.size > 1_000) slugs.clear();
    slugs.set(text, made);
  }
  return made;
}

const slugs = new Map<string, string>();

function slugOf(text: string): string {
  const words = text
    .normalize("NFC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}%<>=.]+/gu, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  if (words.length <= 64) return words;
  return `${words.slice(0, 56).replace(/-$/, "")}-${sha256(words).slice(0, 7)}`;
}

export const oneLine = (text: string): string =>
  (/\s\s|[^\S ]/.test(text) ? text.replace(/\s+/g, " ") : text).trim();

/** A list of a growing finding is written by its reader alone. */
export function put<T>(list: readonly T[], value: T): void {
  if (!list.includes(value)) (list as T[]).push(value);
}
