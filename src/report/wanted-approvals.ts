import type { ApprovalRecord, EvidenceRecord, RunRecord } from "../store/index.ts";
import type { PhaseView, WantedApproval } from "./run-view.ts";

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
      given: approvals
        .filter((approval) => approval.phase === phase.name && !approval.lapsed)
        .map((approval) => approval.by),
      evidence: evidence.findLast(({ phase: of }) => of === phase.name)?.id ?? null,
      command: `cutover approve ${run.id} --phase ${phase.name} --reason "…"`,
    }));
}
