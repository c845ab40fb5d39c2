import type { JsonObject } from "../core/index.ts";
import type { CompiledPhase } from "./compile.ts";
import type { Migration } from "./migration.ts";
import { originOf } from "./origin.ts";
import { unprovenIn } from "./task.ts";

/**
 * The document a definition was written from, and which of its lines asks for what, as the run records them: `{ document:
 * { file, hash } | null, origins: [{ role, phase, name, from }] }`. `role` is that of the item's verdicts, or `step` (the name is
 * the step's id), `phase`, `trigger`.
 */
export function originsOf({
  migration,
  phases,
}: {
  readonly migration: Migration;
  readonly phases: readonly CompiledPhase[];
}): JsonObject {
  const found: JsonObject[] = [];
  const add = (role: string, phase: string | null, name: string, place: string | undefined): void => {
    if (place !== undefined) found.push({ role, phase, name, from: place });
  };
  const readOf = new Map(migration.phases.map((phase) => [phase.name, phase]));
  for (const { name, entry, wayBack, exit, steps } of phases) {
    const read = readOf.get(name);
    if (read !== undefined) add("phase", name, name, originOf(read));
    for (const check of entry) add("entry", name, check.name, originOf(check));
    for (const check of wayBack) add("way-back", name, check.name, originOf(check));
    for (const step of steps) add("step", name, step.id, step.from ?? unprovenIn(step.kind)?.from);
    for (const gate of exit) add("exit", name, gate.name, originOf(gate));
  }
  for (const gate of migration.success) add("success", null, gate.name, originOf(gate));
  for (const trigger of migration.triggers) add("trigger", null, trigger.name, originOf(trigger));
  return { document: migration.document === undefined ? null : { ...migration.document }, origins: found };
}
