import { CutoverError, type Json, type JsonObject } from "../../core/index.ts";
import { type Edit, itemAt, type MemberPath, noMember } from "./configure-path.ts";

/** A value in a JSON text, and where it stands. */
interface Spot {
  readonly start: number;
  readonly end: number;
  readonly members?: readonly Member[];
  readonly items?: readonly Spot[];
}

interface Member {
  readonly name: string;
  readonly keyStart: number;
  readonly keyEnd: number;
  readonly at: Spot;
}

const scalar = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null/y;
const blank = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;

/**
 * Reads JSON with the place of each value, so that an edit changes its own letters alone: order, indentation, comments and
 * numbers above 2^53 elsewhere stay as they are, which reading and writing the whole would not keep. Comments and commas
 * before a closing bracket are taken, as many programs take them in their settings.
 * @throws CUTOVER_DATA_FORMAT
 */
class Reading {
  readonly #text: string;
  readonly #place: string;
  #at = 0;

  constructor(text: string, place: string) {
    this.#text = text;
    this.#place = place;
    if (text.startsWith("\uFEFF")) this.#at = 1;
  }

  whole(): Spot {
    const spot = this.#value(0);
    this.#blank();
    if (this.#at < this.#text.length) throw this.#wrong("the end of the text");
    return spot;
  }

  #value(depth: number): Spot {
    if (depth > 200) throw this.#wrong("at most 200 levels of brackets");
    this.#blank();
    const start = this.#at;
    const sign = this.#text[start];
    if (sign === "{") {
      const members = this.#list("}", () => this.#member(depth));
      return { start, end: this.#at, members };
    }
    if (sign === "[") {
      const items = this.#list("]", () => this.#value(depth + 1));
      return { start, end: this.#at, items };
    }
    const found = this.#match(scalar);
    if (found === undefined) throw this.#wrong("a value");
    try {
      JSON.parse(found);
    } catch {
      this.#at = start;
      throw this.#wrong("a value");
    }
    return { start, end: this.#at };
  }

  #member(depth: number): Member {
    const keyStart = this.#at;
    const key = this.#text[keyStart] === '"' ? this.#match(scalar) : undefined;
    if (key === undefined) throw this.#wrong("a name in double quotes");
    const name = JSON.parse(key) as string;
    const keyEnd = this.#at;
    this.#blank();
    if (this.#text[this.#at] !== ":") throw this.#wrong('":"');
    this.#at++;
    return { name, keyStart, keyEnd, at: this.#value(depth + 1) };
  }

  #list<T>(close: string, next: () => T): T[] {
    this.#at++;
    const found: T[] = [];
    for (;;) {
      this.#blank();
      if (this.#text[this.#at] === close) break;
      found.push(next());
      this.#blank();
      if (this.#text[this.#at] === close) break;
      if (this.#text[this.#at] !== ",") throw this.#wrong(`"," or "${close}"`);
      this.#at++;
    }
    this.#at++;
    return found;
  }

  #blank(): void {
    this.#match(blank);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #wrong(expected: string): CutoverError {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const found = this.#at >= this.#text.length ? "its end" : JSON.stringify(this.#text[this.#at]);
    return new CutoverError("CUTOVER_DATA_FORMAT", {
      message: `expected ${expected} in JSON, found ${found} in line ${line}`,
      place: `${this.#place}:${line}`,
      remedy: 'correct the file, or say which format it has, e.g. format: "text"',
    });
  }
}

/** @throws CUTOVER_DATA_FORMAT */
export function readJson(text: string, place: string): Json {
  return valueOf(text, new Reading(text, place).whole());
}

function valueOf(text: string, { start, end, members, items }: Spot): Json {
  if (items !== undefined) return items.map((item) => valueOf(text, item));
  if (members === undefined) return JSON.parse(text.slice(start, end)) as Json;
  // The last of two members of one name counts, as everywhere.
  return Object.fromEntries(members.map(({ name, at }) => [name, valueOf(text, at)])) as JsonObject;
}

/** The text with edits made in their order. @throws CUTOVER_DATA_FORMAT, CUTOVER_DATA_OPTIONS */
export function editJson(text: string, edits: readonly Edit[], place: string): string {
  return edits.reduce((now, edit) => editAt(now, new Reading(now, place).whole(), edit, 0), text);
}

/**
 * A number of this part of the text that JavaScript does not carry, or undefined. Who writes the part anew from what was read
 * would round it.
 */
export function inexactIn(text: string, path: MemberPath, place: string): string | undefined {
  const whole = new Reading(text, place).whole();
  const spot = path.reduce<Spot | undefined>((within, name) => {
    if (within?.members !== undefined) return within.members.findLast((each) => each.name === name)?.at;
    return within?.items?.[itemAt(name, within.items.length) ?? within.items.length];
  }, whole);
  return spot?.members === undefined && spot?.items === undefined ? undefined : inexact(text, spot);
}

function inexact(text: string, { start, end, members, items }: Spot): string | undefined {
  const inner = items ?? members?.map(({ at }) => at);
  if (inner !== undefined)
    return inner.reduce<string | undefined>((found, each) => found ?? inexact(text, each), undefined);
  const written = text.slice(start, end);
  return /^-?\d{16,}$/.test(written) && BigInt(written) !== BigInt(Number(written)) ? written : undefined;
}

function editAt(text: string, spot: Spot, edit: Edit, at: number): string {
  const { path, value } = edit;
  const name = path[at];
  if (name === undefined)
    return value === undefined ? text : replace(text, spot.start, spot.end, written(text, spot.start, value));
  if (spot.items !== undefined) {
    const index = itemAt(name, spot.items.length);
    const item = index === undefined ? undefined : spot.items[index];
    if (item !== undefined && (value !== undefined || at + 1 < path.length))
      return editAt(text, item, edit, at + 1);
    const last = spot.items.at(-1);
    if (index === undefined || value === undefined) throw noMember(path, at, valueOf(text, spot));
    const made = nested(path.slice(at + 1), value);
    if (last === undefined) return replace(text, spot.start, spot.end, written(text, spot.start, [made]));
    return replace(
      text,
      last.end,
      last.end,
      `,${gapBefore(text, last.start)}${written(text, last.start, made)}`,
    );
  }
  if (spot.members === undefined) throw noMember(path, at, valueOf(text, spot));
  const { members } = spot;
  const member = members.findLast((each) => each.name === name);
  if (member === undefined)
    return value === undefined
      ? text
      : inserted(text, spot, members, name, nested(path.slice(at + 1), value));
  if (at + 1 < path.length || value !== undefined) return editAt(text, member.at, edit, at + 1);
  // Of two members of one name the other one would come to count: it goes as well.
  return editJson(removed(text, spot, members.lastIndexOf(member)), [edit], "");
}

const nested = (names: MemberPath, value: Json): Json =>
  names.reduceRight<Json>((inner, name) => ({ [name]: inner }), value);

function inserted(text: string, spot: Spot, members: readonly Member[], name: string, value: Json): string {
  const last = members.at(-1);
  if (last === undefined)
    return replace(text, spot.start, spot.end, written(text, spot.start, { [name]: value }));
  const between = text.slice(last.keyEnd, last.at.start);
  const colon = /^\s*:[ \t]*$/.test(between) ? between : ": ";
  const made = `${JSON.stringify(name)}${colon}${written(text, last.keyStart, value)}`;
  return replace(text, last.at.end, last.at.end, `,${gapBefore(text, last.keyStart)}${made}`);
}

function removed(text: string, { start, end, members = [] }: Spot, index: number): string {
  const [before, member, after] = [members[index - 1], members[index], members[index + 1]];
  if (member === undefined) return text;
  if (after !== undefined) return replace(text, member.keyStart, after.keyStart, "");
  if (before !== undefined) return replace(text, before.at.end, member.at.end, "");
  return replace(text, start, end, "{}");
}

/** Blanks between what stands before and here: a new line with its indentation, or what keeps things apart in one line. */
function gapBefore(text: string, at: number): string {
  const gap = /[ \t\r\n]*$/.exec(text.slice(0, at))?.[0] ?? "";
  const line = gap.lastIndexOf("\n");
  if (line >= 0) return `${eol(text)}${gap.slice(line + 1)}`;
  return /\n/.test(text) || / /.test(gap) || /[:,] /.test(text) ? " " : "";
}

/** A value as this text would write it: its indentation, its ends of lines, or all in one line. */
function written(text: string, at: number, value: Json): string {
  if (!text.trim().includes("\n")) {
    const spaced = /[:,] /.test(text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
    return spaced ? oneLine(value) : JSON.stringify(value);
  }
  const unit = /\n([ \t]+)\S/.exec(text)?.[1] ?? "  ";
  const own = /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", at - 1) + 1, at))?.[0] ?? "";
  return JSON.stringify(value, null, unit).replaceAll("\n", `${eol(text)}${own}`);
}

function oneLine(value: Json): string {
  if (Array.isArray(value)) return `[${(value as readonly Json[]).map(oneLine).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value as JsonObject).filter(([, member]) => member !== undefined);
  if (members.length === 0) return "{}";
  return `{ ${members.map(([name, member]) => `${JSON.stringify(name)}: ${oneLine(member as Json)}`).join(", ")} }`;
}

const eol = (text: string): string => (text.includes("\r\n") ? "\r\n" : "\n");

const replace = (text: string, from: number, to: number, by: string): string =>
  text.slice(0, from) + by + text.slice(to);
