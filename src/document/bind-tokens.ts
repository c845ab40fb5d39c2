/** A piece of TypeScript as far as finding calls, lists and members needs it. */
export interface Token {
  readonly type: "word" | "string" | "template" | "regex" | "comment" | "mark";
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Splits a file into words, literals, comments and single marks; everything in it but white space is in one token. It
 * follows the file as people write it: nothing inside a string, template, comment or regular expression is taken for code.
 */
export function tokens(source: string): readonly Token[] {
  const found: Token[] = [];
  let at = source.startsWith("#!") ? lineEnd(source, 0) : 0;
  let before: Token | undefined;
  const push = (type: Token["type"], end: number): void => {
    const token: Token = { type, start: at, end, text: source.slice(at, end) };
    found.push(token);
    if (type !== "comment") before = token;
    at = end;
  };
  while (at < source.length) {
    const character = source[at] ?? "";
    if (/\s/.test(character) || character === "\ufeff") at += 1;
    else if (character === '"' || character === "'") push("string", stringEnd(source, at));
    else if (character === "`") push("template", templateEnd(source, at));
    else if (source.startsWith("//", at)) push("comment", lineEnd(source, at));
    else if (source.startsWith("/*", at)) push("comment", commentEnd(source, at));
    else if (character === "/" && mayBeginRegex(before)) push("regex", regexEnd(source, at));
    else {
      wordPattern.lastIndex = at;
      const word = wordPattern.exec(source)?.[0];
      if (word === undefined) push("mark", at + String.fromCodePoint(source.codePointAt(at) ?? 0).length);
      else push("word", at + word.length);
    }
  }
  return found;
}

const wordPattern = /[\p{ID_Start}$_#\d][\p{ID_Continue}$\u200c\u200d]*/uy;

function lineEnd(source: string, at: number): number {
  const found = /[\n\r\u2028\u2029]/g;
  found.lastIndex = at;
  return found.exec(source)?.index ?? source.length;
}

function commentEnd(source: string, at: number): number {
  const end = source.indexOf("*/", at + 2);
  return end === -1 ? source.length : end + 2;
}

function stringEnd(source: string, at: number): number {
  const quote = source[at];
  for (let index = at + 1; index < source.length; index += 1) {
    const character = source[index];
    if (character === "\\") index += 1;
    else if (character === quote) return index + 1;
    else if (character === "\n") return index; // Not closed: Node will say so; the rest is read as code.
  }
  return source.length;
}

function templateEnd(source: string, at: number): number {
  for (let index = at + 1; index < source.length; index += 1) {
    const character = source[index];
    if (character === "\\") index += 1;
    else if (character === "`") return index + 1;
    else if (character === "$" && source[index + 1] === "{") index = substitutionEnd(source, index + 2) - 1;
  }
  return source.length;
}

/** Where the code inside `${…}` ends, its brace included. */
function substitutionEnd(source: string, at: number): number {
  let depth = 1;
  for (let index = at; index < source.length; index += 1) {
    const character = source[index];
    if (character === '"' || character === "'") index = stringEnd(source, index) - 1;
    else if (character === "`") index = templateEnd(source, index) - 1;
    else if (source.startsWith("//", index)) index = lineEnd(source, index) - 1;
    else if (source.startsWith("/*", index)) index = commentEnd(source, index) - 1;
    else if (character === "{") depth += 1;
    else if (character === "}" && --depth === 0) return index + 1;
  }
  return source.length;
}

function regexEnd(source: string, at: number): number {
  let inClass = false;
  for (let index = at + 1; index < source.length; index += 1) {
    const character = source[index];
    if (character === "\n") return at + 1; // It was a division after all.
    if (character === "\\") index += 1;
    else if (character === "[") inClass = true;
    else if (character === "]") inClass = false;
    else if (character === "/" && !inClass) {
      const flags = /[a-z]*/y;
      flags.lastIndex = index + 1;
      return index + 1 + (flags.exec(source)?.[0].length ?? 0);
    }
  }
  return at + 1;
}

/** After a value a slash divides; after anything else it begins a regular expression. */
function mayBeginRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.type === "word")
    return /^(return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield|instanceof)$/.test(
      before.text,
    );
  return before.type === "mark" && !/^[)\]}]$/.test(before.text);
}

/** What a string literal, or a template without substitutions, stands for; undefined for anything else. */
export function decoded(token: Token | undefined): string | undefined {
  if (token === undefined || (token.type !== "string" && token.type !== "template")) return undefined;
  const body = token.text.slice(1, -1);
  if (token.type === "template" && /(?<!\\)(?:\\\\)*\$\{/.test(body)) return undefined;
  return body.replaceAll(
    /\\(?:u\{([\da-fA-F]+)\}|u([\da-fA-F]{4})|x([\da-fA-F]{2})|(\r\n|[\s\S]))/g,
    (
      _,
      long: string | undefined,
      four: string | undefined,
      two: string | undefined,
      one: string | undefined,
    ) => {
      const code = long ?? four ?? two;
      if (code !== undefined)
        return long === undefined
          ? String.fromCharCode(parseInt(code, 16))
          : String.fromCodePoint(Math.min(parseInt(code, 16), 0x10ffff));
      return escapes[one ?? ""] ?? one ?? "";
    },
  );
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  "0": "\0",
  "\n": "",
  "\r\n": "",
  "\r": "",
};
