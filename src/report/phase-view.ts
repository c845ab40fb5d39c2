import { formatDuration } from "../core/index.ts";
import type { PhaseRecord, StepRecord, StepState, VerdictRecord } from "../store/index.ts";
import { asideCount } from "./aside.ts";
import { count, plural } from "./figures.ts";
import type { GraphPhase } from "./graph.ts";
import type { LiveRun, PhaseView, StepView } from "./run-view.ts";
import { newestVerdicts } from "./verdict-view.ts";
import { progressView, stepLine } from "./step-line.ts";

/** Most steps of one phase that a view lists. */
const longestList = 200;

export interface PhaseFacts {
  readonly phase: GraphPhase;
  readonly record: PhaseRecord | undefined;
  readonly steps: ReadonlyMap<string, StepRecord>;
  /** Verdicts of this phase, oldest first. */
  readonly verdicts: readonly VerdictRecord[];
  readonly live: LiveRun | undefined;
  readonly at: number;
}

export function phaseView(facts: PhaseFacts): PhaseView {
  const { phase, record, at } = facts;
  const all = phase.steps.map((step) => stepView(step, facts));
  const counts: Partial<Record<StepState, number>> = {};
  for (const step of all) counts[step.state] = (counts[step.state] ?? 0) + 1;
  const steps = shorten(all);
  const verdicts = newestVerdicts(
    facts.verdicts.filter((verdict) => verdict.role !== "trigger"),
    facts.live?.verdicts.filter((verdict) => verdict.role !== "trigger" && verdict.phase === phase.name) ??
      [],
  );
  const startedAt = record?.startedAt ?? null;
  const endedAt = record?.endedAt ?? null;
  const view: Omit<PhaseView, "headline"> = {
    name: phase.name,
    title: phase.title,
    state: record?.state ?? "PENDING",
    startedAt,
    endedAt,
    elapsedMs: startedAt === null ? null : (endedAt ?? at) - startedAt,
    forwardOnly: phase.forwardOnly,
    approvals: phase.approvals,
    approvers: phase.approvers,
    counts,
    steps,
    hiddenSteps: all.length - steps.length,
    verdicts,
  };
  return { ...view, headline: headline(view, all) };
}

function stepView(step: GraphPhase["steps"][number], { steps, live, at }: PhaseFacts): StepView {
  const record = steps.get(step.id);
  const progress = record?.state === "RUNNING" ? progressView(live?.progress[step.id]) : null;
  const startedAt = record?.startedAt ?? null;
  const endedAt = record?.endedAt ?? null;
  return {
    id: step.id,
    name: step.name,
    kind: step.kind,
    state: record?.state ?? "PENDING",
    attempt: record?.attempt ?? 0,
    startedAt,
    endedAt,
    elapsedMs: startedAt === null ? null : (endedAt ?? at) - startedAt,
    progress,
    result: record?.result ?? null,
    error: record?.error ?? null,
    line: stepLine(record, progress, at),
  };
}

/** Of many steps: all that are in motion or in trouble, then the newest done, in the order of the graph. */
function shorten(all: readonly StepView[]): readonly StepView[] {
  if (all.length <= longestList) return all;
  const quiet = (step: StepView): boolean => step.state === "DONE" || step.state === "PENDING";
  const loud = all.filter((step) => !quiet(step)).slice(0, longestList);
  const done = all
    .filter((step) => step.state === "DONE")
    .toSorted((a, b) => (b.endedAt ?? 0) - (a.endedAt ?? 0))
    .slice(0, Math.max(0, Math.min(20, longestList - loud.length)));
  const kept = new Set([...loud, ...done]);
  return all.filter((step) => kept.has(step));
}

function headline(phase: Omit<PhaseView, "headline">, all: readonly StepView[]): string {
  const holding = phase.verdicts.find((verdict) => verdict.verdict !== "pass");
  switch (phase.state) {
    case "PENDING": {
      const parts = [];
      if (phase.forwardOnly) parts.push("irreversible");
      if (phase.approvals > 0) parts.push(`needs ${plural(phase.approvals, "approval")}`);
      return parts.join(", ");
    }
    case "CHECKING":
      return holding === undefined ? "going through the checklist" : `${holding.gate}: ${holding.reason}`;
    case "RUNNING":
      return runningLine(all);
    case "GATING":
      return holding === undefined ? "judging its gates" : gateLine(holding);
    case "AWAITING_APPROVAL":
      return `waits for ${plural(phase.approvals, "approval")}`;
    case "SEALED":
      return sealedLine(phase, all);
    case "ROLLING_BACK":
      return `being taken back: ${plural(phase.counts.ROLLED_BACK ?? 0, "step")} done`;
    case "ROLLED_BACK":
      return failure(all) ?? "taken back";
  }
}

/** `hold: waits for a quiet moment, about 4.0 s more`. */
function gateLine({ verdict, reason, waitMs }: PhaseView["verdicts"][number]): string {
  const more = verdict === "hold" && waitMs !== null ? `, about ${formatDuration(waitMs)} more` : "";
  return `${verdict}: ${reason}${more}`;
}

function runningLine(all: readonly StepView[]): string {
  const failed = failure(all);
  if (failed !== undefined) return failed;
  const running = all.filter((step) => step.state === "RUNNING");
  const done = all.filter((step) => step.state === "DONE").length;
  const first = running[0];
  if (all.length === 1 && first !== undefined) return first.line;
  const names =
    running.length <= 3 ? running.map((step) => step.name).join(", ") : plural(running.length, "step");
  return `${count(done)} of ${plural(all.length, "step")}${names === "" ? "" : ` · ${names}`}`;
}

/** What came of a sealed phase: the steps' own words while they are few, a count when they are many. */
function sealedLine(phase: Omit<PhaseView, "headline">, all: readonly StepView[]): string {
  const aside = all.reduce((sum, step) => sum + asideCount(step.result), 0);
  const line = workLine(phase, all);
  return aside === 0 || line.includes("set aside") ? line : `${line} · ${count(aside)} set aside`;
}

function workLine(phase: Omit<PhaseView, "headline">, all: readonly StepView[]): string {
  const lines = all.map((step) => step.line).filter((line) => line !== "");
  if (all.length > 0 && all.length <= 4 && lines.length > 0) return lines.join(" · ");
  const checks = phase.verdicts.filter((verdict) => verdict.verdict === "pass");
  if (all.length === 0 && checks.length > 0) {
    // A check need not say anything about itself when it passes.
    const words = checks.flatMap(({ reason }) => (reason === "" ? [] : [reason]));
    return words.length === 0 ? `${plural(checks.length, "check")} passed` : words.join(" · ");
  }
  return `${plural(all.length, "step")} done`;
}

function failure(all: readonly StepView[]): string | undefined {
  const step = all.find((each) => each.error !== null && each.state !== "DONE" && each.state !== "PENDING");
  return step === undefined ? undefined : `${step.name}: ${step.error?.message ?? ""}`;
}
