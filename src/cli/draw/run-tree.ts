import { formatDuration } from "../../core/index.ts";
import {
  count,
  latency,
  percent,
  perSecond,
  type PhaseView,
  phaseFaces,
  type RouteView,
  runFaces,
  type RunView,
  type StepView,
  stepFaces,
  type TriggerView,
  type VerdictView,
  verdictFaces,
} from "../../report/index.ts";
import { bar } from "./bar.ts";
import { ends, fit, type Line, span } from "./line.ts";
import { pad, textWidth, wrap } from "./text-width.ts";

export interface TreeOptions {
  readonly columns: number;
  /** Lines at most; what is over is left out from the quiet end. */
  readonly rows: number;
  /** What keys do, e.g. `p pause · b roll back · q stop`; empty when there are none. */
  readonly keys: string;
}

/** Most steps shown under one phase. */
const mostSteps = 8;

/** The whole run as it stands now: one line a phase, and under the active one what it does and waits for. */
export function runTree(view: RunView, options: TreeOptions): readonly Line[] {
  const { columns } = options;
  const nameWidth = Math.min(24, Math.max(7, ...view.phases.map((phase) => textWidth(phase.name))));
  const phases = view.phases.map((phase) => ({
    line: phaseLine(phase, view, nameWidth, columns),
    detail: isActive(phase) ? phaseDetail(phase, view, columns) : [],
  }));
  const top = [header(view, columns), []];
  const bottom = [[], ...footer(view, options)];
  const room = Math.max(1, options.rows - top.length - bottom.length);
  return [...top, ...squeeze(phases, room), ...bottom].map((line) => fit(line, columns));
}

function header(view: RunView, columns: number): Line {
  const { run } = view;
  const face = runFaces[run.state];
  const left: Line = [
    span(run.migration, "bold"),
    span(` · run ${run.id} · ${formatDuration(run.elapsedMs)}`),
    ...(run.state === "RUNNING" ? [] : [span(` · ${face.mark} ${face.word}`, face.tone)]),
  ];
  const right: Line =
    run.callsPerSecond === null
      ? []
      : [span("● ", "busy"), span(`${perSecond(run.callsPerSecond).replace("/s", "")} calls/s`)];
  return ends(left, right, columns);
}

const isActive = (phase: PhaseView): boolean =>
  phase.state !== "PENDING" && phase.state !== "SEALED" && phase.state !== "ROLLED_BACK";

function phaseLine(phase: PhaseView, view: RunView, nameWidth: number, columns: number): Line {
  const face = phaseFaces[phase.state];
  const time =
    phase.state === "PENDING" ? "" : phase.elapsedMs === null ? "" : formatDuration(phase.elapsedMs);
  const start: Line = [
    span(" "),
    span(face.mark, face.tone),
    span(
      ` ${pad(phase.name, nameWidth)} `,
      isActive(phase) ? "bold" : face.tone === "quiet" ? "dim" : "plain",
    ),
    span(`${pad(time, 7, "left")}   `, "dim"),
  ];
  const part = isActive(phase) ? fractionOf(phase, view) : null;
  const headline = (phase.forwardOnly && phase.state === "PENDING" ? "⚠ " : "") + phase.headline;
  const tone = face.tone === "bad" ? "bad" : face.tone === "quiet" ? "dim" : "plain";
  if (part === null) return [...start, span(headline, tone)];
  const barWidth = columns >= 72 ? 24 : columns >= 56 ? 12 : 0;
  return [
    ...start,
    ...(barWidth === 0 ? [] : [...bar(part.fraction, barWidth), span(" ")]),
    span(pad(part.label, 5, "left"), "bold"),
    span(`   ${part.says}`),
  ];
}

interface Part {
  readonly fraction: number;
  readonly label: string;
  readonly says: string;
}

