import type { Json, JsonObject } from "../core/index.ts";
import type { EvidenceRecord, StepRecord } from "../store/index.ts";
import { isObject } from "./graph.ts";
import type { AsideItem, Sidecar } from "./run-view.ts";

/**
 * What was set aside during a run instead of being moved. A step tells of it in one of two ways: its result has
 * a member `aside` that lists entries, or it stored evidence named `aside` whose data has `items`.
 * Evidence that says what its list is `of`, e.g. a store, stands in place of earlier lists of the same.
 * An entry is a text, or an object with `id` and `reason` and any other facts.
 */
export function asideItems(
  steps: readonly StepRecord[],
  evidence: readonly EvidenceRecord[],
): readonly AsideItem[] {
  const found = new Map<string, { readonly item: AsideItem; readonly of: Json | undefined }>();
  const keep = (step: string, entries: Json | undefined, of?: Json): void => {
    for (const entry of Array.isArray(entries) ? (entries as readonly Json[]) : []) {
      const item = readItem(step, entry);
      found.set(`${step}\n${item.id}`, { item, of });
    }
  };
  for (const { name, step, data } of evidence) {
    if (name !== "aside") continue;
    const { of } = data;
    if (of !== undefined) for (const [key, known] of found) if (known.of === of) found.delete(key);
    keep(step ?? "", data["items"] ?? data["aside"], of);
  }
  for (const step of steps) keep(step.step, asideOf(step.result));
  return [...found.values()].map(({ item }) => item);
}

/** Stores in which old rows are kept beside their images, as the newest list of each says (`originals`). */
export function sidecarsOf(evidence: readonly EvidenceRecord[]): readonly Sidecar[] {
  const found = new Map<string, Sidecar>();
  for (const { name, step, data } of evidence) {
    const { of, originals } = data;
    if (name !== "aside" || typeof of !== "string") continue;
    found.delete(of);
    if (typeof originals === "number" && originals > 0)
      found.set(of, { store: of, rows: originals, step: step ?? "" });
  }
  return [...found.values()];
}

/** How many entries a step's result says were set aside. */
export function asideCount(result: Json | null): number {
  const entries = asideOf(result);
  return Array.isArray(entries) ? entries.length : 0;
}

const asideOf = (result: Json | null): Json | undefined =>
  isObject(result ?? undefined) ? (result as JsonObject)["aside"] : undefined;

function readItem(step: string, entry: Json): AsideItem {
  if (!isObject(entry))
    return { id: typeof entry === "string" ? entry : JSON.stringify(entry), reason: "", step, facts: {} };
  const { id, reason, ...facts } = entry as JsonObject & { readonly id?: Json; readonly reason?: Json };
  return {
    id: typeof id === "string" || typeof id === "number" ? String(id) : JSON.stringify(entry),
    reason: typeof reason === "string" ? reason : "",
    step,
    facts,
  };
}
