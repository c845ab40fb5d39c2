import { readYaml } from "../yaml.ts";
import type { DataTree } from "../data-tree.ts";
import type { Collected } from "./collect.ts";

/** Deeper data is not followed: no state of a thing lies there. */
const deepest = 12;

/** Adds the texts of a JSON, JSON lines, YAML or CSV file by their field. @throws what the parser says, with a line where it knows one. */
export function addData(collected: Collected, file: string, text: string): void {
  const format = /\.([^.]+)$/.exec(file)?.[1]?.toLowerCase();
  if (format === "jsonl" || format === "ndjson") lines(collected, file, text);
  else if (format === "csv" || format === "tsv") table(collected, file, text, format === "tsv" ? "\t" : ",");
  else if (format === "json") {
    if (text.trim() === "") throw new SyntaxError("an empty file");
    gather(collected, file, JSON.parse(text) as unknown, (field, value) => lineIn(text, field, value));
  } else {
    const read = readYaml(text);
    if ("defect" in read) throw new SyntaxError(`line ${read.defect.row + 1}: ${read.defect.message}`);
    if ("tree" in read) gatherTree(collected, file, read.tree, []);
  }
}

/** Nodes know their lines; items of a list count under the name of the list. */
function gatherTree(collected: Collected, file: string, tree: DataTree, path: readonly string[]): void {
  const own = tree.key === undefined ? path : [...path, tree.key];
  if (own.length > deepest) return;
  if (tree.children.length > 0) for (const child of tree.children) gatherTree(collected, file, child, own);
  else if (typeof tree.value === "string" && own.length > 0)
    collected.add("data", own.join("."), tree.value, file, () => tree.from + 1);
}

export const dataFiles: ReadonlySet<string> = new Set([
  "json",
  "jsonl",
  "ndjson",
  "csv",
  "tsv",
  "yaml",
  "yml",
]);

function lines(collected: Collected, file: string, text: string): void {
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    let value: unknown;
    try {
      value = JSON.parse(line) as unknown;
    } catch (error) {
      throw new SyntaxError(`line ${index + 1}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    gather(collected, file, value, () => index + 1);
  });
}

/** Elements of a list count under the name of the list. */
function gather(
  collected: Collected,
  file: string,
  value: unknown,
  line: (field: string, value: string) => number,
  path: readonly string[] = [],
): void {
  if (typeof value === "string") {
    const leaf = path.at(-1);
    if (leaf !== undefined) collected.add("data", path.join("."), value, file, () => line(leaf, value));
  } else if (path.length < deepest && typeof value === "object" && value !== null) {
    if (Array.isArray(value)) for (const each of value) gather(collected, file, each, line, path);
    else for (const [key, each] of Object.entries(value)) gather(collected, file, each, line, [...path, key]);
  }
}

/** Line of the first `"field": "value"` (or `field: value`); 1 where notation hides it. */
function lineIn(text: string, field: string, value: string): number {
  const plain = (word: string): string => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const at = text.search(
    new RegExp(`["']?${plain(field)}["']?\\s*:\\s*(?:\\[[^\\]]*)?["']?${plain(value)}["']?`),
  );
  return at === -1 ? 1 : text.slice(0, at).split("\n").length;
}

/** RFC 4180: quotes, doubled quotes, line breaks inside quotes. The first row names the fields. */
function table(collected: Collected, file: string, text: string, separator: string): void {
  let header: readonly string[] | undefined;
  let row: string[] = [];
  let cell = "";
  let inside = false;
  let line = 1;
  let start = 1;
  const end = (): void => {
    row.push(cell);
    cell = "";
    if (header === undefined) header = row.map((name) => name.trim().replace(/^\uFEFF/, ""));
    else if (row.length > 1 || row[0] !== "")
      header.forEach((name, at) => {
        const own = start;
        collected.add("data", name, row[at]?.trim() ?? "", file, () => own);
      });
    row = [];
    start = line;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\n") line++;
    if (inside) {
      if (char !== '"') cell += char;
      else if (text[at + 1] === '"') cell += text[at++];
      else inside = false;
    } else if (char === '"' && cell === "") inside = true;
    else if (char === separator) {
      row.push(cell);
      cell = "";
    } else if (char === "\n") end();
    else if (char !== "\r") cell += char;
  }
  if (cell !== "" || row.length > 0) end();
}
