export type { RunOutcome } from "./carrier.ts";
export {
  createEngine,
  type Engine,
  type EngineOptions,
  type ResumeOptions,
  type StartOptions,
} from "./engine.ts";
export { askDecision, type Decision } from "./decisions.ts";
export { engineFaultPoints } from "./fault-points.ts";
export { createJudges, type GateJudges } from "./gate-judges.ts";
export type { Judgement, Look } from "./judges.ts";
export type { LiveVerdict, LiveView } from "./live.ts";
export type { JudgeSources, MeasuredStore } from "./metric-judge.ts";
export {
  type ActOptions,
  approveRecorded,
  continueRecorded,
  liftRecorded,
  pauseRecorded,
  type RecordParts,
  rollbackRecorded,
  settleRecorded,
  triggerRecorded,
} from "./recorded.ts";
export type { RunHandle, RunView } from "./run-handle.ts";
export {
  finalRunStates,
  legalEvents,
  type PhaseEventName,
  phaseTable,
  type RunEventName,
  runTable,
  type StateTable,
  type StepEventName,
  stepTable,
  unfinishedRunStates,
} from "./state-tables.ts";
export { type RouteSteps, type Withdrawal, withdrawRecorded } from "./withdrawal.ts";
