import { asError, CutoverError, type JsonObject } from "../core/index.ts";
import type { Verdict } from "../plan/index.ts";
import { recordable } from "./json-value.ts";
import { shown } from "./shown.ts";

const kinds: readonly unknown[] = ["pass", "fail", "hold"] satisfies readonly Verdict["kind"][];
const shape = '{ kind: "pass", "fail" or "hold", reason: text }';

/**
 * A verdict as somebody's own judge gave it, with nothing in it but what a verdict has.
 * @throws CUTOVER_GATE_INPUT for an answer of another shape: whatever it was meant to say, it is no pass.
 */
export function givenVerdict(answer: unknown): Verdict {
  const { kind, reason, figures, waitMs } = isRecord(answer) ? answer : {};
  if (!kinds.includes(kind) || typeof reason !== "string") throw refused(shape, answer);
  if (figures !== undefined && !isRecord(figures)) throw refused("figures to be an object", figures);
  if (waitMs !== undefined && !(typeof waitMs === "number" && waitMs >= 0))
    throw refused("waitMs to be a number of milliseconds", waitMs);
  return {
    kind: kind as Verdict["kind"],
    reason,
    ...(figures === undefined ? {} : { figures: recordable(figures, "its figures") as JsonObject }),
    ...(waitMs === undefined ? {} : { waitMs }),
  };
}

/** The verdict where a judge gave none that counts. */
export const undecided = (thrown: unknown): Verdict => ({
  kind: "hold",
  reason: `it cannot judge its evidence: ${asError(thrown).message}`,
});

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const refused = (expected: string, found: unknown): CutoverError =>
  new CutoverError("CUTOVER_GATE_INPUT", { message: `expected ${expected}, found ${shown(found)}` });
