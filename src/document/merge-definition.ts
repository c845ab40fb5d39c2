import { CutoverError } from "../core/index.ts";
import { approvedClaims } from "./bind-definition.ts";
import { importedFrom, withImports } from "./bind-imports.ts";
import type { Group } from "./bind-scan.ts";
import { tokens } from "./bind-tokens.ts";
import { type Definition, definitionOf, type Entry, withDigests, writtenDigests } from "./merge-entries.ts";

export interface Change {
  readonly kind: "added" | "removed" | "changed";
  /** `kept`: the definition has what a person made of it, and it stays. */
  readonly outcome: "done" | "kept";
  readonly container: string;
  readonly claim: string;
  /** Of a changed one: its words before. */
  readonly before?: string;
  /** Line in the plan; of a removed one where it stood. */
  readonly place: string | undefined;
  /** Line in the definition, as it was before; undefined for what was added. */
  readonly line: number | undefined;
}

export interface Merged {
  readonly text: string;
  /** In the order of the definition. Lines that moved are no change. */
  readonly changes: readonly Change[];
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** True for a file that `cutover import` wrote, however it was changed since. */
export const isImported = (source: string): boolean =>
  /^\/\/ Written by `cutover import` from /m.test(source) && definitionOf(source).groups.has("");

/**
 * Brings a definition up to date with a plan that changed: `fresh` is what the plan would be written as now. What a person
 * bound or wrote stays; what only the import wrote follows the plan. What the plan no longer has is removed where nobody
 * touched it, and otherwise kept and told, until `prune`. Lines of the plan are brought up to date everywhere.
 * @throws CUTOVER_PLAN_LOAD when the text holds no `defineMigration({ … })`.
 */
export function mergeDefinition(
  existing: string,
  fresh: string,
  options: { readonly prune?: boolean; readonly file: string },
): Merged {
  const [ours, theirs] = [definitionOf(existing), definitionOf(fresh)];
  if (!ours.groups.has(""))
    throw new CutoverError("CUTOVER_PLAN_LOAD", {
      message: "expected defineMigration({ … }) in the file, found none",
      place: options.file,
      remedy: "choose another file with --out, or replace it with --force",
    });
  const written = writtenDigests(existing);
  const merge = new Merge(ours, theirs, written, options.prune === true);
  return merge.result();
}

class Merge {
  readonly #ours: Definition;
  readonly #theirs: Definition;
  readonly #written: ReadonlySet<string>;
  readonly #prune: boolean;
  readonly #onWord: ReadonlySet<string>;
  readonly #edits: Edit[] = [];
  readonly #changes: Change[] = [];
  readonly #ids: { readonly ours: ReadonlyMap<string, Entry>; readonly theirs: ReadonlyMap<string, Entry> };

  constructor(ours: Definition, theirs: Definition, written: ReadonlySet<string>, prune: boolean) {
    this.#ours = ours;
    this.#theirs = theirs;
    this.#written = written;
    this.#prune = prune;
    this.#onWord = approvedClaims(ours.source);
    const byId = ({ entries }: Definition): ReadonlyMap<string, Entry> =>
      new Map(entries.map((entry) => [idOf(entry), entry]));
    this.#ids = { ours: byId(ours), theirs: byId(theirs) };
  }

