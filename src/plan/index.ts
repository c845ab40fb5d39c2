export {
  byHand,
  type ByHandOptions,
  commandCheck,
  commandGate,
  dataCheck,
  dataGate,
  type DataProbe,
  dataStep,
  type ProofCommand,
} from "./bound-evidence.ts";
export {
  mean,
  type MeanMeasure,
  type MeanOptions,
  type MeanSourceOptions,
  type MeanWorseOptions,
} from "./business-mean.ts";
export { command, type CommandOptions } from "./command.ts";
export type { CommandWords } from "./command-input.ts";
export {
  compile,
  type Compiled,
  type CompiledContingency,
  type CompiledPhase,
  type CompiledStep,
} from "./compile.ts";
export { allOf, anyOf, type ComposedCondition, type ComposeOptions } from "./composed-gate.ts";
export { defineMigration } from "./define-migration.ts";
export type {
  Approval,
  Check,
  CheckContext,
  CheckResult,
  Contingency,
  MigrationInput,
  Phase,
  PlanDocument,
  Risk,
  Step,
  Trigger,
  TriggerAction,
  TriggerCondition,
  UnitInput,
  WaveInput,
} from "./definition.ts";
export { type Difference, difference } from "./difference.ts";
export { dryRun } from "./dry-run.ts";
export type { Estimate } from "./estimate.ts";
export { planFaultPoints } from "./fault-points.ts";
export {
  type ComposedGate,
  type CustomGate,
  type GateSpec,
  gateToJson,
  type MeanAnswer,
  type MeanReader,
  type MeanWindow,
  type Measure,
  type MeasuredGate,
  measureToJson,
  type MetricGate,
  metricGates,
  readerText,
  type Rule,
  type SideValues,
  type Verdict,
} from "./gate-spec.ts";
export {
  type ComparedMeasure,
  type Condition,
  type LimitMeasure,
  type LimitOptions,
  memory,
  p50,
  p95,
  p99,
  rate,
  type RateMeasure,
  type TestOptions,
  value,
  type WorseOptions,
} from "./measures.ts";
export { isMigration, type Migration, type MigrationPhase, type Unit } from "./migration.ts";
export { check, gate, phase, type PhaseBody } from "./phase.ts";
export { markPlace } from "./place.ts";
export type { PlanFailure, PlannedPhase, PlannedStep, PlannedUnproven, PlanReport } from "./plan-report.ts";
export type { Problem } from "./problem.ts";
export { gateProblems } from "./read-gates.ts";
export {
  backlog,
  type BacklogMeasure,
  type BacklogOptions,
  coverage,
  type CoverageOptions,
  split,
  type SplitMeasure,
  type SplitOptions,
} from "./route-proofs.ts";
export {
  behindSchedule,
  type BehindScheduleCondition,
  failuresInARow,
  growth,
  type GrowthCondition,
  type ManualCondition,
  type RunCondition,
  throughput,
  type ThroughputCondition,
  type ThroughputOptions,
  unitsFailed,
  type UnitsFailedCondition,
} from "./run-conditions.ts";
export type {
  Question,
  RouteControl,
  StepContext,
  StepKind,
  StepOutcome,
  StepPlan,
  StepProblem,
  StepProgress,
} from "./step-kind.ts";
export { type CommandOutcome, type CommandRun, runCommand } from "./run-command.ts";
export { step, type TaskOptions } from "./task.ts";
export { from } from "./origin.ts";
export { type EvidenceSort, isUnproven, unproven, type Unproven, type UnprovenOptions } from "./unproven.ts";
export { contingency, contingencyOf, manual, type ManualOptions, type ThenOptions, when } from "./when.ts";
