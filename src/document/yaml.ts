import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type ParsedNode } from "yaml";
import type { Json } from "../core/index.ts";
import type { DataReading, DataTree } from "./data-tree.ts";

const deepest = 100;

/** YAML (and JSON, which is part of it) with its lines. Aliases stay names: a bomb of them stays small. */
export function readYaml(text: string): DataReading {
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true, logLevel: "silent" });
    const list = Array.isArray(documents) ? documents : [];
    for (const document of list) {
      const error = document.errors[0];
      if (error !== undefined) {
        const row = (error.linePos?.[0].line ?? 1) - 1;
        return { defect: { message: firstLine(error.message), row } };
      }
    }
    const trees = list.flatMap((document) =>
      document.contents === null ? [] : [treeOf(document.contents, text, lines, undefined, 0)],
    );
    const [only] = trees;
    if (only !== undefined && trees.length === 1) return { tree: only };
    const last = text.split("\n").length - 1;
    return { tree: { from: 0, to: last, shape: "list", children: trees, value: null, written: "" } };
  } catch (error) {
    return { defect: { message: firstLine(error instanceof Error ? error.message : String(error)), row: 0 } };
  }
}

const firstLine = (message: string): string =>
  message.split("\n")[0]?.replace(/\s+at line \d+, column \d+:?$/, "") ?? "";

function treeOf(
  node: ParsedNode,
  text: string,
  lines: LineCounter,
  key: string | undefined,
  depth: number,
): DataTree {
  if (depth > deepest) throw new RangeError(`expected at most ${deepest} levels, found more`);
  const [start, end] = node.range;
  const row = (offset: number): number => lines.linePos(offset).line - 1;
  const written = text.slice(start, end).trim();
  const base = {
    ...(key === undefined ? {} : { key }),
    from: row(start),
    to: row(Math.max(start, start + written.length - 1)),
  };
  const comment = typeof node.comment === "string" ? { comment: node.comment.trim() } : {};
  if (isMap(node)) {
    const children = node.items.map((pair): DataTree => {
      const name = pair.key as ParsedNode;
      const from = row(name.range[0]);
      const label = isScalar(name) ? String(name.value) : text.slice(name.range[0], name.range[1]);
      const value = pair.value as ParsedNode | null;
      if (value === null)
        return { key: label, from, to: from, shape: "scalar", children: [], value: null, written: "" };
      const child = treeOf(value, text, lines, label, depth + 1);
      return { ...child, from: Math.min(from, child.from) };
    });
    return { ...base, ...comment, shape: "map", children, value: null, written: "" };
  }
  if (isSeq(node)) {
    const children = node.items.map((item) => treeOf(item as ParsedNode, text, lines, undefined, depth + 1));
    return { ...base, ...comment, shape: "list", children, value: null, written: "" };
  }
  const value: Json = isAlias(node) ? written : isScalar(node) ? plain(node.value, written) : written;
  return {
    ...base,
    ...comment,
    shape: "scalar",
    children: [],
    value,
    written: isScalar(node) ? unquoted(written, node.value) : written,
  };
}

const plain = (value: unknown, written: string): Json =>
  typeof value === "string" || typeof value === "boolean" || value === null
    ? value
    : typeof value === "number" && Number.isFinite(value)
      ? value
      : written;

/** Numbers keep their digits as written; quoted and folded texts are what they mean. */
const unquoted = (written: string, value: unknown): string => (typeof value === "string" ? value : written);
