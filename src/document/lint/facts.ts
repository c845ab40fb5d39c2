import type { LintPlace } from "./finding.ts";

/** What the rules may know beyond the document. Whatever is left out, its rules stay silent. */
export interface LintFacts {
  /** The document's own text: shows links beside ticks and how other places name a phase. */
  readonly source?: string;
  /** Today, `YYYY-MM-DD`. */
  readonly today?: string;
  /** Scripts that commands call and that are in none of the searched folders. */
  readonly scripts?: { readonly missing: readonly string[]; readonly searched: readonly string[] };
  /** Values that were found in data and code, one entry a field or enumeration. */
  readonly values?: readonly FoundValues[];
}

/** The values of one field of the data, or of one enumeration in code. */
export interface FoundValues {
  /** `status`, `workspaceSource.type`, `enum WorkOrderStatus`. */
  readonly field: string;
  readonly from: "data" | "code";
  /** In the order of their first place. */
  readonly values: readonly FoundValue[];
}

export interface FoundValue {
  readonly value: string;
  readonly count: number;
  /** Where it stands first. */
  readonly first: Omit<LintPlace, "what">;
}
