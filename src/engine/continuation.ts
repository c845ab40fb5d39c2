import type { RunMemory } from "./run-memory.ts";

/** Name of the evidence that somebody continued the run: gates and triggers that had failed start anew there. */
export const continuedEvidence = "person.continued";

/** When somebody last continued a run that held or was paused by a trigger; wall-clock ms. */
export function continuedAt(memory: RunMemory): number | undefined {
  const at = memory.newestEvidence(continuedEvidence)?.data["at"];
  return typeof at === "number" ? at : undefined;
}

/** How a gate or trigger is named in the list of those armed anew. */
export const rearmName = (role: "trigger" | "exit", gate: string): string => `${role}:${gate}`;

/**
 * When a person who continued last armed this gate or trigger anew, because it had failed; undefined when nobody
 * did. Its evidence starts there: what led to the failure was seen and answered for.
 */
export function rearmedAt(memory: RunMemory, name: string): number | undefined {
  let newest: number | undefined;
  for (const record of memory.evidence.values()) {
    if (record.name !== continuedEvidence) continue;
    const { at, rearmed } = record.data;
    if (typeof at !== "number" || !Array.isArray(rearmed) || !rearmed.includes(name)) continue;
    newest = Math.max(newest ?? at, at);
  }
  return newest;
}
