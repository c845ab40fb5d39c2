import { asError } from "../core/index.ts";
import type { GateSpec, ThroughputCondition } from "../plan/index.ts";
import { type Judgement, Judges, type Look } from "./judges.ts";
import type { JudgeSources } from "./metric-judge.ts";
import { ThroughputJudge } from "./throughput-judge.ts";

/** Judges gates and throughput exactly as a run does, for those who have measurements and no run. */
export interface GateJudges {
  evaluate(condition: GateSpec | ThroughputCondition, look: Look): Promise<Judgement>;
}

/** Loads the statistics first, so that a judgement waits for nothing but its measurements. */
export async function createJudges(sources: JudgeSources): Promise<GateJudges> {
  await import("./measured-judge.ts");
  const judges = new Judges(sources);
  const flows = new Map<string, ThroughputJudge>();
  return {
    async evaluate(condition, look) {
      if (condition.type !== "run") return await judges.evaluate(condition, look);
      let judge = flows.get(look.key);
      if (judge?.since !== look.since) {
        judge = new ThroughputJudge(sources, condition, look.since);
        flows.set(look.key, judge);
      }
      try {
        return await judge.look();
      } catch (thrown) {
        const reason = `${condition.name} cannot be measured: ${asError(thrown).message}`;
        return { verdict: { kind: "hold", reason }, evidence: { unavailable: reason } };
      }
    },
  };
}
