import type { Collected } from "./collect.ts";
import { withoutComments } from "./comments.ts";

export const codeFiles: ReadonlySet<string> = new Set(
  "ts tsx mts cts js jsx mjs cjs py go rs c h cc cpp hpp cxx java kt cs swift proto graphql gql sql rb php scala".split(
    " ",
  ),
);

interface Listed {
  readonly name: string;
  readonly values: readonly { readonly value: string; readonly at: number }[];
}

/**
 * Adds the values of enumerations, unions of literals, typed constants and literal dictionaries of a program, by their
 * notation. A program is never run, and what is put together at run time is not seen.
 */
export function addCode(collected: Collected, file: string, text: string): void {
  const language = /\.([^.]+)$/.exec(file)?.[1]?.toLowerCase() ?? "";
  const code = withoutComments(text, language);
  const readers =
    language === "py" || language === "rb"
      ? [pythonEnums, literals, dictionaries, lists]
      : language === "go"
        ? [goConstants, dictionaries, lists]
        : language === "sql"
          ? [sqlValues]
          : [braceEnums, unions, dictionaries, lists, sqlValues];
  for (const reader of readers)
    for (const { name, values } of reader(code))
      for (const { value, at } of values)
        collected.add("code", name, value, file, () => text.slice(0, at).split("\n").length);
}

const all = (pattern: RegExp, text: string): readonly RegExpExecArray[] => [...text.matchAll(pattern)];

/** Quoted texts of a stretch, each with its offset in the file. */
function quotedIn(
  stretch: string,
  offset: number,
): readonly { readonly value: string; readonly at: number }[] {
  return all(/(["'`])((?:(?!\1)[^\\\n])*)\1/g, stretch).map((found) => ({
    value: found[2] ?? "",
    at: offset + found.index,
  }));
}

/** `enum Name { A, B = "b", C("c"), D(u8) }` of TypeScript, Rust, C, C++, C#, Java, Kotlin, Swift, Protobuf and GraphQL. */
function braceEnums(code: string): readonly Listed[] {
  return all(
    /((?:#\[[^\]]*\]\s*)*)(?:\bpub\s+)?\b(?:const\s+)?enum(?:\s+(?:class|struct))?\s+(\w+)(?:<[^>{]*>)?[^{};()]*\{/g,
    code,
  ).flatMap((found) => {
    const start = found.index + found[0].length;
    const body = code.slice(start, closing(code, start));
    const casing = /rename_all\s*=\s*"([^"]+)"/.exec(found[1] ?? "")?.[1];
    return [{ name: `enum ${found[2] ?? ""}`, values: membersOf(body, start, casing) }];
  });
}

