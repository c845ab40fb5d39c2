import type { Contingency, MigrationInput, Risk } from "./definition.ts";
import { checkSteps } from "./read-phases.ts";
import { readSteps } from "./read-steps.ts";
import { found, type Scope } from "./scope.ts";

const levels = ["low", "medium", "high"];

export function readRisks(scope: Scope, input: readonly Risk[] | undefined): readonly Risk[] {
  const risks = scope.list(input, "risks");
  for (const [index, risk] of risks.entries()) {
    const at = scope.in(`risks[${index}]`);
    if (!at.object(risk, "a risk", ["risk", "probability", "impact", "mitigation"])) continue;
    at.text(risk.risk, "risk", true);
    at.text(risk.mitigation, "mitigation", true);
    for (const key of ["probability", "impact"] as const)
      if (!levels.includes(risk[key]))
        at.problem(
          "CUTOVER_PLAN_INVALID",
          `expected \`${key}\` of ${levels.join(", ")}, found ${found(risk[key])}`,
          {
            remedy: `write ${key}: "medium"`,
          },
        );
  }
  return risks;
}

/** Emergency procedures may hold steps that cannot be undone: nothing is rolled back from there. */
export function readContingencies(
  scope: Scope,
  input: readonly Contingency[] | undefined,
): readonly Contingency[] {
  const read: Contingency[] = [];
  for (const [index, contingency] of scope.list(input, "contingencies").entries()) {
    const at = scope.entry("contingencies", index, contingency);
    if (!at.object(contingency, "a contingency", ["name", "on", "steps"])) continue;
    at.name(contingency.name, "a contingency");
    if (contingency.on !== "rollback-stuck" && contingency.on !== "manual")
      at.problem(
        "CUTOVER_PLAN_INVALID",
        `expected \`on\` to be "rollback-stuck" or "manual", found ${found(contingency.on)}`,
        { remedy: 'write on: "rollback-stuck"' },
      );
    const steps = readSteps(at, contingency.steps, []);
    if (steps.length === 0)
      at.problem("CUTOVER_PLAN_INVALID", "expected a contingency to have steps, found none", {
        remedy: "write its procedure as steps, or remove it",
      });
    checkSteps(at, { name: contingency.name, steps, forwardOnly: true }, [], [], []);
    read.push({ name: contingency.name, on: contingency.on, steps });
  }
  scope.in("contingencies").unique(
    read.map((contingency) => contingency.name),
    "contingency",
  );
  return read;
}

export function readSchedule(
  scope: Scope,
  input: MigrationInput["schedule"],
): MigrationInput["schedule"] | undefined {
  if (input === undefined) return undefined;
  const at = scope.in("schedule");
  if (!at.object(input, "a schedule", ["start", "end"])) return undefined;
  for (const key of ["start", "end"] as const) {
    const text = input[key];
    if (text === undefined || (typeof text === "string" && isDate(text))) continue;
    at.problem(
      "CUTOVER_PLAN_INVALID",
      `expected \`${key}\` to be a date such as 2026-03-01, found ${found(text)}`,
      {
        remedy: "write a date, or a date and time in ISO 8601",
      },
    );
  }
  const { start, end } = input;
  if (start !== undefined && end !== undefined && Date.parse(end) < Date.parse(start))
    at.problem("CUTOVER_PLAN_INVALID", `expected the end after the start, found ${start} … ${end}`, {
      remedy: "swap them or correct one",
    });
  return input;
}

export function readPlanDocument(
  scope: Scope,
  input: MigrationInput["document"],
): MigrationInput["document"] | undefined {
  if (input === undefined) return undefined;
  const at = scope.in("document");
  if (!at.object(input, "a document", ["file", "hash"])) return undefined;
  at.text(input.file, "file", true);
  if (typeof input.hash !== "string" || !/^[0-9a-f]{64}$/.test(input.hash))
    at.problem("CUTOVER_PLAN_INVALID", `expected \`hash\` to be a SHA-256, found ${found(input.hash)}`, {
      remedy: "take both from `cutover import`, or leave `document` out",
    });
  return input;
}

/** ISO 8601 only, and a day that exists: JavaScript reads 30 February as 2 March. */
function isDate(text: string): boolean {
  const parts = /^(\d{4})-(\d{2})-(\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  if (parts === null || Number.isNaN(Date.parse(text))) return false;
  const [, year, month, day] = parts.map(Number);
  return new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
}
