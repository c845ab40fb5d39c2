import type { MeasuredGate } from "../plan/index.ts";
import { ComposedJudge } from "./composed-judge.ts";
import type { Judgement } from "./judges.ts";
import { MetricJudge, type JudgeSources } from "./metric-judge.ts";

/** Judges one gate on what the store and its sources say since `since`, look by look. */
export interface MeasuredJudge {
  readonly since: number;
  look(signal: AbortSignal): Promise<Judgement>;
}

export function measuredJudge(sources: JudgeSources, gate: MeasuredGate, since: number): MeasuredJudge {
  if (gate.type === "metric") return new MetricJudge(sources, gate, since);
  return new ComposedJudge(gate, since, (part) => measuredJudge(sources, part, since));
}
