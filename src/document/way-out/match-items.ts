import { slug } from "../draft.ts";
import type { Inventory } from "../inventory.ts";
import type { PlanItem } from "../../core/index.ts";

/** Which items of the record speak of which line of the plan, and those that no line asks for. */
export interface Matched {
  readonly byLine: ReadonlyMap<number, readonly PlanItem[]>;
  readonly unmatched: readonly PlanItem[];
}

/**
 * By the line the definition names; else by words: a check, gate or step whose name is the text of one item of the plan, in
 * the same phase where there is one, and of one only. Two items of the same words are nobody's: then a line must be named.
 */
export function matchItems(inventory: Inventory, items: readonly PlanItem[]): Matched {
  const byLine = new Map<number, PlanItem[]>();
  const unmatched: PlanItem[] = [];
  const byWords = indexWords(inventory);
  for (const item of items) {
    const line = lineFrom(item, inventory) ?? byWords(item);
    if (line === undefined) unmatched.push(item);
    else {
      const list = byLine.get(line);
      if (list === undefined) byLine.set(line, [item]);
      else list.push(item);
    }
  }
  return { byLine, unmatched };
}

/** The line that `from` names, when it lies in this document. */
function lineFrom({ from }: PlanItem, inventory: Inventory): number | undefined {
  const line = Number(/:(\d+)$/.exec(from ?? "")?.[1]);
  return Number.isInteger(line) && line >= 1 && line <= inventory.lines.total ? line : undefined;
}

function indexWords(inventory: Inventory): (item: PlanItem) => number | undefined {
  const { checks, criteria, steps, phases, units } = inventory;
  const phaseOf = new Map(phases.map(({ key, name }) => [key, name]));
  const lines = new Map<string, Set<number>>();
  const add = (role: string, phase: string | undefined, words: string, line: number): void => {
    for (const key of [`${role}\n${phase ?? ""}\n${slug(words)}`, `${role}\n*\n${slug(words)}`]) {
      const set = lines.get(key);
      if (set === undefined) lines.set(key, new Set([line]));
      else set.add(line);
    }
  };
  for (const { place, text, within } of [...checks, ...criteria])
    add("check", within.phase === undefined ? undefined : phaseOf.get(within.phase), text, place.line);
  for (const step of steps) {
    const phase = step.within.phase === undefined ? undefined : phaseOf.get(step.within.phase);
    for (const words of new Set([step.text, step.title, step.name]))
      add("step", phase, words, step.place.line);
  }
  for (const phase of phases) {
    for (const words of new Set([phase.name, phase.title])) add("phase", undefined, words, phase.place.line);
  }
  for (const unit of units) add("unit", undefined, unit.name, unit.place.line);
  return ({ role, phase, name, title }) => {
    const sort = ["entry", "way-back", "exit", "success"].includes(role) ? "check" : role;
    const bare = role === "step" ? name.slice(name.indexOf("/") + 1).replace(/@.*$/s, "") : name;
    for (const words of new Set([bare, title]))
      for (const home of [phase ?? "", "*"]) {
        const found = lines.get(`${sort}\n${home}\n${slug(words)}`);
        if (found?.size === 1) return [...found][0];
      }
    return undefined;
  };
}
