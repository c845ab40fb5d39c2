import type {
  GateSpec,
  Measure,
  MetricGate,
  ThroughputCondition,
  Trigger,
  TriggerCondition,
} from "../plan/index.ts";
import { metricGates } from "../plan/index.ts";

/** What declared traffic says something about; the rest would have to be asked of the real world. */
const simulated: Readonly<Record<Measure["of"], boolean>> = {
  errors: true,
  mismatches: true,
  latency: true,
  split: true,
  memory: false,
  value: false,
  mean: false,
  coverage: false,
  backlog: false,
};

/** Whether a gate can be judged in a simulation. One of which a part cannot is left out whole. */
export const isPlayable = (gate: GateSpec): boolean =>
  gate.type !== "custom" && metricGates(gate).every(({ measure }) => simulated[measure.of]);

export type PlayedCondition = GateSpec | ThroughputCondition;

export const playedCondition = (condition: TriggerCondition): PlayedCondition | undefined => {
  if (condition.type === "manual") return undefined;
  if (condition.type === "run") return condition.of === "throughput" ? condition : undefined;
  return isPlayable(condition) ? condition : undefined;
};

export const isTimed = (gate: GateSpec): boolean =>
  metricGates(gate).some(({ measure }) => measure.of === "latency");

/** The shortest window that something judges by, milliseconds: stretches must not be longer. Infinite when none does. */
export function shortestWindow(conditions: readonly PlayedCondition[]): number {
  const windows = conditions.flatMap((condition) =>
    condition.type === "run" ? [condition.windowMs / 4] : metricGates(condition).flatMap(windowOf),
  );
  return Math.min(Number.POSITIVE_INFINITY, ...windows);
}

const windowOf = ({ rule }: MetricGate): readonly number[] =>
  rule.kind === "limit" ? [rule.intervalMs] : [];

/** Triggers that people fire are nobody's surprise: they are not told as left out. */
export const leftOutTriggers = (triggers: readonly Trigger[]): readonly string[] =>
  triggers
    .filter(({ condition }) => condition.type !== "manual" && playedCondition(condition) === undefined)
    .map(({ name }) => name);
