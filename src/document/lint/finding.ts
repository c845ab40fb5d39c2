import type { Place } from "../finding.ts";

/** Rules by their frozen names, in the order they are told at one place. */
export const lintRules = {
  "ticked-without-evidence": "something is said to be done and nothing shows it",
  "threshold-conflict": "one limit is given twice with different numbers",
  "sum-mismatch": "figures that should add up do not",
  "count-mismatch": "the text counts something otherwise than the plan lists it",
  "duration-conflict": "one stretch is given two lengths",
  "status-not-covered": "a value of the real data or code has no row in the table",
  "status-not-found": "a row of the table stands for a value that is nowhere to be seen",
  "no-way-back": "nothing says how to go back",
  "irreversible-without-approval": "something that cannot be undone needs nobody's word",
  "phase-without-exit": "nothing says when a phase is over",
  "dependency-cycle": "things wait for each other",
  "unknown-dependency": "something waits for what the plan does not name",
  "delete-before-verify": "something is deleted before anything is verified",
  "script-missing": "a command calls a file that is not there",
  "blank-left": "a command has a placeholder that nobody filled in",
  "date-past": "what is still to come has a date that is over",
  "date-order": "dates go backwards or overlap",
  unmeasurable: "a criterion that nobody can measure",
  "heading-conflict": "two headings contradict each other",
  "name-conflict": "one thing has two names",
  "broken-block": "a block cannot be read",
} as const;

export type LintRule = keyof typeof lintRules;

/** `error`: the plan contradicts itself, the data, or the law of evidence. `warning`: it leaves something open that sinks plans. */
export type LintSeverity = "error" | "warning";

/** One thing that is wrong with a written plan. */
export interface LintFinding {
  readonly rule: LintRule;
  readonly severity: LintSeverity;
  readonly place: Place;
  /** The words of the document it is about, on one line. */
  readonly text: string;
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;
  /** Other places it speaks of, in the document or in files it was held against. */
  readonly also: readonly LintPlace[];
}

export interface LintPlace {
  readonly file: string;
  readonly line: number;
  readonly what: string;
}

/** What a rule says of one place; the rest is filled in. */
export interface Told {
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;
  readonly severity?: LintSeverity;
  readonly also?: readonly LintPlace[];
}

export type Tell = (rule: LintRule, at: { readonly place: Place; readonly text: string }, told: Told) => void;

export const lineOf = (place: Place, what: string): LintPlace => ({
  file: place.file,
  line: place.line,
  what,
});

/** A text of the document inside a message: on one line, no longer than a line. */
export function quoted(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return JSON.stringify(line.length > 70 ? `${line.slice(0, 67)}…` : line);
}
