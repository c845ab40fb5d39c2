import type { Json } from "../core/index.ts";
import { type CodeValue, constantOf, readCodeValue } from "./code-value.ts";

/** A leaf of a literal, with the row (from 0) it stands on. */
export interface CodeEntry {
  readonly path: string;
  readonly value: Json;
  readonly written: string;
  readonly literal: boolean;
  readonly comment?: string;
  readonly row: number;
  /** Comment line above it that heads a group. */
  readonly group?: string;
  /** A function without a body: `BackupCurrentData()`. */
  readonly method?: boolean;
}

export interface CodeLiteral {
  readonly name: string;
  /** Class, function or type it stands in. */
  readonly owner: string;
  readonly shape: "dictionary" | "enum" | "struct" | "list" | "function";
  readonly value: Json;
  readonly entries: readonly CodeEntry[];
  readonly from: number;
  readonly to: number;
}

export interface CodeReading {
  readonly literals: readonly CodeLiteral[];
  readonly comments: readonly { readonly text: string; readonly row: number }[];
}

const words = String.raw`(?:(?:export|pub(?:\([^)]*\))?|static|const|let|mut|var|final|public|private|protected|readonly|default|abstract)\s+)*`;
const binding = new RegExp(
  String.raw`^\s*${words}([A-Za-z_$][\w.$]*)\s*(?::[^=\n]{0,200}?)?\s*(?::=|(?<![=!<>+*/-])=(?![=>]))\s*(?:new\s+)?(?:map\[[^\]]*\][\w.*\[\]]*|\[\d*\]\*?[\w.]+|[\w:]+(?:<[^>\n]*>)?(?:::from)?\(\s*|vec!|&|Object\.freeze\(|frozenset\()?\s*([{[(])`,
);
const returned = /^\s*return\s*([{[])/;
const declared = new RegExp(
  String.raw`^\s*${words}(?:(?:type\s+(\w+)(?:\[[^\]]*\])?\s+(?:struct|interface))|(struct|enum|interface|union|record)\s+(\w+)[^{\n(]*|type\s+(\w+)(?:<[^>]*>)?\s*=)\s*\{\s*(?:\/\/.*)?$`,
);
const alternatives = new RegExp(
  String.raw`^\s*${words}type\s+(\w+)\s*=\s*((?:\|?\s*["'][^"']*["']\s*)(?:\|\s*["'][^"']*["']\s*)+);?\s*$`,
);
const oneLine = new RegExp(
  String.raw`^\s*${words}(enum|struct|interface)\s+(\w+)[^{\n(]*\{\s*([^{}]+?)[\s,;]*\}\s*;?\s*$`,
);
const goConstants = /^\s*const\s*\(\s*$/;
const python = /^(\s*)class\s+(\w+)(?:\(([^)]*)\))?:\s*(?:#.*)?$/;
const owner =
  /^\s*(?:export\s+)?(?:async\s+)?(?:class|def|fn|func|function|impl|interface)\s+(?:\([^)]*\)\s*)?(\w+)/;

/** Literals and declarations in a block of program text, as data. Nothing is run, and what is no literal is kept as its source. */
export function readCode(rows: readonly string[], language: string): CodeReading {
  const literals: CodeLiteral[] = [];
  const comments: { text: string; row: number }[] = [];
  const text = rows.join("\n");
  const offsets = [0];
  for (const row of rows) offsets.push((offsets.at(-1) ?? 0) + row.length + 1);
  let within = "";
  let dataclass = false;
  let doc = "";
  for (let row = 0; row < rows.length; row++) {
    const line = rows[row] ?? "";
    // A text over several lines holds no code.
    if (doc === "" && /^\s*[rbf]?("""|''')/.test(line)) doc = /"""|'''/.exec(line)?.[0] ?? "";
    if (doc !== "") {
      if (line.split(doc).length > 2 || (line.includes(doc) && !/^\s*[rbf]?("""|''')/.test(line))) doc = "";
      continue;
    }
    const bare = line.trim();
    const comment = /(?:^|\s)(?:\/\/+|#(?!\[|!)|--)\s?(.+)$/.exec(line);
    if (comment !== null && (language !== "" || /^\s*(?:#|\/\/)/.test(line)))
      comments.push({ text: (comment[1] ?? "").trim(), row });
    if (bare.startsWith("@dataclass") || bare.startsWith("@attr")) dataclass = true;
    const found =
      declaration(rows, row) ??
      pythonClass(rows, row, dataclass) ??
      constants(rows, row) ??
      union(line, row) ??
      inOneLine(line, row) ??
      value(text, offsets, rows, row, within);
    if (python.test(line)) dataclass = false;
    if (found !== undefined) {
      literals.push({ ...found, owner: within });
      for (let at = row + 1; at <= found.to; at++) {
        const inner = /(?:^|\s)(?:\/\/+|#(?!\[))\s?(.+)$/.exec(rows[at] ?? "");
        if (inner !== null) comments.push({ text: (inner[1] ?? "").trim(), row: at });
      }
      row = found.to;
    } else within = owner.exec(line)?.[1] ?? within;
  }
  return { literals, comments };
}

type Found = Omit<CodeLiteral, "owner">;

function value(
  text: string,
  offsets: readonly number[],
  rows: readonly string[],
  row: number,
  within: string,
): Found | undefined {
  const line = rows[row] ?? "";
  const bound = binding.exec(line);
  const back = bound === null ? returned.exec(line) : null;
  const bracket = bound ?? back;
  if (bracket === null) return undefined;
  // A tuple or a call is no literal: `x = (a + b)`.
  const sign = bound?.[2] ?? back?.[1] ?? "";
  if (sign === "(") return undefined;
  const start = (offsets[row] ?? 0) + bracket[0].length - 1;
  const read = readCodeValue(text, start);
  if (read === undefined || read.shape === "scalar" || read.children.length === 0) return undefined;
  const entries = [...leaves(read, "", text, offsets)];
  // Arithmetic on lists is a program: at least one real value, or names that say what they are.
  if (read.shape === "list" && !entries.some(({ literal }) => literal)) return undefined;
  const name = bound?.[1] ?? within;
  const shape = back === null ? read.shape : "function";
  return { name, shape, value: read.json, entries, from: row, to: rowOf(offsets, read.end - 1) };
}

function* leaves(
  value: CodeValue,
  path: string,
  text: string,
  offsets: readonly number[],
): Generator<CodeEntry> {
  for (const { key, keyAt, value: child, comment } of value.children) {
    const own = value.shape === "list" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    if (child.shape !== "scalar" && child.children.length > 0) {
      yield* leaves(child, own, text, offsets);
      continue;
    }
    const written = text.slice(child.start, child.end);
    const row = rowOf(offsets, value.shape === "dictionary" ? keyAt : child.start);
    yield {
      path: own,
      value: child.json,
      written,
      literal: child.literal,
      row,
      ...(comment === undefined ? {} : { comment }),
    };
  }
}

function rowOf(offsets: readonly number[], offset: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high - 1) {
    const middle = (low + high) >> 1;
    if ((offsets[middle] ?? 0) <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** `type X struct {`, `enum X {`, `interface X {`: members up to the bracket that closes it. */
function declaration(rows: readonly string[], row: number): Found | undefined {
  const found = declared.exec(rows[row] ?? "");
  if (found === null) return undefined;
  const name = found[1] ?? found[3] ?? found[4] ?? "";
  const shape = found[2] === "enum" ? "enum" : "struct";
  return members(rows, row, name, shape, "}");
}

function constants(rows: readonly string[], row: number): Found | undefined {
  if (!goConstants.test(rows[row] ?? "")) return undefined;
  const type = /^\s*\w+\s+(\w+)\s*=\s*/.exec(rows[row + 1] ?? "")?.[1] ?? "";
  return members(rows, row, type, "enum", ")");
}

const memberForm =
  /^(?:(?:pub(?:\([^)]*\))?|public|private|protected|readonly|static|async|final)\s+)*([A-Za-z_$"'][\w$"'-]*)(\??)\s*(\([^)]*\)\s*(?::\s*[^;,{]+|->\s*[^;,{]+)?|(?::\s*|\s+(?=[\w*[\]]))[^=,;{]+)?(?:\s*=\s*([^,;]+?))?\s*[,;]?\s*$/;

function members(
  rows: readonly string[],
  row: number,
  name: string,
  shape: "enum" | "struct",
  close: string,
): Found | undefined {
  const entries: CodeEntry[] = [];
  const trail: string[] = [];
  let group: string | undefined;
  let pending: string | undefined;
  for (let at = row + 1; at < rows.length; at++) {
    const line = rows[at] ?? "";
    const comment = /(?:^|\s)(?:\/\/+|\/\*\*?)\s*(.*?)\s*(?:\*\/)?$/.exec(line)?.[1];
    const bare = line.replace(/(?:^|\s)(?:\/\/|\/\*).*$/, "").trim();
    if (bare === "") {
      if (comment !== undefined) pending = comment;
      if (line.trim() === "") group = pending = undefined;
      if (comment !== undefined) group = comment;
      continue;
    }
    if (bare.startsWith("#[") || bare.startsWith("@")) continue;
    if (/^[}\])]/.test(bare)) {
      if (trail.length === 0) {
        if (!bare.startsWith(close)) return undefined;
        return entries.length === 0
          ? undefined
          : { name, shape, value: valueOf(entries), entries, from: row, to: at };
      }
      trail.pop();
      continue;
    }
    if (/[{([]\s*$/.test(bare)) {
      trail.push(/^[\w$"']+/.exec(bare)?.[0].replace(/["']/g, "") ?? "");
      continue;
    }
    const found = memberForm.exec(bare);
    if (found === null && trail.length > 0) continue;
    if (found === null) return undefined;
    const [, member = "", , type = "", initial] = found;
    const path = [...trail, member.replace(/["']/g, "")].join(".");
    const said = initial ?? type.replace(/^\s*:\s*/, "").trim();
    const json = constantOf(initial?.trim() ?? "");
    const method = type.trimStart().startsWith("(") && shape === "struct";
    const note = comment ?? pending;
    entries.push({
      path,
      value: json === undefined ? said : json,
      written: bare.replace(/[,;]$/, ""),
      literal: json !== undefined || said === "",
      row: at,
      ...(note === undefined ? {} : { comment: note }),
      ...(group === undefined ? {} : { group }),
      ...(method ? { method } : {}),
    });
    pending = undefined;
  }
  return undefined;
}

const valueOf = (entries: readonly CodeEntry[]): Json =>
  Object.fromEntries(entries.map(({ path, value }) => [path, value]));

/** Enums and data classes of Python: fields up to the first method or the end of the indentation. */
function pythonClass(rows: readonly string[], row: number, dataclass: boolean): Found | undefined {
  const found = python.exec(rows[row] ?? "");
  if (found === null) return undefined;
  const [, indent = "", name = "", bases = ""] = found;
  const isEnum = /Enum|Flag|Choices/.test(bases);
  if (!isEnum && !dataclass && !/NamedTuple|TypedDict|BaseModel/.test(bases)) return undefined;
  const entries: CodeEntry[] = [];
  let to = row;
  let group: string | undefined;
  for (let at = row + 1; at < rows.length; at++) {
    const line = rows[at] ?? "";
    const bare = line.trim();
    if (bare === "") {
      group = undefined;
      continue;
    }
    if (line.length - line.trimStart().length <= indent.length || /^(?:def|async|class|@)/.test(bare)) break;
    if (bare.startsWith("#")) group = bare.replace(/^#+\s*/, "");
    const field = /^([A-Za-z_]\w*)\s*(?::\s*([^=#]+?))?\s*(?:=\s*([^#]+?))?\s*(?:#\s*(.*))?$/.exec(bare);
    if (field !== null && (field[2] !== undefined || field[3] !== undefined)) {
      const [, member = "", type, initial, comment] = field;
      const json = initial === undefined ? undefined : constantOf(initial.trim());
      entries.push({
        path: member,
        value: json === undefined ? (initial ?? type ?? "") : json,
        written: bare.replace(/\s*#.*$/, ""),
        literal: json !== undefined,
        row: at,
        ...(comment === undefined ? {} : { comment }),
        ...(group === undefined ? {} : { group }),
      });
    } else if (!/^(?:#|"""|''')/.test(bare)) break;
    to = at;
  }
  if (entries.length === 0) return undefined;
  return { name, shape: isEnum ? "enum" : "struct", value: valueOf(entries), entries, from: row, to };
}

/** `type State = "a" | "b"`. */
function union(line: string, row: number): Found | undefined {
  const found = alternatives.exec(line);
  if (found === null) return undefined;
  const [, name = "", list = ""] = found;
  const entries = [...list.matchAll(/["']([^"']*)["']/g)].map(([written, text = ""]): CodeEntry => ({
    path: text,
    value: text,
    written,
    literal: true,
    row,
  }));
  return { name, shape: "enum", value: entries.map((entry) => entry.value), entries, from: row, to: row };
}

/** `enum State { Queued, Running }`, `struct Point { x: f32, y: f32 }` on one line. */
function inOneLine(line: string, row: number): Found | undefined {
  const found = oneLine.exec(line);
  if (found === null) return undefined;
  const [, sort = "", name = "", body = ""] = found;
  const entries = body.split(/[,;]/).flatMap((part): CodeEntry[] => {
    const member = memberForm.exec(part.trim());
    if (member === null) return [];
    const [, path = "", , type = "", initial] = member;
    const said = initial ?? type.replace(/^\s*:\s*/, "").trim();
    const json = constantOf(initial?.trim() ?? "");
    return [
      {
        path,
        value: json === undefined ? said : json,
        written: part.trim(),
        literal: json !== undefined || said === "",
        row,
      },
    ];
  });
  if (entries.length !== body.split(/[,;]/).length) return undefined;
  return {
    name,
    shape: sort === "enum" ? "enum" : "struct",
    value: valueOf(entries),
    entries,
    from: row,
    to: row,
  };
}