function membersOf(body: string, offset: number, casing: string | undefined): Listed["values"] {
  const values: { value: string; at: number }[] = [];
  // Java and Kotlin end the constants with a semicolon; methods follow.
  const end =
    /;(?!\s*\w+\s*=)/.exec(body.replace(/=\s*\d+\s*;/g, (text) => text.replace(";", ",")))?.index ??
    body.length;
  let depth = 0;
  let from = 0;
  const constants = body.slice(0, end).replace(/=\s*(-?\w+)\s*;/g, (text) => text.replace(";", ","));
  const parts: (readonly [string, number])[] = [];
  for (let at = 0; at <= constants.length; at++) {
    const char = constants[at];
    if (char !== undefined && "({[".includes(char)) depth++;
    else if (char !== undefined && ")}]".includes(char)) depth--;
    else if ((char === "," || char === undefined) && depth === 0) {
      parts.push([constants.slice(from, at), from]);
      from = at + 1;
    }
  }
  // GraphQL and Swift's `case a, b` need no commas between lines.
  const split = parts.flatMap(([part, start]) =>
    /^\s*\w+\s*(?:\n\s*\w+\s*)+$/.test(part)
      ? all(/\w+/g, part).map((word) => [word[0], start + word.index] as const)
      : [[part, start] as const],
  );
  for (const [part, start] of split) {
    const renamed = /#\[serde\([^)]*rename\s*=\s*"([^"]+)"/.exec(part)?.[1];
    const plain = part
      .replace(/#\[[^\]]*\]/g, (text) => " ".repeat(text.length))
      .replace(/@\w+(?:\([^)]*\))?/g, (text) => " ".repeat(text.length));
    const member =
      /^\s*(?:case\s+)?["']?([A-Za-z_][\w-]*)["']?\s*(?:=\s*(.+?)\s*$|\(\s*(["'][^"']*["']))?/s.exec(plain);
    if (member === null) continue;
    const text = /^["'`]([^"'`]*)["'`]/.exec(member[2] ?? member[3] ?? "")?.[1];
    values.push({
      value: renamed ?? text ?? (casings[casing ?? ""] ?? String)(member[1] ?? ""),
      at: offset + start + plain.search(/\S/),
    });
  }
  return values;
}

const wordsOf = (name: string): string => name.split(/(?<=[a-z0-9])(?=[A-Z])/).join("_");

/** What `rename_all` of serde does to the name of a variant. */
const casings: Readonly<Record<string, (name: string) => string>> = {
  snake_case: (name) => wordsOf(name).toLowerCase(),
  SCREAMING_SNAKE_CASE: (name) => wordsOf(name).toUpperCase(),
  "kebab-case": (name) => wordsOf(name).replaceAll("_", "-").toLowerCase(),
  "SCREAMING-KEBAB-CASE": (name) => wordsOf(name).replaceAll("_", "-").toUpperCase(),
  lowercase: (name) => name.toLowerCase(),
  UPPERCASE: (name) => name.toUpperCase(),
  camelCase: (name) => name.slice(0, 1).toLowerCase() + name.slice(1),
};

/** Offset of the brace that closes the one before `from`. */
function closing(code: string, from: number): number {
  let depth = 1;
  for (let at = from; at < code.length; at++) {
    if (code[at] === "{") depth++;
    else if (code[at] === "}" && --depth === 0) return at;
  }
  return code.length;
}

const union = String.raw`\|?\s*["'][^"'\n]{1,64}["'](?:\s*\|\s*["'][^"'\n]{1,64}["'])+`;

/** `type Name = "a" | "b"` and `status: "a" | "b"`. */
const unions = (code: string): readonly Listed[] =>
  all(new RegExp(`(?:\\btype\\s+(\\w+)\\s*=|\\b(\\w+)\\??\\s*:)\\s*(${union})`, "g"), code).map((found) => ({
    name: found[1] === undefined ? `\`${found[2] ?? ""}\`` : `type ${found[1]}`,
    values: quotedIn(found[3] ?? "", found.index + found[0].length - (found[3] ?? "").length),
  }));

/** Python: `class Name(Enum):` with its members. */
function pythonEnums(code: string): readonly Listed[] {
  return all(/^([ \t]*)class\s+(\w+)\s*\([^)]*(?:Enum|Choices)[^)]*\)\s*:/gm, code).map((found) => {
    const indent = (found[1] ?? "").length;
    const start = found.index + found[0].length;
    const values: { value: string; at: number }[] = [];
    let at = start;
    for (const line of code.slice(start).split("\n")) {
      const own = line.search(/\S/);
      if (own !== -1 && own <= indent && at > start) break;
      const member = /^\s+(\w+)\s*=\s*(?:(["'])((?:(?!\2).)*)\2|\(\s*(["'])((?:(?!\4).)*)\4|\S)/.exec(line);
      if (member !== null && !(member[1] ?? "").startsWith("_"))
        values.push({ value: member[3] ?? member[5] ?? member[1] ?? "", at: at + own });
      at += line.length + 1;
    }
    return { name: `enum ${found[2] ?? ""}`, values };
  });
}

/** Python: `Status = Literal["a", "b"]` and `status: Literal["a", "b"]`. */
const literals = (code: string): readonly Listed[] =>
  all(
    /(\w+)\s*(?::\s*(?:\w+\.)?TypeAlias\s*)?[=:]\s*(?:typing\.)?(?:Optional\[\s*)?Literal\[([^\]]*)\]/g,
    code,
  ).map((found) => ({
    name: `Literal ${found[1] ?? ""}`,
    values: quotedIn(found[2] ?? "", found.index + found[0].indexOf("[") + 1),
  }));

/** Go: constants of one type, with texts or counted by iota. */
function goConstants(code: string): readonly Listed[] {
  const byType = new Map<string, { value: string; at: number }[]>();
  const add = (type: string, value: string, at: number): void => {
    const list = byType.get(type);
    if (list === undefined) byType.set(type, [{ value, at }]);
    else list.push({ value, at });
  };
  for (const found of all(/^\s*(?:const\s+)?(\w+)\s+([A-Z]\w*|\w+)\s*=\s*(?:\w+\()?"([^"\n]*)"/gm, code))
    add(found[2] ?? "", found[3] ?? "", found.index + found[0].search(/\S/));
  for (const block of all(/\bconst\s*\(([^()]*)\)/g, code)) {
    const counted = /^\s*(\w+)\s+(\w+)\s*=\s*iota[^\n]*$/m.exec(block[1] ?? "");
    if (counted === null) continue;
    const start = block.index + block[0].indexOf("(") + 1;
    for (const line of all(/^[ \t]*(\w+)(?:[ \t]+\w+[ \t]*=[ \t]*iota[^\n]*)?[ \t]*$/gm, block[1] ?? ""))
      if (line[1] !== "_") add(counted[2] ?? "", line[1] ?? "", start + line.index);
  }
  return [...byType].map(([type, values]) => ({ name: `const ${type}`, values }));
}

/** A dictionary of texts by texts: its keys and its values are two lists. */
function dictionaries(code: string): readonly Listed[] {
  return all(
    /\b(?!(?:const|let|var|val|export|static|final|public|private|readonly|type|return)\b)(\w+)\b[^=;\n{}]{0,60}=\s*(?:Object\.freeze\(\s*|map\[\w+\]\w+\s*)?\{([^{}]*)\}/g,
    code,
  ).flatMap((found) => {
    const body = found[2] ?? "";
    const start = found.index + found[0].length - body.length - 1;
    const pairs = all(/(?:^|[,{\n])\s*(?:\[?["']?([\w.-]+)["']?\]?)\s*:\s*(["'])((?:(?!\2)[^\n])*)\2/g, body);
    const members = body.split(",").filter((part) => part.trim() !== "").length;
    if (pairs.length < 2 || pairs.length < members) return [];
    const at = (pair: RegExpExecArray): number => start + pair.index + pair[0].search(/[\w"'[]/);
    return [
      {
        name: `keys of ${found[1] ?? ""}`,
        values: pairs.map((pair) => ({ value: pair[1] ?? "", at: at(pair) })),
      },
      {
        name: `values of ${found[1] ?? ""}`,
        values: pairs.map((pair) => ({ value: pair[3] ?? "", at: at(pair) })),
      },
    ];
  });
}

/** `const STATUSES = ["a", "b"]`, `z.enum(["a", "b"])`, `("a", "b")` bound to a name. */
const lists = (code: string): readonly Listed[] =>
  all(
    /\b(?!(?:const|let|var|val|export|static|final|public|private|readonly|type|return)\b)(\w+)\??\s*(?::\s*[^=;\n]{0,60}=|[=:])\s*(?:[\w.]+\(\s*)?[[({]\s*((?:["'][^"'\n]{1,64}["']\s*,\s*)+["'][^"'\n]{1,64}["'])\s*,?\s*[\])}]/g,
    code,
  ).map((found) => ({
    name: found[1] ?? "",
    values: quotedIn(found[2] ?? "", found.index + found[0].indexOf(found[2] ?? "")),
  }));

/** `CREATE TYPE t AS ENUM ('a', 'b')`, `status ENUM('a', 'b')`, `CHECK (status IN ('a', 'b'))`. */
const sqlValues = (code: string): readonly Listed[] =>
  all(
    /(?:create\s+type\s+["`]?([\w.]+)["`]?\s+as\s+enum|["`]?(\w+)["`]?\s+enum|check\s*\(\s*["`]?(\w+)["`]?\s+in|["`]?(\w+)["`]?\s+in)\s*\(([^()]*)\)/gi,
    code,
  ).map((found) => ({
    name: `sql ${found[1] ?? found[2] ?? found[3] ?? found[4] ?? ""}`,
    values: quotedIn(found[5] ?? "", found.index + found[0].indexOf("(")),
  }));
