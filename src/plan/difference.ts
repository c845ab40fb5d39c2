import { canonicalJson, type Json, type JsonObject } from "../core/index.ts";
import { isObject } from "./scope.ts";

/** What changed between two recorded graphs. */
export interface Difference {
  readonly same: boolean;
  /** `{ steps, phases, triggers, contingencies: { added, removed, changed: [{ name, fields }] }, migration: [fields] }` */
  readonly data: JsonObject;
  /** One line each for people: `+ step move/repair`, `- trigger memory > 90 %`, `~ step move/copy: code, input`. */
  readonly lines: readonly string[];
}

interface Part {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly { readonly name: string; readonly fields: readonly string[] }[];
}

/** Members a graph shows to people and the hash does not cover. */
const shown = new Set(["summary", "layer", "hash"]);

/** The definition's own members that are compared as a whole. */
const wholes = ["format", "name", "title", "units", "waves", "verifyOld", "success", "risks", "schedule"];

/**
 * Compares the graph a run was created with and the one of today's definition (`Compiled.graph`). Functions and
 * inputs are in a graph as digests: that they changed is known, the text is in the project's version control.
 */
export function difference(before: JsonObject, after: JsonObject): Difference {
  const parts: Readonly<Record<string, Part>> = {
    phase: compare(named(before["phases"], "name"), named(after["phases"], "name"), ["steps"]),
    step: compare(steps(before), steps(after), []),
    trigger: compare(named(before["triggers"], "name"), named(after["triggers"], "name"), []),
    contingency: compare(named(before["contingencies"], "name"), named(after["contingencies"], "name"), []),
  };
  const moved = reordered(before, after);
  const migration = wholes.filter((key) => differs(before[key], after[key]));
  const lines = [
    ...migration.map((key) => `~ migration: ${key}${valueChange(before[key], after[key])}`),
    ...moved.map((what) => `~ migration: order of ${what}`),
    ...Object.entries(parts).flatMap(([what, part]) => [
      ...part.added.map((name) => `+ ${what} ${name}`),
      ...part.removed.map((name) => `- ${what} ${name}`),
      ...part.changed.map(({ name, fields }) => `~ ${what} ${name}: ${fields.join(", ")}`),
    ]),
  ];
  const json = (part: Part | undefined): Json => ({
    added: part?.added ?? [],
    removed: part?.removed ?? [],
    changed: (part?.changed ?? []).map((change) => ({ ...change })),
  });
  return {
    same: lines.length === 0,
    lines,
    data: {
      phases: json(parts["phase"]),
      steps: json(parts["step"]),
      triggers: json(parts["trigger"]),
      contingencies: json(parts["contingency"]),
      migration: [...migration, ...moved.map((what) => `order of ${what}`)],
    },
  };
}

function compare(
  before: ReadonlyMap<string, JsonObject>,
  after: ReadonlyMap<string, JsonObject>,
  except: readonly string[],
): Part {
  const changed: { name: string; fields: string[] }[] = [];
  for (const [name, now] of after) {
    const then = before.get(name);
    if (then === undefined) continue;
    const keys = [...new Set([...Object.keys(then), ...Object.keys(now)])];
    const fields = keys.filter(
      (key) => !except.includes(key) && !shown.has(key) && differs(then[key], now[key]),
    );
    if (fields.length > 0)
      changed.push({ name, fields: fields.map((key) => key + valueChange(then[key], now[key], key)) });
  }
  return {
    added: [...after.keys()].filter((name) => !before.has(name)),
    removed: [...before.keys()].filter((name) => !after.has(name)),
    changed,
  };
}

/** Lists whose members are the same but stand in another order. */
function reordered(before: JsonObject, after: JsonObject): readonly string[] {
  const lists: readonly (readonly [string, (graph: JsonObject) => readonly string[]])[] = [
    ["phases", (graph) => [...named(graph["phases"], "name").keys()]],
    ["steps", (graph) => [...steps(graph).keys()]],
    ["triggers", (graph) => [...named(graph["triggers"], "name").keys()]],
    ["contingencies", (graph) => [...named(graph["contingencies"], "name").keys()]],
  ];
  return lists
    .filter(([, names]) => {
      const [then, now] = [names(before), names(after)];
      const common = (all: readonly string[], others: ReadonlySet<string>): string =>
        all.filter((name) => others.has(name)).join("\n");
      return common(then, new Set(now)) !== common(now, new Set(then));
    })
    .map(([what]) => what);
}

function named(list: Json | undefined, key: string): ReadonlyMap<string, JsonObject> {
  const entries = Array.isArray(list) ? list.filter(isObject as (item: Json) => item is JsonObject) : [];
  return new Map(entries.map((entry) => [entry[key] as string, entry]));
}

function steps(graph: JsonObject): ReadonlyMap<string, JsonObject> {
  return new Map(
    [...named(graph["phases"], "name").values()].flatMap((phase) => [...named(phase["steps"], "id")]),
  );
}

const differs = (a: Json | undefined, b: Json | undefined): boolean =>
  canonicalJson(stripped(a) ?? null) !== canonicalJson(stripped(b) ?? null);

/** Steps inside a contingency carry summaries as well. */
function stripped(value: Json | undefined): Json | undefined {
  if (Array.isArray(value)) return value.map((item) => stripped(item as Json) ?? null);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value as JsonObject)
      .filter(([key]) => !shown.has(key))
      .map(([key, member]) => [key, stripped(member)]),
  );
}

/** Short values are shown; digests say nothing to people. */
function valueChange(before: Json | undefined, after: Json | undefined, key = ""): string {
  if (key === "input" || key === "code") return "";
  const text = `${canonicalJson(before ?? null)} → ${canonicalJson(after ?? null)}`;
  return text.length > 80 || text.includes("[{") || text.includes('"code":') ? "" : ` ${text}`;
}
