import type { Json } from "../core/index.ts";

/** A value in a piece of program text, found without running anything. Offsets count in the text. */
export interface CodeValue {
  readonly json: Json;
  readonly literal: boolean;
  readonly start: number;
  readonly end: number;
  readonly children: readonly {
    readonly key: string;
    readonly keyAt: number;
    readonly value: CodeValue;
    readonly comment?: string;
  }[];
  readonly shape: "dictionary" | "list" | "scalar";
}

const deepest = 60;

/**
 * Reads what starts at `at`: a text, number, truth value, list or dictionary, in the notation of Python, TypeScript, Go,
 * Rust and their kin. Whatever else stands there is taken as its source, up to the comma or bracket that ends it.
 * Undefined when brackets do not close.
 */
export function readCodeValue(text: string, at: number, depth = 0): CodeValue | undefined {
  const start = skip(text, at);
  const char = text[start] ?? "";
  if (depth > deepest) return undefined;
  if (char === "{" || char === "[" || (char === "(" && depth > 0)) return readBrackets(text, start, depth);
  const quoted = stringAt(text, start);
  if (quoted !== undefined && endsThere(text, quoted.end)) {
    return {
      json: quoted.value,
      literal: quoted.plain,
      start,
      end: quoted.end,
      children: [],
      shape: "scalar",
    };
  }
  return readExpression(text, start);
}

function readBrackets(text: string, start: number, depth: number): CodeValue | undefined {
  const close = text[start] === "{" ? "}" : text[start] === "[" ? "]" : ")";
  const children: { key: string; keyAt: number; value: CodeValue; comment?: string }[] = [];
  let at = skip(text, start + 1);
  let keyed = false;
  while (at < text.length && text[at] !== close) {
    const key = text[start] === "{" ? keyAt(text, at) : undefined;
    keyed ||= key !== undefined;
    const value = readCodeValue(text, key?.end ?? at, depth + 1);
    if (value === undefined || value.end <= at) return undefined;
    let end = value.end;
    if (/[,;]/.test(text[skipSpace(text, end)] ?? "")) end = skipSpace(text, end) + 1;
    const comment = commentBehind(text, end);
    children.push({
      key: key?.name ?? String(children.length),
      keyAt: at,
      value,
      ...(comment === "" ? {} : { comment }),
    });
    at = skip(text, end);
  }
  if (at >= text.length) return undefined;
  const literal = children.every(({ value }) => value.literal);
  const json: Json = keyed
    ? Object.fromEntries(children.map(({ key, value }) => [key, value.json]))
    : children.map(({ value }) => value.json);
  return { json, literal, start, end: at + 1, children, shape: keyed ? "dictionary" : "list" };
}

/** `"name":`, `name:`, `[Name]:`, `"name" =>`, `("name", …)` stays a list. */
function keyAt(text: string, at: number): { readonly name: string; readonly end: number } | undefined {
  const quoted = stringAt(text, at);
  const word =
    quoted === undefined ? /^\[?[\p{L}_$][\p{L}\p{N}_.$:]*\]?|^\d+/u.exec(text.slice(at, at + 120)) : null;
  let name = quoted?.value ?? word?.[0] ?? "";
  let end = quoted?.end ?? at + name.length;
  // A colon at the end of the word is the one we look for: `a:` and not `a::b`.
  if (quoted === undefined && /:+$/.test(name)) {
    const bare = name.replace(/:+$/, "");
    end -= name.length - bare.length;
    name = bare;
  }
  const next = skipSpace(text, end);
  if (text.startsWith("=>", next)) return { name, end: next + 2 };
  if (text[next] === "?" && text[next + 1] === ":") return { name, end: next + 2 };
  if (text[next] === ":" && text[next + 1] !== ":" && name !== "")
    return { name: name.replace(/^\[|\]$/g, ""), end: next + 1 };
  return undefined;
}

interface CodeString {
  readonly value: string;
  readonly end: number;
  /** Nothing is put in: no f-string, no `${}`. */
  readonly plain: boolean;
}

