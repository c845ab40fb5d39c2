import type { DataTree } from "./data-tree.ts";
import { fieldOf } from "./field-words.ts";

/** `phase_1_pilot` → `phase 1 pilot`, `rollbackTriggers` → `rollback triggers`. */
export const wordsOf = (name: string): string =>
  name
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .replace(/[_-]+/g, " ")
    .trim()
    .toLowerCase();

export const textOf = (tree: DataTree, key: string): string | undefined => {
  const found = tree.children.find(
    (child) =>
      child.key !== undefined && (child.key.toLowerCase() === key || fieldOf(wordsOf(child.key)) === key),
  );
  return found?.shape === "scalar" && found.written !== "" ? found.written : undefined;
};

export const holdsMaps = (tree: DataTree): boolean =>
  tree.children.length > 0 && tree.children.every(({ shape }) => shape === "map");
