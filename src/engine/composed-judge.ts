import type { JsonObject } from "../core/index.ts";
import { allOf, anyOf, type Composition, type Part, type PartMakers } from "../gates/index.ts";
import type { ComposedGate, MeasuredGate } from "../plan/index.ts";
import type { Judgement } from "./judges.ts";
import type { MeasuredJudge } from "./measured-judge.ts";

interface Errors {
  readonly alpha: number;
  readonly beta: number;
}

/** One part with its own judge, and what that said last. */
class JudgedPart implements Part {
  readonly name: string;
  readonly judge: MeasuredJudge;
  last: Judgement = { verdict: { kind: "hold", reason: "not looked at yet" }, evidence: {} };

  constructor(name: string, judge: MeasuredJudge) {
    this.name = name;
    this.judge = judge;
  }

  verdict(): Judgement["verdict"] {
    return this.last.verdict;
  }
}

/**
 * Several gates as one: each part is judged with its share of the error rates, and the parts' verdicts are joined as the
 * room of gates joins them (`each`, since parts look at the same calls).
 */
export class ComposedJudge implements MeasuredJudge {
  readonly since: number;
  readonly #parts: JudgedPart[] = [];
  readonly #composition: Composition<PartMakers>;

  constructor(gate: ComposedGate, since: number, judgeOf: (part: MeasuredGate) => MeasuredJudge) {
    this.since = since;
    const { parts, weights, alpha, beta, join } = gate;
    const makers = parts.map((part) => {
      const make = (share: Errors): JudgedPart => {
        const judged = new JudgedPart(part.name, judgeOf(withErrors(part, share)));
        this.#parts.push(judged);
        return judged;
      };
      return [part.name, make] as const;
    });
    const named = weights && Object.fromEntries(parts.map(({ name }, i) => [name, weights[i] ?? 1]));
    const options = { alpha, beta, ...(named === undefined ? {} : { weights: named }) };
    this.#composition = (join === "all" ? allOf : anyOf)(options, Object.fromEntries(makers));
  }

  async look(signal: AbortSignal): Promise<Judgement> {
    for (const part of this.#parts) part.last = await part.judge.look(signal);
    const { kind, reason, e, ePass, needed, p, pPass, allowed, parts, waitMs } = this.#composition.verdict();
    const figures: JsonObject = {
      e,
      ePass,
      needed: { ...needed },
      p,
      pPass,
      allowed: { ...allowed },
      parts: this.#parts.map(({ name, last: { verdict } }) => ({
        name,
        verdict: verdict.kind,
        reason: verdict.reason,
        allowed: { ...parts[name]?.allowed },
        weight: parts[name]?.weight ?? 0,
      })),
    };
    return {
      verdict: { kind, reason, figures, ...(waitMs === undefined ? {} : { waitMs }) },
      evidence: {
        since: this.since,
        figures,
        parts: Object.fromEntries(this.#parts.map(({ name, last }) => [name, last.evidence])),
      },
    };
  }
}

/** Coverage, backlogs and plain limits have no error rates: they take none. */
function withErrors(part: MeasuredGate, { alpha, beta }: Errors): MeasuredGate {
  if (part.type === "composed") return { ...part, alpha, beta };
  return "alpha" in part.rule ? { ...part, rule: { ...part.rule, alpha, beta } } : part;
}
