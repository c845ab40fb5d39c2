import type { Inventory } from "../inventory.ts";
import { checkCommands } from "./command-rules.ts";
import { checkCounts } from "./count-rules.ts";
import { checkCoverage } from "./coverage-rules.ts";
import { checkDates } from "./date-rules.ts";
import { checkEvidence } from "./evidence-rules.ts";
import type { LintFacts } from "./facts.ts";
import { type LintFinding, type LintRule, lintRules, type LintSeverity, type Tell } from "./finding.ts";
import { checkNames } from "./name-rules.ts";
import { checkOrder } from "./order-rules.ts";
import { checkSums } from "./sum-rules.ts";
import { checkThresholds } from "./threshold-rules.ts";
import { checkWayBack } from "./way-back-rules.ts";
import { checkWording } from "./wording-rules.ts";

/** Rules whose findings only warn, unless the rule itself says otherwise of one. */
const warnings: ReadonlySet<LintRule> = new Set([
  "status-not-found",
  "no-way-back",
  "phase-without-exit",
  "unknown-dependency",
  "blank-left",
  "date-past",
  "date-order",
  "unmeasurable",
  "name-conflict",
]);

/**
 * What usually sinks such plans: claims without evidence, figures that contradict each other, tables that do not cover the
 * real values, missing ways back, criteria nobody can measure. Pure: what it knows beyond the document comes in `facts`, and
 * rules whose facts are left out stay silent. In the order of the document; at one place in the order of `lintRules`.
 */
export function lintDocument(inventory: Inventory, facts: LintFacts = {}): readonly LintFinding[] {
  const findings: LintFinding[] = [];
  const tell: Tell = (rule, { place, text }, { expected, found, remedy, severity, also }) => {
    const normal: LintSeverity = warnings.has(rule) ? "warning" : "error";
    const words = text.replace(/\s+/g, " ").trim();
    findings.push({
      rule,
      severity: severity ?? normal,
      place,
      text: words,
      expected,
      found,
      remedy,
      also: also ?? [],
    });
  };
  checkEvidence(inventory, facts, tell);
  checkThresholds(inventory, tell);
  checkSums(inventory, tell);
  checkCounts(inventory, facts, tell);
  checkCoverage(inventory, facts, tell);
  checkWayBack(inventory, tell);
  checkOrder(inventory, tell);
  checkCommands(inventory, facts, tell);
  checkDates(inventory, facts, tell);
  checkWording(inventory, tell);
  checkNames(inventory, facts, tell);
  const rank = new Map(Object.keys(lintRules).map((rule, at) => [rule, at]));
  return findings.toSorted(
    (a, b) =>
      a.place.line - b.place.line ||
      a.place.column - b.place.column ||
      (rank.get(a.rule) ?? 0) - (rank.get(b.rule) ?? 0),
  );
}
