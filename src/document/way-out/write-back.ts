import { CutoverError, type PlanItem, visible } from "../../core/index.ts";
import type { Inventory } from "../inventory.ts";
import { claimOf, editItem, editRow, editStatus, type Pen } from "./edit-line.ts";
import { editTask } from "./edit-chart.ts";
import { matchItems } from "./match-items.ts";
import { isShown, type LineState, minute, type RecordedRun, stateOf, wordsOf } from "./record.ts";

export interface WriteBackOptions {
  /** SHA-256 of the text when it was imported; left out when nobody knows. */
  readonly imported?: string;
}

/** The plan with the true state of every item, and what it says in numbers. */
export interface WrittenBack {
  readonly text: string;
  /** Lines that speak of an item of the record, and how many of them evidence shows. */
  readonly lines: number;
  readonly shown: number;
  /** Claims of the plan that the record does not bear out. */
  readonly refuted: number;
  /** Items of the record that no line of the plan asks for; they stand in a list at the end. */
  readonly elsewhere: number;
}

/**
 * Writes the plan again with what the record says in place of what people ticked: boxes, status words and columns, charts,
 * each with the events that show it; what nothing shows is open, whatever the plan said. All else stays as it was.
 *
 * @throws CUTOVER_DOCUMENT_DRIFT when the text is not the one that was imported
 */
export function writeBack(
  source: string,
  inventory: Inventory,
  run: RecordedRun,
  options: WriteBackOptions = {},
): WrittenBack {
  const { imported } = options;
  if (imported !== undefined && imported !== inventory.hash)
    throw new CutoverError("CUTOVER_DOCUMENT_DRIFT", {
      message: `expected the plan as it was imported (sha256 ${imported.slice(0, 12)}…), found another text (${inventory.hash.slice(0, 12)}…)`,
      place: inventory.file,
      details: { expected: imported, found: inventory.hash },
    });
  const newline = source.includes("\r\n") ? "\r\n" : "\n";
  const lines = source.replace(/^\uFEFF/, "").split(/\r?\n/);
  const { byLine, unmatched } = matchItems(inventory, run.items);
  const told = new Set<number>();
  const pen = penOf(inventory.format === "markdown", told);
  const fences = fencedLines(lines);
  const page = new Page(lines);
  const inBlocks: { readonly line: number; readonly state: LineState }[] = [];
  let refuted = 0;

  const states = new Map([...byLine].map(([line, items]) => [line, stateOf(mainItems(items))]));
  const homes = homesOf(inventory, states);
  for (const [line, state] of states) {
    if (fences.has(line)) inBlocks.push({ line, state });
    else page.edit(line, (text) => editAny(lines, line, text, state, pen));
    if (claimOf(lines[line - 1] ?? "") !== undefined && !isShown(state)) refuted++;
  }
  for (const line of claimLines(inventory, lines)) {
    if (states.has(line) || fences.has(line)) continue;
    const status = editStatus(lines[line - 1] ?? "", homes.above(line), pen);
    // A check or step of its own never borrows the state of what it stands in: that would tick what nothing shows.
    const state = status === undefined ? homes.of(line) : homes.above(line);
    const after = status ?? editAny(lines, line, lines[line - 1] ?? "", state, pen);
    if (after === lines[line - 1]) continue;
    if (state === undefined || !isShown(state)) refuted++;
    page.edit(line, () => after);
  }
  for (const entry of inventory.calendar) {
    const { line } = entry.place;
    if (!fences.has(line) || entry.start === undefined) continue;
    page.replace(line, (text) => editTask(text, entry, states.get(line) ?? homes.of(line), run.at));
  }
  const shownLines = [...states.values()].filter(isShown).length;
  const counts = { lines: states.size, shown: shownLines, refuted, elsewhere: unmatched.length };
  const head = header(inventory, run, counts, imported !== undefined);
  const tail = appendix(run, unmatched, inBlocks, lines, pen, told, inventory.format === "markdown");
  const body = page.lines();
  const front = frontMatter(body);
  const text = [...body.slice(0, front), ...head, "", ...body.slice(front)].join(newline).replace(/\s*$/, "");
  return { text: `${text}${newline}${newline}${tail.join(newline)}${newline}`, ...counts };
}

/** Of a line that asks for a check and names its phase, the nearest thing counts. */
const nearness: readonly (readonly string[])[] = [
  ["entry", "way-back", "exit", "success"],
  ["step"],
  ["trigger"],
  ["phase"],
  ["unit"],
];

