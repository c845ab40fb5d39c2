import type { JsonObject } from "../core/index.ts";
import type { Check, CheckContext, CheckResult, Phase } from "./definition.ts";
import type { CustomGate, Verdict } from "./gate-spec.ts";
import { from as comesFrom } from "./origin.ts";
import { markPlace } from "./place.ts";

/**
 * An ordered stretch of a migration. Steps run in the order they are listed unless `after` says otherwise;
 * phases likewise.
 *
 * ```ts
 * phase("move", { steps: [copyOrders, verifyOrders], exit: [rate.error().below(0.01)] })
 * ```
 */
export function phase(name: string, body: PhaseBody): Phase {
  const { from, ...members } = body;
  const made = markPlace({ steps: [], ...members, name }, phase);
  return from === undefined ? made : comesFrom(from, made);
}

/** A phase without its name; one that only checks, judges or asks for approval needs no steps. */
export type PhaseBody = Omit<Phase, "name" | "steps"> &
  Partial<Pick<Phase, "steps">> & {
    /** Line of the written plan that asks for it: `PLAN.md:31`. */
    readonly from?: string;
  };

/**
 * A question the tool answers itself, for `entry` and `wayBack`. `run` looks, touches nothing, and answers with
 * `{ ok, note, facts? }`; the answer is stored as evidence. A throw counts as "no" with its message as note.
 */
export function check(
  name: string,
  run: (context: CheckContext) => Promise<CheckResult> | CheckResult,
): Check {
  return { name, run };
}

/**
 * A gate of one's own. `collect` gathers evidence, which is stored; `judge` is a pure function from that evidence
 * to pass, fail or hold, so that a verdict can be repeated from the record. It answers with
 * `{ kind: "pass" | "fail" | "hold", reason }`: only that passes; any other answer, a throw, and none within 10 s hold.
 */
export function gate(
  name: string,
  parts: {
    readonly collect: (context: {
      readonly signal: AbortSignal;
      readonly runId: string;
    }) => Promise<JsonObject> | JsonObject;
    readonly judge: (evidence: JsonObject) => Verdict;
  },
): CustomGate {
  return { type: "custom", name, collect: parts.collect, judge: parts.judge };
}
