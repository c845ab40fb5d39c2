import type { Json } from "../core/index.ts";

/** A value of a fenced document with the lines it stands on, counted from 0 in the block. */
export interface DataTree {
  readonly key?: string;
  readonly from: number;
  readonly to: number;
  readonly shape: "map" | "list" | "scalar";
  readonly children: readonly DataTree[];
  /** Of a scalar. */
  readonly value: Json;
  /** A scalar as written; empty for maps and lists. */
  readonly written: string;
  readonly comment?: string;
}

/** A parser's refusal, with the line (from 0 in the block) it named. */
export interface DataDefect {
  readonly message: string;
  readonly row: number;
}

export type DataReading = { readonly tree: DataTree } | { readonly defect: DataDefect };

export function jsonOf(tree: DataTree): Json {
  if (tree.shape === "scalar") return tree.value;
  if (tree.shape === "list") return tree.children.map(jsonOf);
  return Object.fromEntries(tree.children.map((child) => [child.key ?? "", jsonOf(child)]));
}

/** Leaves with dotted paths. */
export function* leavesOf(
  tree: DataTree,
  path = "",
): Generator<{ readonly path: string; readonly leaf: DataTree }> {
  if (tree.shape === "scalar" || tree.children.length === 0) {
    yield { path, leaf: tree };
    return;
  }
  for (const [index, child] of tree.children.entries()) {
    const own =
      tree.shape === "list"
        ? `${path}[${index}]`
        : path === ""
          ? (child.key ?? "")
          : `${path}.${child.key ?? ""}`;
    yield* leavesOf(child, own);
  }
}

/** One line for a leaf or a list item, as people read it: `Target: 5-8 systems per day`. */
export function sentenceOf(tree: DataTree): string {
  if (tree.shape === "scalar") return tree.written;
  return tree.children
    .map((child) => (child.key === undefined ? sentenceOf(child) : `${child.key}: ${sentenceOf(child)}`))
    .join(", ");
}
