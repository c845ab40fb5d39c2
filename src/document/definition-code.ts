/**
 * Code as a tree, printed the way Prettier prints it at 110 columns, so that a written definition needs no formatter: a
 * piece stands on one line where it fits, an object or list breaks into one entry a line, a call keeps a last object or
 * list at its own line where the words before it fit.
 */
export type Code =
  | { readonly type: "text"; readonly text: string; readonly uses?: readonly string[] }
  | { readonly type: "words"; readonly words: string }
  | { readonly type: "call"; readonly name: string; readonly args: readonly Code[] }
  | { readonly type: "chain"; readonly first: Code; readonly method: string; readonly args: readonly Code[] }
  | { readonly type: "object"; readonly members: readonly CodeMember[] }
  | { readonly type: "list"; readonly items: readonly CodeItem[] };

export interface CodeItem {
  /** Comment lines above it. */
  readonly notes: readonly string[];
  readonly code: Code;
}

export interface CodeMember extends CodeItem {
  readonly key: string;
}

const columns = 110;

export const text = (code: string, ...uses: readonly string[]): Code => ({ type: "text", text: code, uses });
export const words = (value: string): Code => ({ type: "words", words: value });
export const call = (name: string, ...args: readonly Code[]): Code => ({ type: "call", name, args });
export const list = (items: readonly (Code | CodeItem)[]): Code => ({
  type: "list",
  items: items.map((item) => ("code" in item ? item : { notes: [], code: item })),
});

/** Members that are undefined are left out. */
export const object = (
  members: Readonly<Record<string, Code | undefined>>,
  notes: Readonly<Record<string, readonly string[]>> = {},
): Code => ({
  type: "object",
  members: Object.entries(members).flatMap(([key, code]) =>
    code === undefined ? [] : [{ key, code, notes: Object.hasOwn(notes, key) ? (notes[key] ?? []) : [] }],
  ),
});

/** A string literal: the quotes that need fewer escapes, double ones when it is even; nothing in it can end it. */
export function quote(value: string): string {
  const double = value.split('"').length;
  const single = value.split("'").length;
  // JSON escapes control characters and lone surrogates; the two line separators are legal in literals and confuse readers.
  const body = JSON.stringify(value)
    .slice(1, -1)
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029")
    .replaceAll("\u007f", "\\u007f");
  if (double <= single) return `"${body}"`;
  return `'${body.replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

/** One comment line; what could end the line or hide in it becomes a space. */
export const comment = (words: string): string =>
  `// ${words.replaceAll(/[\p{Cc}\u2028\u2029\ufeff]+/gu, " ").trim()}`.trimEnd();

/** The code, its first line beginning at column `at`, with `after` columns to follow its last. */
export function print(code: Code, indent: number, at: number, after: number): string {
  const flat = onOneLine(code);
  if (flat !== undefined && at + columnsOf(flat) + after <= columns) return flat;
  const inner = indent + 2;
  switch (code.type) {
    case "text":
      return code.text;
    case "words":
      return quote(code.words);
    case "object":
      return block(
        "{",
        code.members.map((member) => printMember(member, inner)),
        "}",
        indent,
      );
    case "list":
      return block(
        "[",
        code.items.map((item) => printItem(item, inner)),
        "]",
        indent,
      );
    case "call":
      return `${code.name}${printArguments(code.args, indent, at + columnsOf(code.name), after)}`;
    case "chain": {
      const first = print(code.first, indent, at, columnsOf(code.method) + 2);
      const start = `${first}.${code.method}`;
      const lastLine = start.slice(start.lastIndexOf("\n") + 1);
      const column = start.includes("\n") ? columnsOf(lastLine) : at + columnsOf(start);
      return `${start}${printArguments(code.args, indent, column, after)}`;
    }
  }
}

/** Names of the package that the code calls. */
export function usedIn(code: Code): readonly string[] {
  switch (code.type) {
    case "text":
      return code.uses ?? [];
    case "words":
      return [];
    case "call":
      return [code.name, ...code.args.flatMap(usedIn)];
    case "chain":
      return [...usedIn(code.first), ...code.args.flatMap(usedIn)];
    case "object":
      return code.members.flatMap((member) => usedIn(member.code));
    case "list":
      return code.items.flatMap((item) => usedIn(item.code));
  }
}

function printArguments(args: readonly Code[], indent: number, at: number, after: number): string {
  const last = args.at(-1);
  if (last === undefined) return "()";
  const before = args.slice(0, -1).map(onOneLine);
  const plain = before.every((each) => each !== undefined);
  const opening = `(${before.map((each) => `${each ?? ""}, `).join("")}`;
  if (plain && (last.type === "object" || last.type === "list")) {
    // The bracket itself needs a column.
    if (at + columnsOf(opening) + 1 <= columns) {
      const flat = onOneLine(last);
      if (flat !== undefined && at + columnsOf(opening) + columnsOf(flat) + 1 + after <= columns)
        return `${opening}${flat})`;
      return `${opening}${broken(last, indent)})`;
    }
  } else if (plain) {
    const flat = onOneLine(last);
    if (flat !== undefined && at + columnsOf(opening) + columnsOf(flat) + 1 + after <= columns)
      return `${opening}${flat})`;
    // A call with one call inside: the inner one breaks where it can.
  }
  const inner = indent + 2;
  return block(
    "(",
    args.map((arg) => `${" ".repeat(inner)}${print(arg, inner, inner, 1)},`),
    ")",
    indent,
  );
}

/** An object or list broken, even where it would fit. */
function broken(code: Code, indent: number): string {
  const inner = indent + 2;
  if (code.type === "object")
    return block(
      "{",
      code.members.map((member) => printMember(member, inner)),
      "}",
      indent,
    );
  if (code.type === "list")
    return block(
      "[",
      code.items.map((item) => printItem(item, inner)),
      "]",
      indent,
    );
  return print(code, indent, indent, 0);
}

const block = (open: string, lines: readonly string[], close: string, indent: number): string =>
  lines.length === 0 ? `${open}${close}` : `${open}\n${lines.join("\n")}\n${" ".repeat(indent)}${close}`;

function printItem({ notes, code }: CodeItem, indent: number): string {
  const pad = " ".repeat(indent);
  return [...notes.map((note) => `${pad}${comment(note)}`), `${pad}${print(code, indent, indent, 1)},`].join(
    "\n",
  );
}

function printMember(member: CodeMember, indent: number): string {
  const pad = " ".repeat(indent);
  const name = key(member.key);
  const notes = member.notes.map((note) => `${pad}${comment(note)}\n`).join("");
  const column = indent + columnsOf(name) + 2;
  const { code } = member;
  // A long text goes to a line of its own; behind a very short name that would win nothing.
  if (code.type === "words" && column + columnsOf(quote(code.words)) + 1 > columns && columnsOf(name) > 2)
    return `${notes}${pad}${name}:\n${pad}  ${quote(code.words)},`;
  return `${notes}${pad}${name}: ${print(code, indent, column, 1)},`;
}

const key = (name: string): string =>
  /^(?!.*[\u{10000}-\u{10ffff}])[\p{L}\p{Nl}$_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}$]*$/u.test(name)
    ? name
    : quote(name);