export function stringAt(text: string, at: number): CodeString | undefined {
  const open = /^([rbfuRBFU]{0,2})("""|'''|"|'|`)/.exec(text.slice(at, at + 6));
  if (open === null) return undefined;
  const [whole, prefix = "", mark = ""] = open;
  let value = "";
  for (let i = at + whole.length; i < text.length; i++) {
    if (text.startsWith(mark, i)) {
      const plain = !/f/i.test(prefix) && !(mark === "`" && value.includes("${"));
      return { value, end: i + mark.length, plain };
    }
    if (text[i] === "\\" && !/r/i.test(prefix)) {
      const next = text[++i] ?? "";
      value += next === "n" ? "\n" : next === "t" ? "\t" : next;
    } else if (text[i] === "\n" && mark.length === 1 && mark !== "`") return undefined;
    else value += text[i] ?? "";
  }
  return undefined;
}

/** Up to the comma, semicolon or closing bracket of the level it stands on; at the first level to the end of its line. */
function readExpression(text: string, start: number): CodeValue | undefined {
  let depth = 0;
  let at = start;
  for (; at < text.length; at++) {
    const char = text[at] ?? "";
    const quoted = /["'`]/.test(char) && !/\w/.test(text[at - 1] ?? "") ? stringAt(text, at) : undefined;
    if (quoted !== undefined) {
      at = quoted.end - 1;
      continue;
    }
    if (depth === 0 && (/[,;\n]/.test(char) || /[)\]}]/.test(char) || isComment(text, at))) break;
    if (/[([{]/.test(char)) depth++;
    if (/[)\]}]/.test(char)) depth--;
    if (at - start > 20_000) return undefined;
  }
  const source = text.slice(start, at).trim();
  if (source === "") return undefined;
  const json = constantOf(source);
  return {
    json: json === undefined ? source : json,
    literal: json !== undefined,
    start,
    end: start + text.slice(start, at).trimEnd().length,
    children: [],
    shape: "scalar",
  };
}

/** Undefined for what is no constant. */
export function constantOf(source: string): Json | undefined {
  if (/^[-+]?\d[\d_]*(?:\.\d[\d_]*)?(?:e[-+]?\d+)?(?:[fu]\d*|[iu]size|n|[dfl])?$/i.test(source)) {
    const number = Number(source.replaceAll("_", "").replace(/(?:[fui]\d+|[iu]size|[nfdl])$/i, ""));
    return Number.isFinite(number) ? number : undefined;
  }
  if (/^true$/i.test(source)) return true;
  if (/^false$/i.test(source)) return false;
  if (/^(?:null|none|nil|undefined|NULL)$/i.test(source)) return null;
  const quoted = stringAt(source, 0);
  if (quoted !== undefined && quoted.end === source.length && quoted.plain) return quoted.value;
  return undefined;
}

const endsThere = (text: string, at: number): boolean => {
  const next = skipSpace(text, at);
  return (
    next >= text.length ||
    /[,;)\]}\n]/.test(text[next] ?? "") ||
    isComment(text, next) ||
    text.startsWith(".to_", next) ||
    text.startsWith(".into", next)
  );
};

const isComment = (text: string, at: number): boolean =>
  text.startsWith("//", at) ||
  text.startsWith("/*", at) ||
  (text[at] === "#" && /\s|^$/.test(text[at - 1] ?? "") && text[at + 1] !== "[");

function skipSpace(text: string, at: number): number {
  let i = at;
  while (text[i] === " " || text[i] === "\t") i++;
  return i;
}

/** Past blanks, newlines and comments. */
export function skip(text: string, at: number): number {
  let i = at;
  for (;;) {
    while (/\s/.test(text[i] ?? "")) i++;
    if (text.startsWith("/*", i)) {
      const end = text.indexOf("*/", i);
      if (end === -1) return text.length;
      i = end + 2;
    } else if (isComment(text, i)) {
      const end = text.indexOf("\n", i);
      if (end === -1) return text.length;
      i = end;
    } else return i;
  }
}

/** The comment on the rest of the line. */
function commentBehind(text: string, at: number): string {
  const i = skipSpace(text, at);
  if (!isComment(text, i)) return "";
  const end = text.indexOf("\n", i);
  return text.slice(i, end === -1 ? undefined : end).replace(/^(?:\/\/|#|\/\*)\s*|\s*\*\/$/g, "");
}
