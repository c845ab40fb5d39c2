import { parse } from "smol-toml";
import type { Json } from "../core/index.ts";
import type { DataReading, DataTree } from "./data-tree.ts";

/** TOML. The parser gives values without places; lines come from the keys and table heads of the text. */
export function readToml(text: string): DataReading {
  try {
    const value: unknown = parse(text);
    const rows = text.split("\n");
    return { tree: treeOf(value, "", undefined, placesOf(rows), rows, 0) };
  } catch (error) {
    const row = typeof error === "object" && error !== null && "line" in error ? Number(error.line) - 1 : 0;
    const message = (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
    return { defect: { message, row: Number.isFinite(row) ? row : 0 } };
  }
}

function placesOf(rows: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  const counts = new Map<string, number>();
  let table = "";
  rows.forEach((row, at) => {
    const head = /^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?/.exec(row);
    const pair = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/.exec(row);
    if (pair !== null) places.set(joined(table, pathOf(pair[1] ?? "")), at);
    else if (head !== null) {
      table = pathOf(head[2] ?? "");
      if (head[1] === "[[") {
        const seen = counts.get(table) ?? 0;
        counts.set(table, seen + 1);
        table += `[${seen}]`;
      }
      places.set(table, at);
    }
  });
  return places;
}

const pathOf = (written: string): string => written.replace(/["'\s]/g, "");
const joined = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

function treeOf(
  value: unknown,
  path: string,
  key: string | undefined,
  places: ReadonlyMap<string, number>,
  rows: readonly string[],
  above: number,
): DataTree {
  const from = places.get(path) ?? above;
  const named = key === undefined ? {} : { key };
  if (Array.isArray(value)) {
    const children = value.map((item, index) =>
      treeOf(item, `${path}[${index}]`, undefined, places, rows, from),
    );
    return {
      ...named,
      from,
      to: children.at(-1)?.to ?? from,
      shape: "list",
      children,
      value: null,
      written: "",
    };
  }
  if (typeof value === "object" && value !== null && !(value instanceof Date)) {
    const children = Object.entries(value).map(([name, member]) =>
      treeOf(member, joined(path, name), name, places, rows, from),
    );
    return {
      ...named,
      from,
      to: children.at(-1)?.to ?? from,
      shape: "map",
      children,
      value: null,
      written: "",
    };
  }
  const source = /=\s*([^#"'[{]*?)\s*(?:#.*)?$/.exec(rows[from] ?? "")?.[1] ?? "";
  const written = typeof value === "string" ? value : source === "" ? String(value) : source;
  const json: Json =
    typeof value === "number" || typeof value === "boolean" || typeof value === "string" ? value : written;
  return { ...named, from, to: from, shape: "scalar", children: [], value: json, written };
}
