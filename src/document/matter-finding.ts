import type { Json, JsonObject } from "../core/index.ts";
import type { FindingBase, Level, Place } from "./finding.ts";

export interface RiskFinding extends FindingBase<"risk"> {
  readonly risk: string;
  readonly probability?: Level;
  readonly impact?: Level;
  /** Where one word rates the whole risk. */
  readonly level?: Level;
  readonly mitigation?: string;
  readonly owner?: string;
}

export interface ReportFinding extends FindingBase<"report"> {
  readonly title: string;
  /** `daily`, `weekly`, `milestone`, `incident`, where said. */
  readonly cadence?: string;
}

/** A person or team. */
export interface RoleFinding extends FindingBase<"role"> {
  readonly name: string;
  /** What for: `owner of "Data loss during migration"`, `approval`. */
  readonly duty?: string;
}

/** A literal in a block of program code, or a whole fenced document (YAML, JSON, TOML), as data. Never run. */
export interface LiteralFinding extends FindingBase<"literal"> {
  /** Name it is bound to; empty for a whole document. */
  readonly name: string;
  readonly language: string;
  readonly shape: "dictionary" | "enum" | "struct" | "list" | "function" | "document";
  /** The value. Expressions that are no literals appear as their source text, and their entry says `literal: false`. */
  readonly value: Json;
  /** Every leaf with its place: `path` is dotted, `[n]` for lists. */
  readonly entries: readonly LiteralEntry[];
}

export interface LiteralEntry {
  readonly path: string;
  readonly value: Json;
  /** As written in the source. */
  readonly written: string;
  readonly literal: boolean;
  /** Comment beside it: `Target: <5`. */
  readonly comment?: string;
  readonly place: Place;
}

/** A file or folder the plan names as made, changed or removed. */
export interface ArtifactFinding extends FindingBase<"artifact"> {
  readonly path: string;
  readonly change: "created" | "modified" | "removed" | "unchanged" | "unknown";
  readonly note?: string;
}

export interface LinkFinding extends FindingBase<"link"> {
  readonly target: string;
  /** `outside`: a path that leaves the document's folder. Nothing is followed. */
  readonly sort: "web" | "inside" | "outside" | "anchor";
}

/** A row of a table whose meaning is not one of the above: kept whole, by heading. */
export interface RowFinding extends FindingBase<"row"> {
  readonly table: string;
  readonly cells: JsonObject;
}

/** Prose. It explains; nothing rests on it. */
export interface NoteFinding extends FindingBase<"note"> {
  readonly role: "goal" | "status" | "warning" | "point" | "prose";
}

/** What the parser of a fenced block said: the block is in `unplaced`. */
export interface DefectFinding extends FindingBase<"defect"> {
  readonly message: string;
}

/** A line that no finding tells, and why. */
export interface Unplaced {
  readonly place: Place;
  /** The line as it stands in the document. */
  readonly text: string;
  readonly reason: string;
  /** Heading it stands under; empty before the first. */
  readonly under: string;
}