/** How far the active phase is, as a share of traffic or a part of work, when either is known. */
function fractionOf(phase: PhaseView, view: RunView): Part | null {
  const running = phase.steps.filter((step) => step.state === "RUNNING");
  const sharing = running.find((step) => step.progress?.share !== null && step.progress !== null);
  if (sharing?.progress !== undefined && sharing.progress !== null && sharing.progress.share !== null) {
    const { share, note } = sharing.progress;
    return { fraction: share / 100, label: percent(share / 100), says: note ?? waiting(phase) };
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

function waiting(phase: PhaseView): string {
  const hold = phase.verdicts.findLast((verdict) => verdict.verdict === "hold");
  return hold === undefined ? "" : `holding: ${hold.reason}`;
}

function timeLeft(step: StepView): string {
  const fraction = step.progress?.fraction ?? null;
  if (fraction === null || fraction === 0 || fraction === 1 || step.elapsedMs === null) return "";
  return `, about ${formatDuration((step.elapsedMs * (1 - fraction)) / fraction)} left`;
}

function phaseDetail(phase: PhaseView, view: RunView, columns: number): readonly Line[] {
  const loud = phase.steps.filter((step) => step.state !== "PENDING");
  const listed = phase.steps.length <= mostSteps ? phase.steps : loud.slice(-mostSteps);
  const nameWidth = Math.min(22, Math.max(6, ...listed.map((step) => textWidth(step.name))));
  const lines: Line[] = [];
  if (phase.steps.length > 1 || loud.some((step) => step.error !== null)) {
    for (const step of listed) lines.push(stepLine(step, nameWidth));
    const hidden = phase.hiddenSteps + phase.steps.length - listed.length;
    if (hidden > 0) lines.push([span(`     … ${count(hidden)} more`, "dim")]);
  }
  for (const verdict of phase.verdicts) if (verdict.verdict !== "pass") lines.push(verdictLine(verdict));
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

function verdictLine(verdict: VerdictView): Line {
  const face = verdictFaces[verdict.verdict];
  return [
    span("     "),
    span(face.mark, face.tone),
    span(` ${verdict.gate}   `),
    span(verdict.reason, "dim"),
  ];
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

function footer(view: RunView, { columns, keys }: TreeOptions): readonly Line[] {
  const lines: Line[] = [];
  if (view.run.reason !== "" && view.run.state !== "RUNNING") {
    lines.push([span(` ${runFaces[view.run.state].word}: `, "wait"), span(view.run.reason)]);
  }
  for (const override of view.overrides) {
    lines.push([span(" ⚠ override ", "wait"), span(`${override.what} (${override.by}: ${override.reason})`)]);
  }
  const armed = view.triggers.filter((trigger) => trigger.armed);
  const left: Line =
    armed.length === 0 ? [] : [span(" armed: ", "dim"), span(armed.map(triggerText).join("  "), "dim")];
  const right: Line = keys === "" ? [] : [span(keys, "dim")];
  const both = ends(left, right, columns);
  if (left.length > 0 && right.length > 0 && !both.includes(right[0] as (typeof right)[number])) {
    lines.push(left, [span(" "), ...right]);
  } else if (left.length + right.length > 0) {
    lines.push(left.length === 0 ? [span(" "), ...right] : both);
  }
  return lines;
}

function triggerText(trigger: TriggerView): string {
  return trigger.last === null || trigger.last.verdict === "pass"
    ? trigger.name
    : `${trigger.name} (${trigger.last.reason})`;
}

/** Fits phases into `room` lines: details give way first, then the oldest sealed phases. */
function squeeze(
  phases: readonly { readonly line: Line; readonly detail: readonly Line[] }[],
  room: number,
): readonly Line[] {
  const heads = phases.length;
  const details = phases.reduce((sum, phase) => sum + phase.detail.length, 0);
  if (heads + details <= room) return phases.flatMap((phase) => [phase.line, ...phase.detail]);
  const forDetails = Math.max(0, room - heads);
  let left = forDetails;
  const lines = phases.flatMap((phase) => {
    const shown = phase.detail.slice(0, left);
    left -= shown.length;
    return [phase.line, ...shown];
  });
  if (lines.length <= room) return lines;
  return [
    [span(` … ${lines.length - room + 1} lines above`, "dim")],
    ...lines.slice(lines.length - room + 1),
  ];
}
