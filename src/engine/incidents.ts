import { type JsonObject, type RandomBytes, shortId } from "../core/index.ts";
import type { RunEvent } from "../store/index.ts";
import type { Holds } from "./holds.ts";
import { recordable } from "./json-value.ts";
import { rollbackScope } from "./rollback-policy.ts";
import type { RunMemory } from "./run-memory.ts";
import { runTransition } from "./transitions.ts";

export interface IncidentCause {
  readonly cause: Extract<RunEvent, { readonly type: "incident.opened" }>["data"]["cause"];
  /** One line for people: what happened. */
  readonly summary: string;
  readonly seen: JsonObject;
  /** The person who asked for it, if one did. */
  readonly by?: string;
}

export interface Standing {
  readonly memory: RunMemory;
  readonly holds: Holds;
  /** Phases in the order they run. */
  readonly order: readonly { readonly name: string; readonly forwardOnly: boolean }[];
  readonly random: RandomBytes;
}

/** Key of the hold of a run that cannot go back. */
export const noWayBack = "no-way-back";

/**
 * An incident and what follows from it: the rollback, or, where a forward-only phase has begun and nothing newer
 * could be undone, a hold with the routes left as they are.
 */
export function rollbackEvents(standing: Standing, cause: IncidentCause): readonly RunEvent[] {
  const { memory, holds, order, random } = standing;
  const { phases, barredBy } = rollbackScope(order, memory);
  const opened = incidentOpened(random, cause);
  if (barredBy === undefined || phases.length > 0) {
    const by = cause.by === undefined ? {} : { by: cause.by };
    return [opened, runTransition(memory, "roll-back", { reason: cause.summary, ...by })];
  }
  holds.set(noWayBack, barredReason(barredBy, cause.summary));
  // A paused run stays paused: it holds for the same reason once somebody continues it.
  return [opened, ...holds.events(memory)];
}

export function incidentOpened(random: RandomBytes, { cause, summary, seen }: IncidentCause): RunEvent {
  const clean = recordable(seen, "what was seen") as JsonObject;
  return { type: "incident.opened", data: { id: shortId("i", 6, random), cause, summary, seen: clean } };
}

export const barredReason = (phase: string, summary: string): string =>
  `${summary}; no way back: the forward-only phase "${phase}" has begun. ` +
  "Mend the cause and continue; routes stay as they are";