function mainItems(items: readonly PlanItem[]): readonly PlanItem[] {
  for (const roles of nearness) {
    const own = items.filter(({ role }) => roles.includes(role));
    if (own.length > 0) return own;
  }
  return items;
}

const isRow = (line: string): boolean =>
  /^\s*\|.*\|\s*$/.test(line) || (line.split("|").length > 2 && !/^\s*[-*+#\d]/.test(line));

function editAny(
  lines: readonly string[],
  line: number,
  text: string,
  state: LineState | undefined,
  pen: Pen,
): string {
  if (!isRow(text)) return editItem(text, state, pen);
  let top = line - 1;
  while (top > 0 && isRow(lines[top - 1] ?? "")) top--;
  const ruled = /^[\s|:-]+$/.test(lines[top + 1] ?? "") && (lines[top + 1] ?? "").includes("-");
  return editRow(text, ruled ? (lines[top] ?? "") : "", state, pen);
}

/** Lines on which the plan says that something is done, begun or failed. */
function claimLines(inventory: Inventory, lines: readonly string[]): readonly number[] {
  const found = new Set<number>();
  for (const { place } of inventory.checks) found.add(place.line);
  for (const { claim, place, ...rest } of [...inventory.phases, ...inventory.units, ...inventory.steps]) {
    if (claim === undefined) continue;
    const also = "also" in rest ? rest.also : [];
    for (const { line } of [place, ...also]) found.add(line);
  }
  lines.forEach((text, index) => {
    if (editStatus(text, undefined, { proof: () => "", plain: (words) => words }) !== undefined)
      found.add(index + 1);
  });
  return [...found].toSorted((a, b) => a - b);
}

interface Homes {
  /** The state of the phase, unit or step that this line names: its heading, its row, its bar in a chart. */
  readonly of: (line: number) => LineState | undefined;
  /** The same, or of the one whose part the line stands in: for `Status:` lines. */
  readonly above: (line: number) => LineState | undefined;
}

function homesOf(inventory: Inventory, states: ReadonlyMap<number, LineState>): Homes {
  const owners = [...inventory.phases, ...inventory.units, ...inventory.steps];
  const byLine = new Map<number, LineState>();
  const heads: { readonly line: number; readonly state: LineState | undefined }[] = [];
  for (const owner of owners) {
    const places = [owner.place, ...("also" in owner ? owner.also : [])];
    const state = places.map(({ line }) => states.get(line)).find((each) => each !== undefined);
    for (const { line } of places) {
      if (state !== undefined && !byLine.has(line)) byLine.set(line, state);
      heads.push({ line, state });
    }
  }
  for (const entry of inventory.calendar) {
    const phase = inventory.phases.find(({ key }) => key === entry.within.phase);
    const state = phase === undefined ? undefined : states.get(phase.place.line);
    if (state !== undefined && !byLine.has(entry.place.line)) byLine.set(entry.place.line, state);
  }
  const sections = inventory.sections.map(({ place }) => place.line);
  heads.sort((a, b) => a.line - b.line);
  const checks = new Set(inventory.checks.map(({ place }) => place.line));
  const of = (line: number): LineState | undefined => (checks.has(line) ? undefined : byLine.get(line));
  return {
    of,
    above: (line) => {
      const section = sections.findLast((each) => each <= line) ?? 0;
      return of(line) ?? heads.findLast((head) => head.line <= line && head.line >= section)?.state;
    },
  };
}

/** Lines between fences: code and charts, where words of ours would not be read as words. */
function fencedLines(lines: readonly string[]): ReadonlySet<number> {
  const inside = new Set<number>();
  let fence = "";
  lines.forEach((line, index) => {
    const mark = /^\s{0,3}(?:>\s*)*(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    if (fence === "") {
      fence = mark;
      if (mark !== "") inside.add(index + 1);
      return;
    }
    inside.add(index + 1);
    if (mark.startsWith(fence)) fence = "";
  });
  return inside;
}

/** Lines that are changed in place: numbers of the others stay what they are until all is written. */
class Page {
  readonly #lines: (readonly string[])[];

  constructor(lines: readonly string[]) {
    this.#lines = lines.map((line) => [line]);
  }

  edit(line: number, change: (text: string) => string): void {
    this.replace(line, (text) => [change(text)]);
  }

  replace(line: number, change: (text: string) => readonly string[]): void {
    const [text] = this.#lines[line - 1] ?? [];
    if (text !== undefined) this.#lines[line - 1] = change(text);
  }

  lines(): readonly string[] {
    return this.#lines.flat();
  }
}

/** Events shown beside one item: more stand in the report. */
const mostLinks = 3;

function penOf(markdown: boolean, told: Set<number>): Pen {
  return {
    proof: (events) => {
      const some = events.slice(-mostLinks);
      for (const seq of some) told.add(seq);
      if (some.length === 0) return "";
      return ` (${some.map((seq) => (markdown ? `[event ${seq}](#event-${seq})` : `event ${seq}`)).join(", ")})`;
    },
    plain: (text) => (markdown ? harmless(text) : visible(text)),
  };
}

const harmless = (text: string): string => visible(text).replace(/[\\`*_[\]<>|~]/g, "\\$&");

type Counts = Omit<WrittenBack, "text">;

function header(inventory: Inventory, run: RecordedRun, counts: Counts, known: boolean): readonly string[] {
  const quote = inventory.format === "markdown" ? "> " : "";
  const bold = (text: string): string => (quote === "" ? text : `**${text}**`);
  const plain = (text: string): string => (quote === "" ? visible(text) : harmless(text));
  const file = inventory.file.split(/[/\\]/).at(-1) ?? "";
  const overrides = run.overrides.length;
  return [
    `${quote}${bold("Generated from the record; do not edit.")} Run ${plain(run.id)} of ${plain(run.migration)}: ${run.state}. Definition ${run.hash}. Written ${minute(run.at)}.`,
    `${quote}Of ${counts.lines} lines that the run knows, evidence shows ${counts.shown}. ${counts.refuted} ${counts.refuted === 1 ? "claim" : "claims"} of the plan ${counts.refuted === 1 ? "is" : "are"} not borne out and ${counts.refuted === 1 ? "stands" : "stand"} open. ${overrides === 0 ? "No move rests on a person's word alone." : `${overrides} ${overrides === 1 ? "move rests" : "moves rest"} on a person's word alone, see the end.`}`,
    `${quote}Text: ${plain(file)}, sha256 ${inventory.hash}${known ? ", as it was imported" : "; the definition does not say which text it was made from"}.`,
  ];
}

/** Front matter stays the first thing in the file. */
function frontMatter(lines: readonly string[]): number {
  if (lines[0] !== "---") return 0;
  const end = lines.indexOf("---", 1);
  return end === -1 ? 0 : end + 1;
}

function appendix(
  run: RecordedRun,
  unmatched: readonly PlanItem[],
  inBlocks: readonly { readonly line: number; readonly state: LineState }[],
  lines: readonly string[],
  pen: Pen,
  told: Set<number>,
  markdown: boolean,
): readonly string[] {
  const title = (text: string): readonly string[] =>
    markdown ? [`## ${text}`, ""] : [text, "=".repeat(text.length), ""];
  const out: string[] = markdown ? ["---", ""] : [];
  if (inBlocks.length > 0) {
    out.push(...title("What stands in blocks"));
    for (const { line, state } of inBlocks.toSorted((a, b) => a.line - b.line))
      out.push(
        `- line ${line}, ${pen.plain((lines[line - 1] ?? "").trim())} — ${pen.plain(wordsOf(state))}${pen.proof(state.events)}`,
      );
    out.push("");
  }
  const beyond = unmatched.filter(({ role }) => role !== "phase" || run.items.length === unmatched.length);
  if (beyond.length > 0) {
    out.push(...title("In the run, without a line of its own above"));
    for (const item of beyond) {
      const state = stateOf([item]);
      out.push(
        `- ${item.role} ${pen.plain(item.name)} — ${pen.plain(wordsOf(state))}${pen.proof(state.events)}`,
      );
    }
    out.push("");
  }
  if (run.overrides.length > 0) {
    out.push(...title("Moved on a person's word"));
    for (const { at, what, by, reason } of run.overrides)
      out.push(`- ${minute(at)}, ${pen.plain(by)}: ${pen.plain(what)} — ${pen.plain(reason)}`);
    out.push("");
  }
  out.push(...title("Events"));
  const proofs = run.proofs.filter(({ seq }) => told.has(seq)).toSorted((a, b) => a.seq - b.seq);
  for (const { seq, at, what, evidence } of proofs) {
    const id = evidence === null ? "" : `, ${evidence.slice(0, 16)}`;
    out.push(
      `- ${markdown ? `<a id="event-${seq}"></a>` : ""}event ${seq}, ${minute(at)}: ${pen.plain(what)}${id}`,
    );
  }
  if (proofs.length === 0) out.push("None yet.");
  return out;
}
