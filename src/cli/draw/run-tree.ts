import { formatDuration, visible } from "../../core/index.ts";
import {
  perSecond,
  type PhaseView,
  phaseFaces,
  runFaces,
  type RunView,
  type TriggerView,
} from "../../report/index.ts";
import { bar } from "./bar.ts";
import { ends, fit, type Line, lineWidth, span } from "./line.ts";
import { partOf, phaseDetail } from "./phase-detail.ts";
import { flow, pad, textWidth, wrap } from "./text-width.ts";

/** Lines that the reason of a run that stands still may take. */
const mostReasonLines = 5;

export interface TreeOptions {
  readonly columns: number;
  /** Lines at most; what is over is left out from the quiet end. */
  readonly rows: number;
  /** What keys do, e.g. `p pause · b roll back · q stop`; empty when there are none. */
  readonly keys: string;
  /** A picture that stays: what a phase says goes on below its line instead of being cut off. Default false. */
  readonly still?: boolean;
}

/** Lines that what a phase says may take in a picture that stays. */
const mostHeadLines = 6;

/** The whole run as it stands now: one line a phase, and under the active one what it does and waits for. */
export function runTree(view: RunView, options: TreeOptions): readonly Line[] {
  const { columns } = options;
  const nameWidth = Math.min(24, Math.max(7, ...view.phases.map((phase) => textWidth(phase.name))));
  const phases = view.phases.map((phase) => {
    const line = phaseLine(phase, view, nameWidth, columns);
    const detail = isActive(phase) ? phaseDetail(phase, view, columns) : [];
    if (options.still !== true) return { line, detail };
    const [head = line, ...rest] = wrapped(line, columns);
    return { line: head, detail: [...rest, ...detail] };
  });
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
  const part = isActive(phase) ? partOf(phase, view) : null;
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

/** The last words of a line in as many lines as they need, up to a bound, under their beginning. */
function wrapped(line: Line, columns: number): readonly Line[] {
  const words = line.at(-1);
  const start = line.slice(0, -1);
  const indent = lineWidth(start);
  if (words === undefined || lineWidth(line) <= columns || columns - indent < 20) return [line];
  const parts = wrap(words.text, columns - indent - 2);
  return parts.slice(0, mostHeadLines).map((part, index) => {
    const more = index === mostHeadLines - 1 && parts.length > mostHeadLines ? " …" : "";
    return [...(index === 0 ? start : [span(" ".repeat(indent))]), { ...words, text: part + more }];
  });
}

function footer(view: RunView, { columns, keys }: TreeOptions): readonly Line[] {
  const lines: Line[] = [];
  if (view.run.reason !== "" && view.run.state !== "RUNNING") {
    const head = ` ${runFaces[view.run.state].word}: `;
    // Why it stands still is what people came to read: it gets the lines it needs, up to a bound.
    const parts = wrap(visible(view.run.reason), columns - textWidth(head) - 2);
    for (const [index, part] of parts.slice(0, mostReasonLines).entries()) {
      const more = index === mostReasonLines - 1 && parts.length > mostReasonLines ? " …" : "";
      lines.push([span(index === 0 ? head : " ".repeat(textWidth(head)), "wait"), span(part + more)]);
    }
  }
  for (const override of view.overrides) {
    lines.push([span(" ⚠ override ", "wait"), span(`${override.what} (${override.by}: ${override.reason})`)]);
  }
  for (const trigger of view.triggers) {
    // A hold is the run's reason and stands above already.
    if (trigger.action !== "throttle" || !stands(trigger)) continue;
    const reason = trigger.firedFor ?? "";
    lines.push([span(" throttled: ", "wait"), span(`one step at a time, ${trigger.name}: ${reason}`)]);
  }
  const silent = view.triggers.filter(({ unproven }) => unproven).map(({ name }) => name);
  if (silent.length > 0)
    for (const [index, row] of flow(silent, columns - 26).entries())
      lines.push([span(index === 0 ? " ⚠ unproven, never fire: " : " ".repeat(25), "wait"), span(row)]);
  const armed = view.triggers.filter((trigger) => trigger.armed).map(triggerText);
  const rows =
    armed.length === 0
      ? []
      : flow(armed, columns - 9).map((row, index) => `${index === 0 ? " armed: " : "        "}${row}`);
  const last = rows.at(-1) ?? "";
  if (keys !== "" && textWidth(last) + textWidth(keys) + 3 > columns) rows.push("");
  for (const [index, row] of rows.entries()) {
    const right: Line = index === rows.length - 1 && keys !== "" ? [span(keys, "dim")] : [];
    lines.push(ends([span(row, "dim")], right, columns));
  }
  if (rows.length === 0 && keys !== "") lines.push([span(` ${keys}`, "dim")]);
  return lines;
}

const stands = ({ armed, firedAt, recoveredAt }: TriggerView): boolean =>
  armed && firedAt !== null && recoveredAt === null;

function triggerText(trigger: TriggerView): string {
  if (trigger.manual) return `${trigger.name} (by hand)`;
  return trigger.last?.verdict === "fail" ? `${trigger.name} (${trigger.last.reason})` : trigger.name;
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
