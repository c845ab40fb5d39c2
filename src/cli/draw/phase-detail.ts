import { formatDuration, visible } from "../../core/index.ts";
import {
  count,
  latency,
  percent,
  type PhaseView,
  type RouteView,
  type RunView,
  type StepView,
  stepFaces,
  type VerdictView,
  verdictFaces,
} from "../../report/index.ts";
import { type Line, lineWidth, span } from "./line.ts";
import { cut, pad, textWidth, wrap } from "./text-width.ts";

/** Most steps shown under one phase. */
const mostSteps = 8;

export interface Part {
  readonly fraction: number;
  readonly label: string;
  readonly says: string;
}

/** How far the active phase is, as a share of traffic or a part of work, when either is known. */
export function partOf(phase: PhaseView, view: RunView): Part | null {
  const running = phase.steps.filter((step) => step.state === "RUNNING");
  const sharing = running.find((step) => step.progress?.share !== null && step.progress !== null);
  if (sharing?.progress !== undefined && sharing.progress !== null && sharing.progress.share !== null) {
    const { share } = sharing.progress;
    return { fraction: share / 100, label: percent(share / 100), says: waiting(phase) };
  }
  const working = running.find((step) => step.progress?.fraction !== null && step.progress !== null);
  if (working?.progress !== undefined && working.progress !== null && working.progress.fraction !== null) {
    const { fraction } = working.progress;
    return { fraction, label: percent(fraction), says: `${working.name}${timeLeft(working)}` };
  }
  const all = Object.values(phase.counts).reduce((sum, each) => sum + each, 0);
  const done = phase.counts.DONE ?? 0;
  if (phase.state === "RUNNING" && all > mostSteps && view.run.state === "RUNNING") {
    return { fraction: done / all, label: percent(done / all), says: phase.headline };
  }
  return null;
}

/** `holding, about 25 s more`: the longest wait among the gates that hold. */
function waiting(phase: PhaseView): string {
  const holds = phase.verdicts.filter((verdict) => verdict.verdict === "hold");
  if (holds.length === 0) return "";
  const waits = holds.map((verdict) => verdict.waitMs).filter((ms) => ms !== null);
  return waits.length < holds.length
    ? "holding"
    : `holding, about ${formatDuration(Math.max(...waits))} more`;
}

function timeLeft(step: StepView): string {
  const fraction = step.progress?.fraction ?? null;
  if (fraction === null || fraction === 0 || fraction === 1 || step.elapsedMs === null) return "";
  return `, about ${formatDuration((step.elapsedMs * (1 - fraction)) / fraction)} left`;
}

/** What stands under the active phase: its steps, what its gates say, both sides, who must approve. */
export function phaseDetail(phase: PhaseView, view: RunView, columns: number): readonly Line[] {
  const loud = phase.steps.filter((step) => step.state !== "PENDING");
  const listed = phase.steps.length <= mostSteps ? phase.steps : loud.slice(-mostSteps);
  const nameWidth = Math.min(22, Math.max(6, ...listed.map((step) => textWidth(step.name))));
  const lines: Line[] = [];
  if (phase.steps.length > 1 || loud.some((step) => step.error !== null)) {
    for (const step of listed) lines.push(stepLine(step, nameWidth));
    const hidden = phase.hiddenSteps + phase.steps.length - listed.length;
    if (hidden > 0) lines.push([span(`     … ${count(hidden)} more`, "dim")]);
  }
  const alone = phase.steps.length === 1 ? phase.steps[0] : undefined;
  if (alone?.state === "RUNNING" && alone.progress?.note) lines.push(...note(alone.progress.note, columns));
  for (const verdict of phase.verdicts)
    if (verdict.verdict !== "pass") lines.push(...verdictLines(verdict, columns));
  for (const route of view.routes) lines.push(...routeLines(route, columns));
  for (const wanted of view.wanted.filter((each) => each.phase === phase.name)) {
    const given = wanted.given.length === 0 ? "nobody yet" : wanted.given.join(", ");
    lines.push([
      span("     approved by ", "dim"),
      span(`${wanted.given.length} of ${wanted.needed} (${given})`, "wait"),
    ]);
    // A command that is cut off is of no use: it gets as many lines as it needs.
    for (const part of wrap(`npx ${wanted.command}`, columns - 7))
      lines.push([span(`       ${part}`, "bold")]);
  }
  return lines;
}

function stepLine(step: StepView, nameWidth: number): Line {
  const face = stepFaces[step.state];
  const time = step.elapsedMs === null ? "" : formatDuration(step.elapsedMs);
  return [
    span("     "),
    span(face.mark, face.tone),
    span(` ${pad(step.name, nameWidth)} `, face.tone === "quiet" ? "dim" : "plain"),
    span(`${pad(time, 7, "left")}   `, "dim"),
    span(step.line + timeLeft(step), face.tone === "bad" ? "bad" : "plain"),
  ];
}

/** Gate and reason on one line, or the reason below it when that is too narrow. */
function verdictLines(verdict: VerdictView, columns: number): readonly Line[] {
  const face = verdictFaces[verdict.verdict];
  const head: Line = [span("     "), span(face.mark, face.tone), span(` ${verdict.gate}`)];
  const whole: Line = [...head, span(`   ${verdict.reason}`, "dim")];
  return lineWidth(whole) <= columns ? [whole] : [head, ...note(verdict.reason, columns)];
}

/** A remark in at most two lines. */
function note(text: string, columns: number): readonly Line[] {
  const parts = wrap(visible(text), columns - 8);
  const shown = parts.slice(0, 2);
  if (parts.length > shown.length) shown[1] = cut(`${shown[1] ?? ""} …`, columns - 7);
  return shown.map((part) => [span(`       ${part}`, "dim")]);
}

/** Old beside new while both answer, or while shadow calls are compared. */
function routeLines(route: RouteView, columns: number): readonly Line[] {
  const { old, new: fresh } = route.sides;
  const lines: Line[] = [];
  const name = columns >= 72 ? `   ${route.route}` : "";
  if (old.calls > 0 && fresh.calls > 0) {
    lines.push(sides("errors", percent(old.errorRate), percent(fresh.errorRate), name));
    lines.push(sides("p99", latency(old.p99), latency(fresh.p99), name));
  }
  if (route.state.stage === "shadow" && route.compared > 0) {
    lines.push([
      span(`     ${pad("shadow", 9)}`, "dim"),
      span(`${count(route.compared)} compared · `),
      span(`${count(route.mismatches)} differ`, route.mismatches === 0 ? "good" : "bad"),
      span(name, "dim"),
    ]);
  }
  if (route.failedOver > 0) {
    lines.push([
      span(`     ${pad("saved", 9)}`, "dim"),
      span(`${count(route.failedOver)} answered by the old side instead`),
    ]);
  }
  return lines;
}

const sides = (label: string, old: string, fresh: string, name: string): Line => [
  span(`     ${pad(label, 9)}`, "dim"),
  span("old ", "old"),
  span(pad(old, 9)),
  span("new ", "new"),
  span(pad(fresh, 9)),
  span(name, "dim"),
];
