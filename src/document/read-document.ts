import { readFile } from "node:fs/promises";
import { CutoverError } from "../core/index.ts";
import { fromAsciidoc } from "./asciidoc.ts";
import { type Context, Draft, slug } from "./draft.ts";
import { readHeading } from "./heading.ts";
import type { Inventory } from "./inventory.ts";
import { parseMarkdown } from "./markdown.ts";
import { type Mode, Reading } from "./reading.ts";
import { readSource, type Source } from "./source.ts";
import { Walk } from "./walk.ts";

export interface ReadOptions {
  /** Name for places and errors; its ending helps to tell the format. Default `plan.md`. */
  readonly file?: string;
}

/**
 * Reads a written plan: phases, steps, checks, limits, commands and the rest of `Inventory`, each with its place and how
 * sure the reading is. Every line that holds something is in a finding or in `unplaced` with a reason; nothing is run,
 * followed or written. Markdown (CommonMark, GFM tables and task lists), AsciiDoc as far as
 * plans use it, and plain text are read.
 *
 * @throws CUTOVER_DOCUMENT_FORMAT for other formats and binary files, CUTOVER_DOCUMENT_ENCODING for text that is not
 *   UTF-8, CUTOVER_DOCUMENT_TOO_LARGE beyond 8 MiB, CUTOVER_DOCUMENT_NESTED for lists within lists without end,
 *   CUTOVER_DOCUMENT_EMPTY for blank documents. A broken block inside is a finding in `defects`, no error.
 */
export function readDocument(input: string | Uint8Array, options: ReadOptions = {}): Inventory {
  const source = readSource(input, options.file ?? "plan.md");
  const { text, blanked } =
    source.format === "asciidoc" ? fromAsciidoc(source.text) : { text: source.text, blanked: [] };
  const lines = source.text.split("\n");
  const words = withoutData(text);
  let reading = read(source, lines, words, "named");
  // A plan without the word for phase: what stands in its place is tried from the surest to the least.
  for (const mode of otherModes(reading)) {
    if (reading.phases.length > 0) break;
    const next = read(source, lines, words, mode);
    if (next.phases.length > 1) reading = next;
  }
  const expected = phasesAsHeadings(reading);
  if (expected.size > 0) reading = read(source, lines, words, reading.mode, expected);
  for (const line of blanked) reading.draft.form(line);
  lines.forEach((line, index) => {
    if (line.length <= longestLine) return;
    const reason = `a line of ${line.length} characters is data, not words of a plan`;
    reading.draft.leave(index + 1, index + 1, reason, { role: "other", way: "forward" });
  });
  return inventoryOf(source, reading);
}

/** Beyond this a line is a dump, and what reads sentences would take long over it. */
const longestLine = 20_000;

const withoutData = (text: string): string =>
  text
    .split("\n")
    .map((line) => (line.length > longestLine ? "" : line))
    .join("\n");

/** What people meet most often, in words. */
const plainWords: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EISDIR: "a folder",
  EACCES: "no permission to read it",
};

/** The same for a file. @throws CUTOVER_DOCUMENT_UNREADABLE when it cannot be opened. */
export async function readDocumentFile(path: string): Promise<Inventory> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code =
      typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error);
    throw new CutoverError("CUTOVER_DOCUMENT_UNREADABLE", {
      message: `expected a file that can be read, found ${plainWords[code] ?? code}`,
      place: path,
      details: { code },
      cause: error,
    });
  }
  return readDocument(bytes, { file: path });
}

function read(
  source: Source,
  lines: readonly string[],
  text: string,
  mode: Mode,
  expected?: ReadonlySet<string>,
): Reading {
  const reading = new Reading(new Draft(source.file, lines), mode, expected);
  const base: Context = { role: "other", way: "forward" };
  reading.below = (below, context) => new Walk(reading, context).read(below);
  const walk = new Walk(reading, base);
  for (const blocks of parseMarkdown(text, source.file)) walk.read(blocks);
  return reading;
}

/** Titles of phases known from elsewhere that are headings too: `## 1. Discovery` below a table of phases. */
function phasesAsHeadings({ draft, phases }: Reading): ReadonlySet<string> {
  const headings = new Map(draft.lists.sections.map((section) => [slug(section.title), section]));
  return new Set(
    phases
      .map(({ title }) => slug(title))
      .filter((title) => headings.get(title)?.role !== "phase" && headings.has(title)),
  );
}

function otherModes(reading: Reading): readonly Mode[] {
  const titles = reading.draft.lists.sections.map(({ text }) => readHeading(text));
  const modes: Mode[] = [];
  if (titles.filter(({ period }) => period).length > 1) modes.push("periods");
  if (titles.some(({ container }) => container)) modes.push("container");
  if (titles.filter(({ number, named }) => number !== undefined && !named).length > 1) modes.push("numbered");
  return modes;
}

function inventoryOf(source: Source, reading: Reading): Inventory {
  const { draft } = reading;
  orderPhases(reading);
  for (const list of Object.values(draft.lists)) {
    (list as { place: { line: number; column: number } }[]).sort(
      (a, b) => a.place.line - b.place.line || a.place.column - b.place.column,
    );
  }
  draft.lists.phases.sort((a, b) => a.order - b.order);
  const { unplaced, filled, placed } = draft.account();
  const { file, hash, format } = source;
  return {
    version: 1,
    file,
    hash,
    format,
    title: reading.title,
    lines: { total: draft.lines.length, filled, placed },
    ...draft.lists,
    unplaced,
  };
}

/** Numbers first where all have one, else the order of the document. */
function orderPhases({ phases }: Reading): void {
  const numbers = phases.map(({ number }) => rank(number));
  const all = numbers.every((number) => number !== undefined);
  const byPlace = phases.toSorted((a, b) => a.place.line - b.place.line);
  const sorted = all ? byPlace.toSorted((a, b) => (rank(a.number) ?? 0) - (rank(b.number) ?? 0)) : byPlace;
  sorted.forEach((phase, index) => (phase.order = index + 1));
}

function rank(number: string | undefined): number | undefined {
  if (number === undefined) return undefined;
  const digits = /^(\d+)(?:\.(\d+))?([a-z])?$/i.exec(number);
  if (digits !== null)
    return (
      Number(digits[1]) +
      Number(digits[2] ?? 0) / 100 +
      ((digits[3]?.toLowerCase().charCodeAt(0) ?? 96) - 96) / 10_000
    );
  const roman: Readonly<Record<string, number>> = {
    I: 1,
    II: 2,
    III: 3,
    IV: 4,
    V: 5,
    VI: 6,
    VII: 7,
    VIII: 8,
    IX: 9,
    X: 10,
    XI: 11,
    XII: 12,
  };
  return (
    roman[number.toUpperCase()] ??
    (/^[a-h]$/i.test(number) ? number.toLowerCase().charCodeAt(0) - 96 : undefined)
  );
}
