import { CutoverError } from "../core/index.ts";
import { type Compiled, type GateSpec, metricGates } from "../plan/index.ts";

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
  for (const { measure } of allGates(compiled).flatMap(metricGates))
    if ("route" in measure && measure.route !== undefined) routes.add(measure.route);
  for (const { condition } of compiled.triggers)
    if (condition.type === "run" && condition.of === "throughput" && condition.route !== undefined)
      routes.add(condition.route);
  return routes;
}

/** Routes whose coverage a gate asks for: what applications declare about them is part of the evidence. */
export function coveredRoutes(compiled: Compiled): readonly string[] {
  const routes = allGates(compiled)
    .flatMap(metricGates)
    .flatMap(({ measure }) => (measure.of === "coverage" ? [measure.route] : []));
  return [...new Set(routes)];
}

/** @throws CUTOVER_PLAN_INVALID when memory is measured and nobody reads it: such a gate would hold for ever. */
export function requireReaders(compiled: Compiled, readsMemory: boolean): void {
  if (readsMemory) return;
  const blind = allGates(compiled)
    .flatMap(metricGates)
    .find(({ measure }) => measure.of === "memory");
  if (blind === undefined) return;
  throw new CutoverError("CUTOVER_PLAN_INVALID", {
    message: `expected a reader of memory for "${blind.name}", found none in this engine`,
    remedy: "give createEngine a `readMemory`, or measure something else",
  });
}
