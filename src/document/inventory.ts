import type {
  CheckFinding,
  CommandFinding,
  ContingencyFinding,
  CriterionFinding,
  MappingFinding,
  OrderFinding,
  PhaseFinding,
  SectionFinding,
  StepFinding,
  UnitFinding,
  WaveFinding,
} from "./work-finding.ts";
import type {
  CalendarFinding,
  DurationFinding,
  EffortFinding,
  PercentFinding,
  RampFinding,
  ThresholdFinding,
  TotalFinding,
  TriggerFinding,
} from "./figure-finding.ts";
import type {
  ArtifactFinding,
  DefectFinding,
  LinkFinding,
  LiteralFinding,
  NoteFinding,
  ReportFinding,
  RiskFinding,
  RoleFinding,
  RowFinding,
  Unplaced,
} from "./matter-finding.ts";

/** The findings, one list for each kind, each in the order of the document. */
export interface Lists {
  readonly sections: readonly SectionFinding[];
  readonly phases: readonly PhaseFinding[];
  readonly units: readonly UnitFinding[];
  readonly waves: readonly WaveFinding[];
  readonly steps: readonly StepFinding[];
  readonly checks: readonly CheckFinding[];
  readonly criteria: readonly CriterionFinding[];
  readonly thresholds: readonly ThresholdFinding[];
  readonly triggers: readonly TriggerFinding[];
  readonly ramps: readonly RampFinding[];
  readonly mappings: readonly MappingFinding[];
  readonly commands: readonly CommandFinding[];
  readonly calendar: readonly CalendarFinding[];
  readonly durations: readonly DurationFinding[];
  readonly efforts: readonly EffortFinding[];
  readonly totals: readonly TotalFinding[];
  readonly percents: readonly PercentFinding[];
  readonly risks: readonly RiskFinding[];
  readonly contingencies: readonly ContingencyFinding[];
  readonly reports: readonly ReportFinding[];
  readonly roles: readonly RoleFinding[];
  readonly orders: readonly OrderFinding[];
  readonly literals: readonly LiteralFinding[];
  readonly artifacts: readonly ArtifactFinding[];
  readonly links: readonly LinkFinding[];
  readonly rows: readonly RowFinding[];
  readonly notes: readonly NoteFinding[];
  readonly defects: readonly DefectFinding[];
}

export interface Inventory extends Lists {
  /** Of this form; a reader of stored inventories checks it. */
  readonly version: 1;
  readonly file: string;
  /** SHA-256 of the bytes that were read. */
  readonly hash: string;
  readonly format: "markdown" | "asciidoc" | "text";
  readonly title: string;
  /** Lines of the document, and how many of them hold something. */
  readonly lines: { readonly total: number; readonly filled: number; readonly placed: number };
  /** In the order of the document. A line is here or in a finding, never in neither. */
  readonly unplaced: readonly Unplaced[];
}

/** The lists of findings in an inventory, by the name of their member. */
export const findingLists: readonly (keyof Lists)[] = [
  "sections",
  "phases",
  "units",
  "waves",
  "steps",
  "checks",
  "criteria",
  "thresholds",
  "triggers",
  "ramps",
  "mappings",
  "commands",
  "calendar",
  "durations",
  "efforts",
  "totals",
  "percents",
  "risks",
  "contingencies",
  "reports",
  "roles",
  "orders",
  "literals",
  "artifacts",
  "links",
  "rows",
  "notes",
  "defects",
];

export type Finding = Lists[keyof Lists][number];

/** All findings in the order of the document; at the same place in the order of `findingLists`. */
export function allFindings(inventory: Inventory): readonly Finding[] {
  const all = findingLists.flatMap((list): readonly Finding[] => inventory[list]);
  return all.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}