function onOneLine(code: Code): string | undefined {
  switch (code.type) {
    case "text":
      return code.text.includes("\n") ? undefined : code.text;
    case "words":
      return quote(code.words);
    case "call": {
      const args = allOnOneLine(code.args);
      return args === undefined ? undefined : `${code.name}(${args})`;
    }
    case "chain": {
      const first = onOneLine(code.first);
      const args = allOnOneLine(code.args);
      return first === undefined || args === undefined ? undefined : `${first}.${code.method}(${args})`;
    }
    case "object": {
      if (code.members.some(({ notes }) => notes.length > 0)) return undefined;
      if (code.members.length === 0) return "{}";
      const members = code.members.map((member) => {
        const value = onOneLine(member.code);
        return value === undefined ? undefined : `${key(member.key)}: ${value}`;
      });
      return members.includes(undefined) ? undefined : `{ ${members.join(", ")} }`;
    }
    case "list": {
      if (code.items.some(({ notes }) => notes.length > 0) || isMatrix(code.items)) return undefined;
      const items = allOnOneLine(code.items.map((item) => item.code));
      return items === undefined ? undefined : `[${items}]`;
    }
  }
}

/** Lists of several objects, or of several lists, each with more than one entry, stand one a line. */
function isMatrix(items: readonly CodeItem[]): boolean {
  if (items.length < 2) return false;
  return (
    items.every(({ code }) => code.type === "object" && code.members.length > 1) ||
    items.every(({ code }) => code.type === "list" && code.items.length > 1)
  );
}

function allOnOneLine(codes: readonly Code[]): string | undefined {
  const parts = codes.map(onOneLine);
  return parts.includes(undefined) ? undefined : parts.join(", ");
}

/** Columns a text takes: East Asian wide characters and pictures take two, marks that combine none. */
export function columnsOf(value: string): number {
  if (/^[\u0020-\u007e]*$/.test(value)) return value.length;
  let sum = 0;
  for (const character of value) {
    if (/\p{Mark}|\p{Default_Ignorable_Code_Point}/u.test(character)) continue;
    sum +=
      /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return sum;
}
