import type { Own } from "./draft.ts";
import { dangersOf } from "./danger.ts";
import type { CommandFinding } from "./work-finding.ts";

/** One command of a block, with its lines counted from 0 in the block. */
export interface ShellCommand {
  readonly shell: string;
  readonly from: number;
  readonly to: number;
  readonly note?: string;
  readonly noteFrom?: number;
  readonly argv: readonly string[] | null;
  readonly cwd: string | null;
}

export interface ShellBlock {
  readonly commands: readonly ShellCommand[];
  /** Comments that no command follows. */
  readonly notes: readonly { readonly text: string; readonly row: number }[];
  /** `Name: value` lines that are no command. */
  readonly facts: readonly { readonly name: string; readonly value: string; readonly row: number }[];
  /** What a command printed, in a transcript with prompts. */
  readonly output: readonly number[];
}

const prompt = /^\s*(?:\$|❯|➜|%|PS[^>]*>|[\w.-]+@[\w.-]+[^$#]*[$#]|mysql>|postgres=#|>>>)\s+/;
const fact = /^\s*([A-Z][\w/()-]*(?: [\w/()-]+){0,5}):\s+(.*)$/;

/** Reads a block of shell. Continuations, quotes over lines, here-documents and compounds are one command each. */
export function readShell(rows: readonly string[], language: string): ShellBlock {
  const commands: ShellCommand[] = [];
  const notes: { text: string; row: number }[] = [];
  const facts: { name: string; value: string; row: number }[] = [];
  const output: number[] = [];
  const prompted = rows.some((row) => prompt.test(row)) && language !== "sql";
  const mark = language === "sql" ? "--" : "#";
  let cwd: string | null = "";
  let pending: { text: string; row: number }[] = [];
  for (let row = 0; row < rows.length; row++) {
    const line = rows[row] ?? "";
    if (line.trim() === "") {
      notes.push(...pending.splice(0));
      continue;
    }
    const bare = line.trim();
    if (bare.startsWith(mark) && !prompt.test(line)) {
      pending.push({ text: bare.replace(/^(?:#|--)+\s*/, ""), row });
      continue;
    }
    if (prompted && !prompt.test(line)) {
      output.push(row);
      continue;
    }
    const said = fact.exec(line);
    if (said !== null && !/^(?:https?|FROM|RUN)$/.test(said[1] ?? "")) {
      facts.push({ name: said[1] ?? "", value: said[2] ?? "", row });
      continue;
    }
    const from = row;
    const first = line.replace(prompt, "").trim();
    row = lastRow(rows, row, first, language);
    const body = [first, ...rows.slice(from + 1, row + 1).map((each) => each.trimEnd())];
    const compound = row > from && !continued(body);
    const whole = compound
      ? body.join("\n")
      : body.map((each) => each.replace(/\s*\\$/, "").trim()).join(" ");
    const { shell, behind } =
      compound || language === "sql" ? { shell: whole, behind: undefined } : splitNote(whole);
    const note = [...pending.map(({ text }) => text), ...(behind === undefined ? [] : [behind])].join(" · ");
    const noteFrom = pending[0]?.row;
    pending = [];
    commands.push({
      shell,
      from,
      to: row,
      argv: argvOf(shell),
      cwd,
      ...(note === "" ? {} : { note }),
      ...(noteFrom === undefined ? {} : { noteFrom }),
    });
    cwd = after(shell, cwd);
  }
  notes.push(...pending);
  return { commands, notes, facts, output };
}

const continued = (body: readonly string[]): boolean =>
  body.slice(0, -1).every((row) => /(?:\\|&&|\|\||\|)\s*$/.test(row));

/** The row on which the command that begins here ends. */
function lastRow(rows: readonly string[], start: number, first: string, language: string): number {
  if (language === "sql") {
    let at = start;
    while (at < rows.length - 1 && !/;\s*(?:--.*)?$/.test(rows[at] ?? "")) at++;
    return at;
  }
  const here = /<<-?\s*(["']?)(\w+)\1/.exec(first)?.[2];
  if (here !== undefined) {
    const end = rows.findIndex((row, at) => at > start && row.trim() === here);
    return end === -1 ? rows.length - 1 : end;
  }
  let at = start;
  let depth = 0;
  let quote = "";
  for (; at < rows.length; at++) {
    const row = at === start ? first : (rows[at] ?? "");
    quote = openQuote(row, quote);
    if (quote === "") depth += opens(row);
    if (quote === "" && depth <= 0 && !/(?:\\|&&|\|\||(?<!\|)\|)\s*$/.test(row)) return at;
    // A quote or a loop that never ends is a slip of the pen: it must not swallow the block.
    if (at - start > 400) break;
  }
  return at >= rows.length && (quote !== "" || depth > 0) && rows.length - start > 30
    ? start
    : Math.min(at, rows.length - 1);
}

function openQuote(row: string, before: string): string {
  let quote = before;
  for (let i = 0; i < row.length; i++) {
    const char = row[i] ?? "";
    if (char === "\\" && quote !== "'") i++;
    else if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === '"' || (char === "'" && !/\w/.test(row[i - 1] ?? ""))) quote = char;
    else if (char === "#" && /\s/.test(row[i - 1] ?? " ")) break;
  }
  return quote;
}

function opens(row: string): number {
  const bare = row.replace(/"[^"]*"|'[^']*'|#.*$/g, "");
  const begin =
    /^\s*(?:if|for|while|until|case|select)\s/.test(bare) || /\(\)\s*\{\s*$|^\s*\{\s*$/.test(bare) ? 1 : 0;
  const end = (bare.match(/(?:^|;)\s*(?:fi|done|esac|\})(?=\s*(?:$|[;|&>]))/g) ?? []).length;
  return begin - end;
}

/** A comment behind a command. */
function splitNote(line: string): { readonly shell: string; readonly behind: string | undefined } {
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const char = line[i] ?? "";
    if (char === "\\") i++;
    else if (quote !== "") quote = char === quote ? "" : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "#" && i > 0 && /\s/.test(line[i - 1] ?? "")) {
      return { shell: line.slice(0, i).trim(), behind: line.slice(i + 1).trim() };
    }
  }
  return { shell: line.trim(), behind: undefined };
}

/** Words of a command that needs no shell; null otherwise. */
export function argvOf(shell: string): readonly string[] | null {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < shell.length; i++) {
    const char = shell[i] ?? "";
    if (/\s/.test(char)) {
      if (char === "\n") return null;
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'" || char === '"') {
      const end = shell.indexOf(char, i + 1);
      const inner = end === -1 ? undefined : shell.slice(i + 1, end);
      if (inner === undefined || (char === '"' && /[$`\\!]/.test(inner))) return null;
      word = (word ?? "") + inner;
      i = end;
    } else if (/[|&;<>()$`\\*?[\]{}~!]/.test(char) || (char === "#" && word === undefined)) {
      return null;
    } else {
      word = (word ?? "") + char;
    }
  }
  if (word !== undefined) words.push(word);
  const [program] = words;
  return program === undefined || /^\w+=/.test(program) || program === "cd" ? null : words;
}

/** Where the next command starts. Null once it depends on what only a shell knows. */
function after(shell: string, cwd: string | null): string | null {
  let now = cwd;
  for (const [, part = ""] of shell.matchAll(
    /(?:^|&&|;|\n)\s*((?:cd|pushd|popd|Set-Location)(?:\s+[^;&|\n]*)?)(?=$|[;&|\n])/g,
  )) {
    const target = part
      .replace(/^\S+\s*/, "")
      .replace(/^["']|["']$/g, "")
      .trim();
    if (part.startsWith("popd") || target === "-" || /[$`*~<]/.test(target) || target === "") now = null;
    else
      now = target.startsWith("/")
        ? clean(target)
        : now === null
          ? null
          : clean(now === "" ? target : `${now}/${target}`);
  }
  return now;
}

function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}

/** What is told of a command besides its place. */
export function senseOf(
  command: Pick<ShellCommand, "shell" | "argv" | "cwd" | "note">,
  language: string,
): Own<CommandFinding> {
  const { shell, argv, cwd, note } = command;
  const scripts = [
    ...shell.matchAll(
      /(?:^|[\s;&|(])((?:\.{1,2}\/)[\w./-]+|(?:[\w.-]+\/)+[\w.-]+\.(?:sh|py|js|ts|mjs|rb|pl|ps1|bash)|[\w-]+\.(?:sh|ps1|bash))(?=$|[\s;&|)])/g,
    ),
  ]
    .map(([, script = ""]) => script)
    .filter((script) => !/^\.{1,2}\/?$/.test(script) && !script.endsWith("/") && isCalled(shell, script));
  return {
    shell,
    argv,
    language,
    cwd: cwd === "" ? "." : cwd,
    ...(note === undefined ? {} : { note }),
    scripts: [...new Set(scripts)],
    dangers: dangersOf(shell),
    blanks: [
      ...new Set(
        [...shell.matchAll(/<([a-z][\w -]{0,40})>|\{\{\s*([\w.]+)\s*\}\}|\bYOUR_\w+/gi)].map(
          ([blank]) => blank,
        ),
      ),
    ],
  };
}

/** A script is called where a command begins, or handed to an interpreter; else it is an argument, such as a copied file. */
function isCalled(shell: string, script: string): boolean {
  const at = shell.indexOf(script);
  return /(?:^|[;&|(]|\b(?:ba|z)?sh|python3?|node|ruby|perl|sudo|time|exec|source)\s*$/.test(
    shell.slice(0, at),
  );
}
