import { decoded, type Token, tokens } from "./bind-tokens.ts";

/** What stands between two brackets. */
export interface Group {
  readonly open: "(" | "[" | "{" | "";
  readonly start: number;
  /** Behind the closing bracket. */
  readonly end: number;
  readonly parts: readonly Part[];
  /** The word before `(`; undefined for other brackets and for members of something (`x.unproven(`). */
  readonly callee: Token | undefined;
  /** The part it stands in; undefined for the file itself. */
  readonly inside: Part | undefined;
}

/** What stands between two commas of a group; of the file itself, one statement. */
export interface Part {
  readonly group: Group;
  /** From its first token that is no comment to its last. */
  readonly start: number;
  readonly end: number;
  /** Without comments. */
  readonly tokens: readonly Token[];
  /** Groups directly in it. */
  readonly groups: readonly Group[];
  /** Comments on lines of their own above it. */
  readonly lead: readonly Token[];
}

/** The brackets of a file as a tree. Brackets that do not match are closed where the file ends: Node says what is wrong. */
export function scan(source: string): Group {
  const all = tokens(source);
  let at = 0;
  const closers: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
  return read("", 0, undefined, undefined);

  function read(
    open: Group["open"],
    start: number,
    callee: Token | undefined,
    inside: Part | undefined,
  ): Group {
    const parts: Part[] = [];
    const group: { -readonly [K in keyof Group]: Group[K] } = {
      open,
      start,
      end: source.length,
      parts,
      callee,
      inside,
    };
    let own: Token[] = [];
    let groups: Group[] = [];
    let lead: Token[] = [];
    let part = fresh();
    function fresh(): { -readonly [K in keyof Part]: Part[K] } {
      own = [];
      groups = [];
      lead = [];
      return { group, start: -1, end: -1, tokens: own, groups, lead };
    }
    const close = (): void => {
      if (own.length > 0 || groups.length > 0) parts.push(part);
      part = fresh();
    };
    let last = start;
    for (; at < all.length; at += 1) {
      const token = all[at] as Token;
      if (token.type === "comment") {
        const sameLine = !source.slice(last, token.start).includes("\n");
        if (own.length === 0 && !(sameLine && last > start)) lead.push(token);
        last = token.end;
        continue;
      }
      if (token.type === "mark" && token.text === closers[open]) {
        close();
        group.end = token.end;
        return group;
      }
      if (token.type === "mark" && token.text === (open === "" ? ";" : ",")) {
        last = token.end;
        if (open === "") part.end = token.end;
        close();
        continue;
      }
      if (part.start === -1) part.start = token.start;
      const before = own.at(-1);
      own.push(token);
      if (token.type === "mark" && token.text in closers) {
        const dotted = own.at(-3)?.text === ".";
        const word = token.text === "(" && before?.type === "word" && !dotted ? before : undefined;
        at += 1;
        const inner = read(token.text as Group["open"], token.start, word, part);
        groups.push(inner);
        part.end = inner.end;
        last = inner.end;
      } else {
        part.end = token.end;
        last = token.end;
      }
    }
    close();
    return group;
  }
}

/** Every group of the tree, outer ones first. */
export function* groupsOf(group: Group): Generator<Group> {
  yield group;
  for (const part of group.parts) for (const inner of part.groups) yield* groupsOf(inner);
}

/** Members of an object: `key: value`. */
export function memberOf(group: Group, key: string): Part | undefined {
  return group.open === "{" ? group.parts.find((part) => keyOf(part) === key) : undefined;
}

export function keyOf(part: Part): string | undefined {
  const [name, colon] = part.tokens;
  if (part.group.open !== "{" || colon?.text !== ":") return undefined;
  return name?.type === "word" ? name.text : decoded(name);
}

/** The value of a member that is one text. */
export function textOf(part: Part | undefined): string | undefined {
  if (part === undefined) return undefined;
  const value = part.tokens.slice(keyOf(part) === undefined ? 0 : 2);
  return value.length === 1 ? decoded(value[0]) : undefined;
}

/** The call that a part is, from the outside: of `from("x", step("a", …))` the call of `from`. */
export function callOf(part: Part): Group | undefined {
  const [first] = part.groups;
  return first?.callee !== undefined && first.callee.start === part.start ? first : undefined;
}

/** Line and column of a position, from 1. */
export function lineOf(source: string, at: number): number {
  return source.slice(0, at).split("\n").length;
}
