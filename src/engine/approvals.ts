import { type JsonObject, personKey } from "../core/index.ts";
import type { RunEvent } from "../store/index.ts";
import { evidenceEvents } from "./records.ts";
import type { RunMemory } from "./run-memory.ts";

/** Name of the evidence that says what an approval of a phase is about; its id is what approvals are bound to. */
const approvalBasis = "approval-basis";

/**
 * Everything an approver sees of a phase, as JSON: the definition, its evidence, the newest verdict of each gate, and which
 * triggers have fired and when. That one fires is news for an approver; that it recovers, or fires again meanwhile, is none.
 */
function basisOf(memory: RunMemory, phase: string): JsonObject {
  const evidence: string[] = [];
  for (const [id, record] of memory.evidence)
    if (record.phase === phase && record.name !== approvalBasis) evidence.push(id);
  const verdicts: JsonObject[] = [];
  for (const { gate, role, step, verdict, phase: of, evidence: rests } of memory.verdicts()) {
    if (role === "trigger" || of !== phase) continue;
    verdicts.push({ gate, role, step, verdict, evidence: rests });
  }
  const fired = [...memory.fired].map(([trigger, { since }]) => ({ trigger, since }));
  const basis = { phase, definition: memory.hash, evidence: evidence.toSorted(), verdicts };
  return fired.length === 0 ? basis : { ...basis, fired };
}

/**
 * Brings the basis of a phase's approvals up to date: records it when it changed, and lets every approval of
 * another basis lapse. `id` is what an approval given now is bound to.
 */
export function refreshBasis(
  memory: RunMemory,
  phase: string,
): { readonly id: string; readonly events: readonly RunEvent[] } {
  const { id, events } = evidenceEvents(memory, approvalBasis, basisOf(memory, phase), { phase });
  const lapsed = memory.approvals
    .filter((approval) => approval.phase === phase && !approval.lapsed && approval.evidence !== id)
    .map(({ by, evidence }): RunEvent => ({ type: "approval.lapsed", data: { phase, by, evidence } }));
  return { id, events: [...events, ...lapsed] };
}

/** People whose approval of exactly this basis stands, by `personKey`: another spelling is no other person. */
export function approvers(memory: RunMemory, phase: string, basis: string): ReadonlySet<string> {
  return new Set(
    memory.approvals
      .filter((approval) => approval.phase === phase && !approval.lapsed && approval.evidence === basis)
      .map(({ by }) => personKey(by)),
  );
}
