import { columnsOf, quote } from "./definition-code.ts";
import { decoded, type Token, tokens } from "./bind-tokens.ts";

interface NamedImport {
  readonly start: number;
  readonly end: number;
  /** As written between the braces: `type Migration`, `a as b`. */
  readonly names: readonly string[];
  readonly from: string;
  /** `import type { … }`. */
  readonly typesOnly: boolean;
}

/** `import { … } from "…"` statements; others (default, namespace, side effects) are left alone. */
function namedImports(source: string, all: readonly Token[]): readonly NamedImport[] {
  const found: NamedImport[] = [];
  const code = all.filter(({ type }) => type !== "comment");
  for (const [index, token] of code.entries()) {
    if (token.type !== "word" || token.text !== "import" || code[index - 1]?.text === ".") continue;
    const typesOnly = code[index + 1]?.text === "type" && code[index + 2]?.text === "{";
    const open = code[index + (typesOnly ? 2 : 1)];
    if (open?.text !== "{") continue;
    const close = code.findIndex((each, at) => at > index && each.text === "}");
    const door = decoded(code[close + 2]);
    if (close === -1 || code[close + 1]?.text !== "from" || door === undefined) continue;
    const inside = code.slice(code.indexOf(open) + 1, close);
    const names: string[] = [];
    let name: string[] = [];
    for (const each of [...inside, undefined]) {
      if (each !== undefined && each.text !== ",") name.push(each.text);
      else {
        if (name.length > 0) names.push(name.join(" "));
        name = [];
      }
    }
    const last = code[close + 2] as Token;
    const end = source[last.end] === ";" ? last.end + 1 : last.end;
    found.push({ start: token.start, end, names, from: door, typesOnly });
  }
  return found;
}

/** Every word of the code outside of imports: what is used there, or taken. */
function usedWords(source: string, all: readonly Token[]): ReadonlySet<string> {
  const imports = namedImports(source, all);
  return new Set(
    all
      .filter(
        ({ type, start }) =>
          type === "word" && !imports.some((each) => start >= each.start && start < each.end),
      )
      .map(({ text }) => text),
  );
}

/**
 * The file with `names` imported from `door`, and without those of `before` that nothing uses any more. The import that is
 * there is extended where there is one; the rest of the file stays as it is.
 */
export function withImports(
  source: string,
  door: string,
  names: readonly string[],
  before: ReadonlySet<string>,
): string {
  const all = tokens(source);
  const used = usedWords(source, all);
  const there = namedImports(source, all).find((each) => each.from === door && !each.typesOnly);
  if (there === undefined) {
    if (names.length === 0) return source;
    const first = namedImports(source, all).at(-1);
    const line = importLine(names, door);
    if (first === undefined) return `${line}\n${source}`;
    return `${source.slice(0, first.end)}\n${line}${source.slice(first.end)}`;
  }
  const local = (name: string): string =>
    name
      .replace(/^type /, "")
      .split(" as ")
      .at(-1) ?? name;
  const kept = there.names.filter((name) => used.has(local(name)) || !before.has(local(name)));
  const added = names.filter((name) => !kept.some((each) => local(each) === local(name)));
  if (added.length === 0 && kept.length === there.names.length) return source;
  const sorted = isSorted(there.names) ? [...kept, ...added].toSorted(byName) : [...kept, ...added];
  return `${source.slice(0, there.start)}${importLine(sorted, door)}${source.slice(there.end)}`;
}

/** Names of `door` that the file imports and uses. */
export function importedFrom(source: string, door: string): ReadonlySet<string> {
  const all = tokens(source);
  const used = usedWords(source, all);
  return new Set(
    namedImports(source, all)
      .filter((each) => each.from === door)
      .flatMap(({ names }) =>
        names.map(
          (name) =>
            name
              .replace(/^type /, "")
              .split(" as ")
              .at(-1) ?? name,
        ),
      )
      .filter((name) => used.has(name)),
  );
}

/** How a name of another module is written in this file: itself where it is free or imported already, else with a number. */
export function localName(
  source: string,
  door: string,
  name: string,
): { readonly local: string; readonly clause: string } {
  const all = tokens(source);
  const imports = namedImports(source, all);
  const there = imports
    .filter((each) => each.from === door && !each.typesOnly)
    .flatMap(({ names }) => names)
    .find((each) => each === name || each.startsWith(`${name} as `));
  if (there !== undefined) return { local: there.split(" as ").at(-1) ?? name, clause: there };
  const taken = new Set([
    ...usedWords(source, all),
    ...imports.flatMap(({ names }) =>
      names.map(
        (each) =>
          each
            .replace(/^type /, "")
            .split(" as ")
            .at(-1) ?? each,
      ),
    ),
  ]);
  if (name !== "default" && !taken.has(name)) return { local: name, clause: name };
  const wish = name === "default" ? "proof" : name;
  let local = wish;
  for (let number = 2; taken.has(local); number += 1) local = `${wish}${number}`;
  return { local, clause: `${name} as ${local}` };
}

const plain = (name: string): string => name.replace(/^type /, "");
const byName = (a: string, b: string): number => plain(a).localeCompare(plain(b), "en");
const isSorted = (names: readonly string[]): boolean =>
  names.every((name, index) => index === 0 || byName(names[index - 1] ?? "", name) <= 0);

/** One import statement as Prettier writes it. */
export function importLine(names: readonly string[], door: string): string {
  const flat = `import { ${names.join(", ")} } from ${quote(door)};`;
  if (columnsOf(flat) <= 110) return flat;
  return `import {\n${names.map((name) => `  ${name},\n`).join("")}} from ${quote(door)};`;
}
