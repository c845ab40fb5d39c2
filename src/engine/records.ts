import { canonicalJson, type JsonObject, sha256 } from "../core/index.ts";
import type { Verdict } from "../plan/index.ts";
import type { RunEvent } from "../store/index.ts";
import { recordable } from "./json-value.ts";
import type { RunMemory, VerdictMemory } from "./run-memory.ts";

type Role = Extract<RunEvent, { readonly type: "verdict.given" }>["data"]["role"];

interface Place {
  readonly phase?: string | undefined;
  readonly step?: string | undefined;
}

/** Evidence as an event, under the hash of its content; no event when the run holds the same already. */
export function evidenceEvents(
  memory: RunMemory,
  name: string,
  data: JsonObject,
  place: Place = {},
): { readonly id: string; readonly events: readonly RunEvent[] } {
  const clean = recordable(data, `evidence "${name}"`) as JsonObject;
  const { phase, step } = place;
  const id = sha256(canonicalJson({ run: memory.id, name, phase, step, data: clean }));
  if (memory.evidence.has(id)) return { id, events: [] };
  const where = { ...(phase === undefined ? {} : { phase }), ...(step === undefined ? {} : { step }) };
  return { id, events: [{ type: "evidence.recorded", data: { id, name, ...where, data: clean } }] };
}

/**
 * A verdict as events, its evidence first. A gate may be looked at many times a second; what is recorded is the
 * first verdict and every one of another kind than the one before, so the record holds each change and its reason.
 */
export function verdictEvents(
  memory: RunMemory,
  given: Place & {
    readonly gate: string;
    readonly role: Role;
    readonly verdict: Verdict;
    readonly evidence: JsonObject;
  },
): readonly RunEvent[] {
  const { gate, role, verdict, phase, step } = given;
  const known = lastVerdict(memory, given);
  if (known?.verdict === verdict.kind) return [];
  const evidence = evidenceEvents(memory, gate, given.evidence, { phase, step });
  const figures =
    verdict.figures === undefined ? {} : { figures: recordable(verdict.figures, "figures") as JsonObject };
  const where = { ...(phase === undefined ? {} : { phase }), ...(step === undefined ? {} : { step }) };
  return [
    ...evidence.events,
    {
      type: "verdict.given",
      data: {
        gate,
        role,
        ...where,
        verdict: verdict.kind,
        reason: verdict.reason,
        ...figures,
        evidence: [evidence.id],
      },
    },
  ];
}

export function lastVerdict(
  memory: RunMemory,
  of: Place & { readonly gate: string; readonly role: string },
): VerdictMemory | undefined {
  const { gate, role, phase = null, step = null } = of;
  return memory.verdict({ gate, role, phase, step });
}
