import type { RunRecord } from "../store/index.ts";
import type { IncidentView, NextCommand, PhaseView, WantedApproval } from "./run-view.ts";

/** What a person can do about a run now, as text and as the command that does it. */
export function nextCommand(
  run: RunRecord,
  phases: readonly PhaseView[],
  wanted: readonly WantedApproval[],
  incidents: readonly IncidentView[],
): NextCommand {
  const approval = wanted.find((each) => each.given.length < each.needed);
  switch (run.state) {
    case "RUNNING":
      if (approval !== undefined)
        return { text: "look at the evidence, then approve", command: approval.command };
      if (run.owner === null)
        return { text: "no process carries it; go on", command: `cutover resume ${run.id}` };
      return { text: "look on", command: `cutover watch ${run.id}` };
    case "HOLDING":
      if (approval !== undefined)
        return { text: "look at the evidence, then approve", command: approval.command };
      return (
        settling(phases) ?? {
          text: "mend what it waits for, then go on",
          command: `cutover resume ${run.id}`,
        }
      );
    case "PAUSED":
      return { text: "go on", command: `cutover continue ${run.id}` };
    case "ROLLING_BACK":
      if (run.owner === null) return { text: "finish the way back", command: `cutover resume ${run.id}` };
      return { text: "look on", command: `cutover watch ${run.id}` };
    case "ROLLBACK_STUCK": {
      const incident = incidents.at(-1);
      return {
        text: `mend what stopped the way back${incident === undefined ? "" : ` (incident ${incident.id})`}, then`,
        command: `cutover rollback ${run.id} --reason "tried again"`,
      };
    }
    case "ROLLED_BACK": {
      const first = phases.find((phase) => phase.state === "ROLLED_BACK");
      const from = first === undefined || first === phases[0] ? "" : ` --from ${first.name}`;
      return { text: "mend the cause, then", command: `cutover run ${run.source}${from}` };
    }
    case "COMPLETED":
      return { text: "read the report", command: `cutover report ${run.id}` };
  }
}

/** A step of which only a person can say how it stands: a command to be read first, or an outcome that a crash left open. */
function settling(phases: readonly PhaseView[]): NextCommand | undefined {
  const step = phases
    .flatMap(({ steps }) => steps)
    .find(({ state, error }) => state === "UNKNOWN" && error?.code !== "CUTOVER_STEP_UNPROVEN");
  if (step === undefined) return undefined;
  return step.error?.code === "CUTOVER_STEP_REVIEW"
    ? {
        text: "read that command; to let it run",
        command: `cutover settle ${step.id} not-done --reason "…"`,
      }
    : {
        text: "look whether it took effect, and say done or not-done",
        command: `cutover settle ${step.id} done --reason "…"`,
      };
}
