import { CutoverError } from "../core/index.ts";
import type { Compiled, GateSpec } from "../plan/index.ts";

function allGates({ migration, phases, triggers, success }: Compiled): readonly GateSpec[] {
  return [
    ...triggers.flatMap(({ condition }) =>
      condition.type === "manual" || condition.type === "run" ? [] : [condition],
    ),
    ...phases.flatMap(({ exit }) => exit),
    ...migration.waves.flatMap(({ exit }) => exit ?? []),
    ...success,
  ];
}

/** Routes that measures name; measures without a route add them up, together with those the run changes. */
export function measuredRoutes(compiled: Compiled): Set<string> {
  const routes = new Set<string>();
  for (const gate of allGates(compiled))
    if (gate.type === "metric" && "route" in gate.measure && gate.measure.route !== undefined)
      routes.add(gate.measure.route);
  for (const { condition } of compiled.triggers)
    if (condition.type === "run" && condition.of === "throughput" && condition.route !== undefined)
      routes.add(condition.route);
  return routes;
}

/** @throws CUTOVER_PLAN_INVALID when memory is measured and nobody reads it: such a gate would hold for ever. */
export function requireReaders(compiled: Compiled, readsMemory: boolean): void {
  if (readsMemory) return;
  const blind = allGates(compiled).find((gate) => gate.type === "metric" && gate.measure.of === "memory");
  if (blind === undefined) return;
  throw new CutoverError("CUTOVER_PLAN_INVALID", {
    message: `expected a reader of memory for "${blind.name}", found none in this engine`,
    remedy: "give createEngine a `readMemory`, or measure something else",
  });
}
