import { formatDuration } from "../../core/index.ts";
import type { PlannedPhase, PlannedStep, PlanReport } from "../../plan/index.ts";
import { actionWords, plural } from "../../report/index.ts";
import { type Line, span } from "./line.ts";
import { pad, textWidth, wrap } from "./text-width.ts";

export interface PlanPageOptions {
  readonly columns: number;
  /** Every step with what it waits for, touches and how it is undone. */
  readonly steps: boolean;
}

/** What `cutover plan` shows: phases in order with what they do and take, what stands guard, how far the way back reaches. */
export function planPage(plan: PlanReport, options: PlanPageOptions): readonly Line[] {
  const { columns } = options;
  const nameWidth = Math.min(20, Math.max(7, ...plan.phases.map((phase) => textWidth(phase.name))));
  const timeWidth = Math.max(0, ...plan.phases.map((phase) => textWidth(estimateText(phase.estimate))));
  const lines: Line[] = [
    [
      span(plan.title ?? plan.migration, "bold"),
      span(` · ${plural(plan.phases.length, "phase")} · ${plural(plan.stepCount, "step")}`),
      span(` · definition ${plan.hash.slice(0, 8)}…  (nothing was touched)`, "dim"),
    ],
    [],
  ];
  for (const phase of plan.phases) {
    lines.push(...phaseRows(phase, { name: nameWidth, time: timeWidth }, columns));
    if (options.steps) for (const step of phase.steps) lines.push(...stepRows(step, columns));
  }
  lines.push([]);
  lines.push(...facts(plan, columns));
  return lines;
}

function phaseRows(
  phase: PlannedPhase,
  width: { readonly name: number; readonly time: number },
  columns: number,
): readonly Line[] {
  const time = estimateText(phase.estimate);
  const room = Math.max(16, columns - 5 - width.name - width.time);
  const says = [
    ...(phase.forwardOnly ? ["⚠ irreversible"] : []),
    ...(phase.approval === undefined ? [] : [`needs ${plural(phase.approval.by, "approval")}`]),
    ...phase.entry,
    ...(phase.wayBack.length === 0 ? [] : [`way back: ${phase.wayBack.join(", ")}`]),
    ...stepSummaries(phase.steps),
    ...phase.exit.map((gate) => `until ${gate}`),
  ].join(" · ");
  return wrap(says, room).map((text, index) => {
    const name = span(`  ${pad(index === 0 ? phase.name : "", width.name)}  `, "bold");
    if (index > 0) return [name, span(text)];
    return [name, span(pad(text, room)), span(` ${pad(time, width.time, "left")}`, "dim")];
  });
}

/** Summaries while they are few; of many, how many there are of each kind. */
function stepSummaries(steps: readonly PlannedStep[]): readonly string[] {
  if (steps.length <= 6) return steps.map((step) => step.summary);
  const kinds = new Map<string, number>();
  for (const step of steps) kinds.set(step.kind, (kinds.get(step.kind) ?? 0) + 1);
  return [...kinds].map(([kind, count]) => plural(count, `${kind} step`));
}

function stepRows(step: PlannedStep, columns: number): readonly Line[] {
  const after =
    step.after.length === 0
      ? ""
      : `after ${step.after.map((id) => id.slice(id.indexOf("/") + 1)).join(", ")}`;
  const undo = { rollback: "", nothing: "nothing to undo", impossible: "⚠ cannot be undone" }[step.undo];
  const notes = [
    after,
    step.touches.length === 0 ? "" : `touches ${step.touches.join(", ")}`,
    undo,
    step.retries === 0 ? "" : `${step.retries} retries`,
    `at most ${formatDuration(step.timeoutMs)}`,
  ].filter((note) => note !== "");
  const name = step.id.slice(step.id.indexOf("/") + 1);
  return [
    [
      span(`      ${step.critical ? "●" : "○"} `, step.critical ? "busy" : "dim"),
      span(name),
      span(`  ${step.estimateMs === undefined ? "" : `~${formatDuration(step.estimateMs)}`}`, "dim"),
    ],
    ...wrap(notes.join(" · "), columns - 8).map((text): Line => [span(`        ${text}`, "dim")]),
  ];
}

