import type { ApprovalRecord, EvidenceRecord, RunRecord } from "../store/index.ts";
import type { PhaseView, WantedApproval } from "./run-view.ts";

/** Name of the evidence an approval is bound to: what the engine records of everything an approver sees. Persisted. */
const approvalBasis = "approval-basis";

/** Approvals that a run waits for now, with the hash of the evidence they would be bound to. */
export function wantedApprovals(
  run: RunRecord,
  phases: readonly PhaseView[],
  approvals: readonly ApprovalRecord[],
  evidence: readonly EvidenceRecord[],
): readonly WantedApproval[] {
  return phases
    .filter((phase) => phase.state === "AWAITING_APPROVAL")
    .map((phase) => ({
      phase: phase.name,
      needed: phase.approvals,
      from: phase.approvers,
      given: approvals.filter((each) => each.phase === phase.name && !each.lapsed).map(({ by }) => by),
      evidence:
        evidence.findLast((each) => each.name === approvalBasis && each.phase === phase.name)?.id ?? null,
      command: `cutover approve ${run.id} --phase ${phase.name} --reason "…"`,
    }));
}
