import type { Compiled } from "../plan/index.ts";
import type { RunMemory } from "./run-memory.ts";

interface ScheduleLag {
  /** Part of the work that is done, 0 … 1. */
  readonly done: number;
  /** How long ago that part should have been done, milliseconds; negative while the run is ahead. */
  readonly behindMs: number;
}

const dayMs = 86_400_000;

/**
 * How far a run is behind a schedule over which its work spreads evenly: the time since the moment at which the
 * schedule has as much done as the run has now. A date without a time means its first moment as the start and its last
 * as the end. Without an end nothing is ever late.
 */
export function scheduleLag(
  { migration, steps }: Pick<Compiled, "migration" | "steps">,
  memory: Pick<RunMemory, "createdAt" | "step">,
  now: number,
): ScheduleLag {
  const units = new Map(migration.units.map(({ name, effortMs }) => [name, effortMs]));
  const inUnit = new Map<string, number>();
  for (const { unit } of steps) if (unit !== undefined) inUnit.set(unit, (inUnit.get(unit) ?? 0) + 1);
  const weighed = inUnit.size > 0 && [...inUnit.keys()].every((unit) => (units.get(unit) ?? 0) > 0);
  let all = 0;
  let over = 0;
  for (const { id, unit } of steps) {
    // Steps of no unit take no time worth counting where the others say how long they take.
    const weight = !weighed ? 1 : unit === undefined ? 0 : (units.get(unit) ?? 0) / (inUnit.get(unit) ?? 1);
    all += weight;
    if (memory.step(id).state === "DONE") over += weight;
  }
  const done = all === 0 ? 1 : over / all;
  const { start, end } = migration.schedule ?? {};
  if (end === undefined) return { done, behindMs: 0 };
  const from = start === undefined ? memory.createdAt : Date.parse(start);
  const to = Date.parse(end) + (end.length === "2026-03-01".length ? dayMs : 0);
  // Begun after its end, it is late by all the time since: there is no line to be on.
  const due = to <= from ? to : from + done * (to - from);
  return { done, behindMs: done === 1 ? 0 : Math.round(now - due) };
}
