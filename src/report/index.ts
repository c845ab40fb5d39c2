export { buildRunView, RunViewer, type RunViewOptions } from "./run-viewer.ts";
export { change, count, latency, percent, perSecond, plural, sharePercent, timestamp } from "./figures.ts";
export {
  type CoverageLine,
  type DifferingField,
  routeCoverage,
  type RouteCoverage,
} from "./route-coverage.ts";
export { type PlanRecord, readPlanRecord } from "./plan-record.ts";
export { renderHtml } from "./render-html.ts";
export {
  auditLine,
  factLine,
  renderAside,
  renderIncident,
  renderMarkdown,
  type ReportExtras,
} from "./render-markdown.ts";
export type {
  ApprovalView,
  AsideItem,
  IncidentView,
  LiveProgress,
  LiveRun,
  LiveVerdict,
  NextCommand,
  OverrideView,
  PhaseView,
  ProgressView,
  RoutePoint,
  RouteView,
  RunSummary,
  RunView,
  SideFigures,
  StepView,
  TriggerView,
  UnitState,
  UnitView,
  VerdictView,
  WantedApproval,
} from "./run-view.ts";
export { loudUnits, unitCounts } from "./unit-view.ts";
export {
  actionWords,
  type Face,
  phaseFaces,
  runFaces,
  stepFaces,
  triggerState,
  unitFaces,
  verdictFaces,
} from "./words.ts";
export type { PlanItem, PlanItemState, PlanProof } from "../core/index.ts";