  result(): Merged {
    const gone = new Set<string>();
    for (const entry of this.#ours.entries) {
      if (isInside(entry, gone)) continue;
      const now = this.#ids.theirs.get(idOf(entry));
      if (now !== undefined) this.#keepUp(entry, now);
      else if (this.#comesFromPlan(entry) && this.#remove(entry) && entry.whole) gone.add(nameOf(entry));
    }
    const come = new Set<string>();
    for (const entry of this.#theirs.entries) {
      if (this.#ids.ours.has(idOf(entry)) || isInside(entry, come)) continue;
      this.#add(entry);
      if (entry.whole) come.add(nameOf(entry));
    }
    let text = this.#ours.source;
    for (const edit of inOrder(this.#edits))
      text = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
    const used = importedFrom(this.#ours.source, "cutover");
    text = withImports(
      text,
      "cutover",
      [...importedFrom(this.#theirs.source, "cutover")].filter((name) => isUsed(text, name)),
      used,
    );
    const ramps = [...importedFrom(this.#theirs.source, "cutover/rollout")].filter((name) =>
      isUsed(text, name),
    );
    text = withImports(text, "cutover/rollout", ramps, new Set());
    text = withHeader(text, this.#theirs.source);
    return { text: withDigests(text, this.#theirs), changes: paired(this.#changes) };
  }

  /** In both: lines follow the plan; words and code too, where only the import wrote them. */
  #keepUp(entry: Entry, now: Entry): void {
    if (!entry.whole && entry.digest !== now.digest && !this.#written.has(now.digest)) {
      const untouched = this.#written.has(entry.digest);
      // The hash of the document changes with every letter of it; that says nothing of its own.
      if (now.container !== "" || now.id !== "document")
        this.#tell("changed", untouched ? "done" : "kept", now, entry);
      if (untouched) {
        this.#edits.push({ start: entry.start, end: entry.end, text: this.#code(now, entry) });
        return;
      }
    }
    for (const [index, comment] of entry.lead.entries()) {
      const same = ({ text }: { readonly text: string }): boolean =>
        withoutLines(text) === withoutLines(comment.text);
      const fresh = now.lead.filter(same)[entry.lead.slice(0, index).filter(same).length];
      if (fresh !== undefined && fresh.text !== comment.text)
        this.#edits.push({ start: comment.start, end: comment.end, text: fresh.text });
    }
    const place = now.place;
    for (const each of entry.places)
      if (place !== undefined && each.text !== place && entry.place === each.text)
        this.#edits.push({ start: each.start, end: each.end, text: place });
  }

  #comesFromPlan(entry: Entry): boolean {
    if (entry.place !== undefined) return true;
    // A phase or wave the import made up has no line; neither has a member of one. What a person never touched, it wrote.
    if (entry.whole) {
      const parts = this.#partsOf(entry);
      return parts.length > 0 && parts.every((part) => this.#written.has(part.digest));
    }
    if (!this.#written.has(entry.digest)) return false;
    // An approval, or that there is no way back, is not taken away by a plan that no longer says so.
    return !this.#isMember(entry) || ["units", "title", "schedule"].includes(entry.id);
  }

  #isMember({ container }: Entry): boolean {
    return this.#ours.groups.get(container)?.open === "{";
  }

  #partsOf(entry: Entry): readonly Entry[] {
    return this.#ours.entries.filter((each) => isInside(each, new Set([nameOf(entry)])));
  }

  /** True when it goes. */
  #remove(entry: Entry): boolean {
    const parts = entry.whole ? this.#partsOf(entry) : [entry];
    const untouched = parts.every((each) => this.#written.has(each.digest));
    const goes = untouched || this.#prune;
    this.#changes.push({
      kind: "removed",
      outcome: goes ? "done" : "kept",
      container: entry.container,
      claim: entry.claim,
      place: entry.place,
      line: entry.line,
    });
    if (goes) this.#edits.push({ ...wholeLines(this.#ours.source, entry), text: "" });
    return goes;
  }

  #add(entry: Entry): void {
    // People approve it with its phase: it is bound, though nothing stands in its place.
    if (this.#onWord.has(entry.claim)) return;
    this.#tell("added", "done", entry);
    const { container } = entry;
    if (container === "constants") return this.#addConstant(entry);
    const list = this.#ours.groups.get(container);
    if (list !== undefined && this.#isList(container)) return this.#addToList(entry, list);
    if (list !== undefined) return this.#addMember(list, this.#code(entry));
    // The list itself is missing: it comes as a whole, with its first entry, and takes the others along.
    const owner = this.#ours.groups.get(ownerOf(container));
    const theirs = this.#theirs.groups.get(container);
    if (owner === undefined || theirs?.inside === undefined || this.#isMade(container)) return;
    this.#made.add(container);
    const { start, end } = theirs.inside;
    this.#addMember(owner, outdent(this.#theirs.source, start, end));
  }

  readonly #made = new Set<string>();

  #isMade(container: string): boolean {
    return this.#made.has(container);
  }

  #isList(container: string): boolean {
    return this.#ours.groups.get(container)?.open === "[";
  }

  /** Behind the entry that stands before it in the plan, else at the beginning. */
  #addToList(entry: Entry, list: Group): void {
    const siblings = this.#theirs.entries.filter((each) => each.container === entry.container);
    const before = siblings
      .slice(
        0,
        siblings.findIndex((each) => each.id === entry.id),
      )
      .toReversed()
      .flatMap((each) => this.#ids.ours.get(idOf(each)) ?? [])[0];
    const code = this.#code(entry);
    const indent = indentAt(
      this.#ours.source,
      list.parts[0]?.start ?? list.start,
      list.parts.length === 0 ? 2 : 0,
    );
    if (before !== undefined) {
      const comma = /^\s*,/.exec(this.#ours.source.slice(before.end))?.[0].length ?? 0;
      const at = before.end + comma;
      this.#edits.push({
        start: at,
        end: at,
        text: `${comma === 0 ? "," : ""}\n${indent}${reindent(code, indent)}${comma === 0 ? "" : ","}`,
      });
    } else {
      const at = list.start + 1;
      const first = list.parts.length === 0 ? `\n${indent.slice(2)}` : "";
      this.#edits.push({ start: at, end: at, text: `\n${indent}${reindent(code, indent)},${first}` });
    }
  }

  #addMember(object: Group, code: string): void {
    const last = object.parts.at(-1);
    if (last === undefined) return;
    const indent = indentAt(this.#ours.source, object.parts[0]?.start ?? object.start, 0);
    const comma = /^\s*,/.exec(this.#ours.source.slice(last.end))?.[0].length ?? 0;
    const at = last.end + comma;
    this.#edits.push({
      start: at,
      end: at,
      text: `${comma === 0 ? "," : ""}\n${indent}${reindent(code, indent)}${comma === 0 ? "" : ","}`,
    });
  }

  #addConstant(entry: Entry): void {
    const before = this.#ours.entries.filter(({ container }) => container === "constants").at(-1);
    const start = this.#ours.groups.get("")?.inside?.group.inside?.start ?? 0;
    const at = before?.end ?? start;
    const code = this.#theirs.source.slice(entry.start, entry.end);
    this.#edits.push({ start: at, end: at, text: before === undefined ? `${code}\n\n` : `\n\n${code}` });
  }

  /** Code of the plan's side with its comments, indented as it stands there, or as `like` stands here. */
  #code(entry: Entry, like?: Entry): string {
    const code = outdent(this.#theirs.source, entry.start, entry.end);
    return like === undefined ? code : reindent(code, indentAt(this.#ours.source, like.codeStart, 0));
  }

  #tell(kind: Change["kind"], outcome: Change["outcome"], entry: Entry, before?: Entry): void {
    const { container, claim, place } = entry;
    this.#changes.push({
      kind,
      outcome,
      container,
      claim,
      place,
      line: before?.line,
      ...(before === undefined || before.claim === claim ? {} : { before: before.claim }),
    });
  }
}

/** A comment as it stays when lines of the plan move. */
const withoutLines = (comment: string): string => comment.replaceAll(/:\d+/g, "");

const headerLine = /^\/\/ (?:Written by `cutover import` from|Time: |Read, and without a place|Not read: )/;

/** The lines at the top that say what was read, as the plan has them now; what people wrote among them stays. */
function withHeader(text: string, fresh: string): string {
  const header = fresh.split("\n").filter((line) => headerLine.test(line));
  const lines = text.split("\n");
  const first = lines.findIndex((line) => headerLine.test(line));
  if (first === -1) return text;
  const kept = lines.filter((line, index) => index < first || !headerLine.test(line));
  return [...kept.slice(0, first), ...header, ...kept.slice(first)].join("\n");
}

const idOf = ({ container, id }: Entry): string => `${container}\n${id}`;
const nameOf = ({ container, id }: Entry): string =>
  container === "contingencies" ? `contingency ${id}` : `phase ${id}`;
const ownerOf = (container: string): string =>
  container.includes("/") ? container.slice(0, container.lastIndexOf("/")) : "";

/** Part of a phase or procedure in `names`. */
const isInside = ({ container }: Entry, names: ReadonlySet<string>): boolean =>
  names.has(container) || (container.includes("/") && names.has(ownerOf(container)));

/** From the back, so that positions stay true; of two at one place the earlier comes first in the text. */
const inOrder = (edits: readonly Edit[]): readonly Edit[] =>
  edits
    .map((edit, index) => ({ edit, index }))
    .toSorted((a, b) => b.edit.start - a.edit.start || b.edit.end - a.edit.end || b.index - a.index)
    .map(({ edit }) => edit);

function wholeLines(source: string, { start, end }: Entry): { readonly start: number; readonly end: number } {
  const comma = /^\s*,/.exec(source.slice(end))?.[0].length ?? 0;
  const lineStart = source.lastIndexOf("\n", start - 1) + 1;
  const alone =
    /^[ \t]*$/.test(source.slice(lineStart, start)) && /^[ \t]*(\r?\n|$)/.test(source.slice(end + comma));
  if (!alone) return { start, end: end + comma };
  const next = source.indexOf("\n", end + comma);
  return { start: lineStart, end: next === -1 ? source.length : next + 1 };
}

function indentAt(source: string, at: number, more: number): string {
  const line = source.slice(source.lastIndexOf("\n", at - 1) + 1);
  return `${/^[ \t]*/.exec(line)?.[0] ?? ""}${" ".repeat(more)}`;
}

/** A piece of text with the indent of its first line taken off the others. */
function outdent(source: string, start: number, end: number): string {
  const indent = indentAt(source, start, 0);
  const [first = "", ...rest] = source.slice(start, end).split("\n");
  return [
    first,
    ...rest.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart())),
  ].join("\n");
}

const reindent = (code: string, indent: string): string => code.replaceAll(/\n(?=[^\n])/g, `\n${indent}`);

/** As code: the word in a claim is none. */
const isUsed = (text: string, name: string): boolean =>
  tokens(text).some(
    (token, index, all) => token.type === "word" && token.text === name && all[index - 1]?.text !== ".",
  );

/** A claim that went and one that came beside it, much alike, are one that changed. */
function paired(changes: readonly Change[]): readonly Change[] {
  const left = [...changes];
  const result: Change[] = [];
  for (const change of changes) {
    if (change.kind !== "removed" || change.outcome === "kept") continue;
    const index = left.findIndex(
      (each) =>
        each.kind === "added" && each.container === change.container && alike(each.claim, change.claim),
    );
    const added = left[index];
    if (added === undefined) continue;
    left.splice(index, 1);
    left.splice(left.indexOf(change), 1, {
      ...added,
      kind: "changed",
      before: change.claim,
      line: change.line,
    });
  }
  result.push(...left);
  return result;
}

/** More than half of the words in common. */
function alike(a: string, b: string): boolean {
  const wordsOf = (text: string): ReadonlySet<string> =>
    new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const [left, right] = [wordsOf(a), wordsOf(b)];
  const both = [...left].filter((word) => right.has(word)).length;
  return both * 2 > Math.max(left.size, right.size);
}
