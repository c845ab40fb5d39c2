import type { StepOutcome } from "../plan/index.ts";
import { shown } from "./shown.ts";

const shape =
  '{ kind: "done", result }, { kind: "not-done" } or { kind: "unknown", reason: text } (true or false from a step\'s own `verify`)';
const codes: readonly unknown[] = ["CUTOVER_STEP_UNPROVEN", "CUTOVER_STEP_REVIEW", undefined];

/** What a step's `verify` answered. An answer of another shape, and none, tells nobody anything: `unknown`. */
export function givenOutcome(answer: unknown): StepOutcome {
  const given = (typeof answer === "object" && answer !== null ? answer : {}) as Partial<
    Record<"kind" | "result" | "reason" | "code", unknown>
  >;
  switch (given.kind) {
    case "done":
    case "not-done":
      return answer as StepOutcome;
    case "unknown":
      if (typeof given.reason === "string" && codes.includes(given.code)) return answer as StepOutcome;
  }
  return { kind: "unknown", reason: `its check failed: expected ${shape}, found ${shown(answer)}` };
}
