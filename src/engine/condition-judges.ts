import { asError, formatDuration, type JsonObject } from "../core/index.ts";
import type {
  BehindScheduleCondition,
  GateSpec,
  RunCondition,
  TriggerCondition,
  UnitsFailedCondition,
  Verdict,
} from "../plan/index.ts";
import type { Graph } from "./desk.ts";
import { GrowthJudge } from "./growth-judge.ts";
import type { Judgement, Judges, Look } from "./judges.ts";
import type { MetricSources } from "./metric-judge.ts";
import type { RunMemory } from "./run-memory.ts";
import { scheduleLag } from "./schedule-lag.ts";
import { ThroughputJudge } from "./throughput-judge.ts";

type Measured = GrowthJudge | ThroughputJudge;

/** Judges what triggers look at: gates as everybody else's, and the conditions of a run by its own record. */
export class ConditionJudges {
  readonly #judges: Judges;
  readonly #sources: MetricSources;
  readonly #memory: RunMemory;
  readonly #graph: Graph;
  readonly #measured = new Map<string, Measured>();

  constructor(parts: {
    readonly judges: Judges;
    readonly sources: MetricSources;
    readonly memory: RunMemory;
    readonly graph: Graph;
  }) {
    this.#judges = parts.judges;
    this.#sources = parts.sources;
    this.#memory = parts.memory;
    this.#graph = parts.graph;
  }

  async evaluate(condition: Exclude<TriggerCondition, { type: "manual" }>, look: Look): Promise<Judgement> {
    if (condition.type !== "run") return await this.#judges.evaluate(condition as GateSpec, look);
    switch (condition.of) {
      case "units-failed":
        return this.#unitsFailed(condition);
      case "behind-schedule":
        return this.#behindSchedule(condition);
      case "growth":
      case "throughput":
        try {
          return await this.#judgeOf(condition, look).look();
        } catch (thrown) {
          // A figure that cannot be read is no verdict: it holds, visibly.
          const reason = `${condition.name} cannot be measured: ${asError(thrown).message}`;
          return { verdict: { kind: "hold", reason }, evidence: { unavailable: reason } };
        }
    }
  }

  #judgeOf(condition: Extract<RunCondition, { of: "growth" | "throughput" }>, look: Look): Measured {
    const known = this.#measured.get(look.key);
    if (known?.since === look.since) return known;
    const made =
      condition.of === "growth"
        ? new GrowthJudge(this.#sources, condition, look.since)
        : new ThroughputJudge(this.#sources, condition, look.since);
    this.#measured.set(look.key, made);
    return made;
  }

  #unitsFailed({ name, limit }: UnitsFailedCondition): Judgement {
    const failed = new Set<string>();
    for (const id of this.#memory.failing) {
      const unit = this.#graph.step.get(id)?.unit;
      if (unit !== undefined) failed.add(unit);
    }
    const units = [...failed].toSorted();
    const reason = units.length === 0 ? "no unit has failed" : `${units.length} failed: ${units.join(", ")}`;
    return judged(name, units.length > limit, reason, { failed: units, limit });
  }

  #behindSchedule({ name, limitMs }: BehindScheduleCondition): Judgement {
    const { clock } = this.#sources;
    const lag = scheduleLag(this.#graph.compiled, this.#memory, clock.now());
    const part = `${Math.round(lag.done * 100)} % done`;
    const reason =
      lag.behindMs > 0 ? `${formatDuration(lag.behindMs)} behind, ${part}` : `not behind, ${part}`;
    return judged(name, lag.behindMs > limitMs, reason, { ...lag, limitMs });
  }
}

function judged(name: string, bad: boolean, reason: string, evidence: JsonObject): Judgement {
  const kind: Verdict["kind"] = bad ? "fail" : "pass";
  return { verdict: { kind, reason, figures: evidence }, evidence: { condition: name, ...evidence } };
}
