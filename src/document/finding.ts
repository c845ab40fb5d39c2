/** Where a finding stands in the document as it was given. Lines and columns count from 1; `endLine` is its last line. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly endLine: number;
}

/**
 * How sure a reading is. `certain`: the notation says it (`- [ ]`, a table cell, a YAML key, a Gantt task).
 * `likely`: the wording or the heading above says it. `guessed`: one word or the place alone; ask before relying on it.
 */
export type Sureness = "certain" | "likely" | "guessed";

/** What all findings have. Plain JSON throughout: an inventory survives `JSON.parse(JSON.stringify(it))` unchanged. */
export interface FindingBase<Kind extends string> {
  readonly kind: Kind;
  /**
   * Unique in the inventory and made of what is said, not of where: `check:phase-1-parallel/all-unit-tests-pass`. It stays the
   * same when lines move, so that a later reading of a changed document finds what was bound. Equal ones get `~2`, `~3`.
   */
  readonly key: string;
  /** The words of the document, markup removed, on one line, no number altered. Of a figure in a line of
   * more than 400 characters the words around it; otherwise never shortened. */
  readonly text: string;
  readonly place: Place;
  readonly sureness: Sureness;
  /** What the reading rests on, for people: `task list item`, `row of the table under "Key Metrics"`. */
  readonly why: string;
  readonly within: Within;
}

/** What somebody says about the state of a thing. It is a claim, never evidence. */
export interface Claim {
  readonly state: "done" | "in-progress" | "next" | "open" | "failed";
  /** The mark or words that say it: `[x]`, `✅ COMPLETE`, `DONE BY TEAM-130!`. */
  readonly text: string;
}

export type Level = "low" | "medium" | "high" | "critical";

/** Keys of what a finding stands in, each where there is one. */
export interface Within {
  readonly section?: string;
  readonly phase?: string;
  readonly unit?: string;
  readonly step?: string;
}
