import { asError, canonicalJson, type JsonObject } from "../core/index.ts";
import {
  type CustomGate,
  type GateSpec,
  gateToJson,
  type MeasuredGate,
  type Verdict,
} from "../plan/index.ts";
import { answeredWithin } from "./answered-within.ts";
import { givenVerdict, undecided } from "./given-verdict.ts";
import { recordable } from "./json-value.ts";
import type { MeasuredJudge } from "./measured-judge.ts";
import type { JudgeSources } from "./metric-judge.ts";
import { OpenQuestion } from "./open-question.ts";

export interface Judgement {
  readonly verdict: Verdict;
  /** What it rests on, to be stored before the verdict. */
  readonly evidence: JsonObject;
}

export interface Look {
  /** Who asks: the evidence gathered so far is kept under it. */
  readonly key: string;
  /** Evidence starts here, wall-clock ms. Another start than last time begins anew. */
  readonly since: number;
  readonly signal: AbortSignal;
}

/** A gate of one's own is asked at most once a second while it holds, and every 10 s once it has decided. */
const customPace = { hold: 1_000, decided: 10_000, longest: 60_000 } as const;

/** Evidence may take as long as a check; a look that has waited so long holds and lets patience count, milliseconds. */
const longestCollect = 600_000;
/** A judge looks at evidence that is there; one that is silent for so long has given no verdict, milliseconds. */
const longestJudge = 10_000;

/**
 * Judges gates against what the store holds, incrementally: a look costs the intervals that are new since the last
 * one. Who asks about the same gate for another reason has evidence of their own.
 */
export class Judges {
  readonly #sources: JudgeSources;
  readonly #metrics = new Map<string, { readonly gate: MeasuredGate; readonly judge: MeasuredJudge }>();
  readonly #customs = new Map<
    string,
    { readonly since: number; readonly due: number; readonly last: Judgement }
  >();

  readonly #questions = new Map<string, OpenQuestion<unknown>>();

  constructor(sources: JudgeSources) {
    this.#sources = sources;
  }

  /** The run changes this route, so measures without a route count it from now on. */
  touch(route: string): void {
    this.#sources.touched.add(route);
  }

  get touched(): ReadonlySet<string> {
    return this.#sources.touched;
  }

  async evaluate(gate: GateSpec, look: Look): Promise<Judgement> {
    return gate.type === "custom" ? await this.#custom(gate, look) : await this.#measured(gate, look);
  }

  async #measured(gate: MeasuredGate, look: Look): Promise<Judgement> {
    let known = this.#metrics.get(look.key);
    if (known === undefined || !sameGate(known.gate, gate) || known.judge.since !== look.since) {
      // Loaded with the first of them: the statistics are a quarter of what a start would have to read.
      const { measuredJudge } = await import("./measured-judge.ts");
      known = { gate, judge: measuredJudge(this.#sources, gate, look.since) };
      this.#metrics.set(look.key, known);
    }
    return await known.judge.look(look.signal);
  }

  async #custom(gate: CustomGate, { key, since, signal }: Look): Promise<Judgement> {
    const now = this.#sources.clock.monotonic();
    const known = this.#customs.get(key);
    if (known !== undefined && known.since === since && now < known.due) return known.last;
    const last = await this.#collect(gate, key, signal);
    const { kind, waitMs } = last.verdict;
    const pace = kind === "hold" ? Math.max(customPace.hold, (waitMs ?? 0) / 10) : customPace.decided;
    const due = this.#sources.clock.monotonic() + Math.min(pace, customPace.longest);
    this.#customs.set(key, { since, due, last });
    return last;
  }

  async #collect(gate: CustomGate, key: string, outer: AbortSignal): Promise<Judgement> {
    const { clock, runId } = this.#sources;
    const question = this.#questions.get(key) ?? new OpenQuestion<unknown>(clock, longestCollect);
    this.#questions.set(key, question);
    let evidence: JsonObject;
    try {
      const collected = await question.answer(outer, (signal) => gate.collect({ signal, runId }));
      evidence = recordable(collected, `the evidence of gate "${gate.name}"`) as JsonObject;
    } catch (thrown) {
      if (outer.aborted) throw thrown;
      // No evidence is no verdict: it holds, visibly, instead of rolling back because a look failed.
      const message = asError(thrown).message;
      return {
        verdict: { kind: "hold", reason: `its evidence cannot be gathered: ${message}` },
        evidence: { unavailable: message },
      };
    }
    try {
      const limits = { clock, limitMs: longestJudge, signal: outer };
      // Plain JavaScript may judge in an async function, whatever the type says: what it resolves to is the answer.
      const answer = new Promise<unknown>((resolve) => resolve(gate.judge(evidence)));
      return { verdict: givenVerdict(await answeredWithin(limits, answer)), evidence };
    } catch (thrown) {
      if (outer.aborted) throw thrown;
      return { verdict: undecided(thrown), evidence };
    }
  }
}

/** A step kind may build its gate anew at each look: what it says counts, not which object says it. */
const sameGate = (a: MeasuredGate, b: MeasuredGate): boolean =>
  a === b || canonicalJson(gateToJson(a)) === canonicalJson(gateToJson(b));
