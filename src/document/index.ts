export { readDocument, readDocumentFile, type ReadOptions } from "./read-document.ts";
export { allFindings, type Finding, findingLists, type Inventory, type Lists } from "./inventory.ts";
export type { Claim, FindingBase, Level, Place, Sureness, Within } from "./finding.ts";
export type {
  CheckFinding,
  CommandFinding,
  ContingencyFinding,
  CriterionFinding,
  Danger,
  MappingFinding,
  OrderFinding,
  PhaseFinding,
  SectionFinding,
  SectionRole,
  StepFinding,
  UnitFinding,
  WaveFinding,
} from "./work-finding.ts";
export type {
  CalendarFinding,
  Comparison,
  DurationFinding,
  EffortFinding,
  PercentFinding,
  RampFinding,
  ThresholdFinding,
  TimeUnit,
  TotalFinding,
  TriggerFinding,
} from "./figure-finding.ts";
export type {
  ArtifactFinding,
  DefectFinding,
  LinkFinding,
  LiteralEntry,
  LiteralFinding,
  NoteFinding,
  ReportFinding,
  RiskFinding,
  RoleFinding,
  RowFinding,
  Unplaced,
} from "./matter-finding.ts";
export { gatherFacts, type Gathered, type GatherOptions } from "./lint/gather-facts.ts";
export { lintDocument } from "./lint/lint-document.ts";
export type { FoundValue, FoundValues, LintFacts } from "./lint/facts.ts";
export {
  type LintFinding,
  type LintPlace,
  type LintRule,
  lintRules,
  type LintSeverity,
} from "./lint/finding.ts";
export { toSarif } from "./lint/sarif.ts";
export { type Scan, scanFolder } from "./against/scan-folder.ts";
export { writeDefinition, type WriteOptions } from "./write-definition.ts";
export { bindClaim, type Bound, type Evidence } from "./bind-definition.ts";
export type { ClaimRole, WrittenClaim } from "./bind-claims.ts";
export { type DiffLine, lineDifference } from "./merge-lines.ts";
export { type WriteBackOptions, writeBack, type WrittenBack } from "./way-out/write-back.ts";
export type { RecordedRun } from "./way-out/record.ts";
export { type Change, isImported, type Merged, mergeDefinition } from "./merge-definition.ts";