function facts(plan: PlanReport, columns: number): readonly Line[] {
  const { wayBack } = plan;
  const armed = plan.triggers.map(({ name, action, manual, for: debounce, phases, unproven }) => {
    const where = phases === null ? "" : ` (${phases.join(", ")})`;
    const when = manual ? " (by hand)" : debounce === null ? "" : ` for ${formatDuration(debounce)}`;
    const silent = unproven ? ", ⚠ unproven: it never fires" : "";
    return `${name}${when} → ${actionWords(action)}${where}${silent}`;
  });
  const back = [
    wayBack.provenBefore.length === 0 ? "" : `proven before ${wayBack.provenBefore.join(", ")}`,
    wayBack.notProvenBefore.length === 0 ? "" : `not proven before ${wayBack.notProvenBefore.join(", ")}`,
    wayBack.endsWith === undefined ? "reaches through the whole run" : `none from ${wayBack.endsWith} on`,
  ].filter((part) => part !== "");
  const rows: (readonly [string, string])[] = [
    ["armed", armed.length === 0 ? "nothing stands guard: no triggers" : armed.join(" · ")],
    ["way back", back.join("; ")],
  ];
  if (plan.irreversible.length > 0) {
    const points = plan.irreversible.map(({ phase, steps }) =>
      steps.length === 0 ? phase : `${phase}: ${steps.join(", ")}`,
    );
    rows.push(["irreversible", points.join(" · ")]);
  }
  if (plan.units.length > 0) rows.push(["units", unitText(plan)]);
  if (plan.unproven.length > 0) rows.push(["unproven", unprovenText(plan)]);
  if (plan.success.length > 0) rows.push(["success", plan.success.join(" · ")]);
  rows.push(["in all", estimateText(plan.estimate) || "no time worth naming"]);
  return rows.flatMap(([label, text]) =>
    wrap(text, Math.max(16, columns - 16)).map((part, index): Line => [
      span(`  ${pad(index === 0 ? label : "", 12)}  `, "dim"),
      span(part),
    ]),
  );
}

/** How many, and the first few: a run holds there. */
function unprovenText({ unproven }: PlanReport): string {
  const first = unproven.slice(0, 3).map(({ phase, name }) => `${phase}: ${name}`);
  const more = unproven.length > first.length ? ` · and ${unproven.length - first.length} more` : "";
  return `⚠ ${plural(unproven.length, "claim")} without proof, a run holds at each: ${first.join(" · ")}${more}`;
}

function unitText(plan: PlanReport): string {
  const names =
    plan.units.length <= 8
      ? plan.units.map((unit) => unit.name).join(", ")
      : plural(plan.units.length, "unit");
  const waves = plan.waves.map((wave) => `${wave.name} (${wave.units.length})`).join(" → ");
  return waves === "" ? names : `${names} · waves ${waves}`;
}

/** `~10 s`, `≥ 10 s` when parts are unknown, `?` when nothing is known. */
function estimateText(estimate: PlanReport["estimate"]): string {
  if (estimate.ms === 0) return estimate.unknown > 0 ? "?" : "";
  return `${estimate.unknown > 0 ? "≥ " : "~"}${formatDuration(estimate.ms)}`;
}

/** What `plan` and `check` found wrong although the definition could be read. */
export function problemLines(plan: PlanReport): readonly Line[] {
  return plan.problems.flatMap(({ step, code, message, remedy }): readonly Line[] => [
    [span("error", "bad"), span(` ${code}`, "bold"), span(`  ${message}`)],
    [span(`  in step ${step}`)],
    [span(`  ${remedy}`)],
  ]);
}
