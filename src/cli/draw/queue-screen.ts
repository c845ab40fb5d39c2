import { formatDuration } from "../../core/index.ts";
import { count, latency, perSecond, plural } from "../../report/index.ts";
import type { Spread } from "../queue/flow-tally.ts";
import type { QueueView, WorkerView } from "../queue/queue-view.ts";
import { bar } from "./bar.ts";
import { ends, fit, type Line, span, type Tone } from "./line.ts";
import { orderFaces, orderStateNames } from "./order-face.ts";
import { flow, pad, textWidth, wrap } from "./text-width.ts";

export interface ScreenOptions {
  readonly columns: number;
  /** Lines at most; workers give way first. */
  readonly rows: number;
  /** Where the store lies, for people. */
  readonly store: string;
  /** What keys do; empty when there are none. */
  readonly keys: string;
  /** What printed commands add to mean the same store. */
  readonly storeFlag: string;
}

const statusFaces: Readonly<Record<QueueView["status"], { readonly text: string; readonly tone: Tone }>> = {
  ok: { text: "● well", tone: "good" },
  warning: { text: "◐ look", tone: "wait" },
  critical: { text: "✖ stands still", tone: "bad" },
};

/** One queue as it stands now: rates, orders by state, times, workers, and what to do. */
export function queueScreen(view: QueueView, options: ScreenOptions): readonly Line[] {
  const layouts = [
    { gaps: true, empty: true, times: true },
    { gaps: false, empty: true, times: true },
    { gaps: false, empty: false, times: true },
    { gaps: false, empty: false, times: false },
  ];
  for (const layout of layouts) {
    const lines = laidOut(view, options, layout);
    if (lines.length <= options.rows) return lines;
  }
  return laidOut(view, options, { gaps: false, empty: false, times: false }).slice(0, options.rows);
}

/** What gives way on a low terminal, in this order: empty lines, states that hold nothing, times. */
interface Layout {
  readonly gaps: boolean;
  readonly empty: boolean;
  readonly times: boolean;
}

function laidOut(view: QueueView, options: ScreenOptions, { gaps, empty, times }: Layout): readonly Line[] {
  const { columns } = options;
  const gap: readonly Line[] = gaps ? [[]] : [];
  const top = [header(view, options), ...rates(view, columns), ...gap, ...stateLines(view, columns, empty)];
  const middle = times ? [...gap, ...spreadLines(view, columns), ...gap] : [];
  const bottom = reasonLines(view, options, gap);
  const room = Math.max(1, options.rows - top.length - middle.length - bottom.length - 1);
  const fitted = [...top, ...middle, ...workerLines(view, columns, room)].map((line) => fit(line, columns));
  // What stays on the screen is copied from: a command that is cut leads nowhere, a long one goes on in the next line.
  return [...fitted, ...(Number.isFinite(options.rows) ? bottom.map((line) => fit(line, columns)) : bottom)];
}

function header(view: QueueView, { columns, store }: ScreenOptions): Line {
  const face = statusFaces[view.status];
  const paused: Line = view.config.paused ? [span(" · ◐ paused", "wait")] : [];
  return ends(
    [span(`queue ${view.queue}`, "bold"), span("  "), span(face.text, face.tone), ...paused],
    [span(store, "dim")],
    columns,
  );
}

/** Goes on in the next line where there is no room: what is cut off would be the failures. */
function rates({ flow: rate }: QueueView, columns: number): readonly Line[] {
  const words = [
    `in ${perSecond(rate.submitted)}`,
    `done ${perSecond(rate.completed)}`,
    `retried ${perSecond(rate.retried)}`,
    `failed ${perSecond(rate.failed)}`,
  ];
  const lines = flow(words, columns - 2);
  return lines.map((text, index) => [
    span(` ${text}`),
    ...(index === lines.length - 1 ? [span(`   last ${formatDuration(rate.windowMs)}`, "dim")] : []),
  ]);
}

function stateLines(view: QueueView, columns: number, empty: boolean): readonly Line[] {
  const total = orderStateNames.reduce((sum, state) => sum + view.counts[state], 0);
  const barWidth = columns >= 72 ? 24 : columns >= 56 ? 12 : 0;
  const numbers = Math.max(6, ...orderStateNames.map((state) => count(view.counts[state]).length));
  const shown = orderStateNames.filter((state) => empty || view.counts[state] > 0);
  return shown.map((state) => {
    const face = orderFaces[state];
    const n = view.counts[state];
    const age =
      state === "PENDING" && view.ageMs !== null
        ? `oldest ${barWidth === 0 ? "" : "waits "}${formatDuration(view.ageMs)}`
        : "";
    return [
      span(` ${face.mark} `, n === 0 ? "dim" : face.tone),
      span(pad(face.word, 14), n === 0 ? "dim" : "plain"),
      span(pad(count(n), numbers, "left"), n === 0 ? "dim" : "bold"),
      ...(barWidth === 0 ? [] : [span("  "), ...bar(total === 0 ? 0 : n / total, barWidth)]),
      span(age === "" ? "" : `  ${age}`, "dim"),
    ];
  });
}

const levels = "▁▂▃▄▅▆▇█";

function spreadLines({ flow: times }: QueueView, columns: number): readonly Line[] {
  return [spreadLine("wait", times.wait, columns), spreadLine("run", times.run, columns)];
}

function spreadLine(label: string, spread: Spread, columns: number): Line {
  if (spread.count === 0) return [span(` ${pad(label, 6)}`, "bold"), span("nothing in this time", "dim")];
  const wide: Line =
    columns >= 72 ? [span("   1 ms ", "dim"), span(sparks(spread), "new"), span(" 1 min", "dim")] : [];
  const short: Line = columns >= 72 ? [] : [span("  "), span(sparks(spread), "new")];
  return [
    span(` ${pad(label, 6)}`, "bold"),
    span(`p50 ${pad(latency(spread.p50), 8)} p99 ${pad(latency(spread.p99), 8)}`),
    ...(columns >= 72 ? [span(` max ${pad(latency(spread.max), 8)}`, "dim")] : []),
    ...wide,
    ...short,
  ];
}

/** A bucket that holds anything is never blank. */
function sparks({ buckets }: Spread): string {
  const most = Math.max(1, ...buckets);
  return buckets
    .map((n) =>
      n === 0 ? "·" : (levels[Math.min(levels.length - 1, Math.floor((n / most) * levels.length))] ?? "█"),
    )
    .join("");
}

/** Living workers first; those that do not fit are counted. */
export function workerLines(
  view: Pick<QueueView, "workers">,
  columns: number,
  room: number,
): readonly Line[] {
  const sorted = view.workers.toSorted((a, b) => Number(b.alive) - Number(a.alive));
  if (sorted.length === 0) return [[span(" no workers", "dim")]];
  const alive = sorted.filter((worker) => worker.alive);
  const slots = alive.reduce((sum, worker) => sum + worker.slots, 0);
  const head: Line = [
    span(` ${plural(alive.length, "worker")}`, "bold"),
    span(` · ${plural(slots, "slot")}`, "dim"),
  ];
  const listed = sorted.length + 1 <= room ? sorted : sorted.slice(0, Math.max(0, room - 2));
  const idWidth = Math.min(40, Math.max(0, ...listed.map(({ id }) => textWidth(id))));
  return [
    head,
    ...listed.map((worker) => workerLine(worker, idWidth, columns)),
    ...(listed.length < sorted.length
      ? [[span(`   … ${count(sorted.length - listed.length)} more`, "dim")]]
      : []),
  ];
}

function workerLine(worker: WorkerView, idWidth: number, columns: number): Line {
  const tags = worker.tags.map((tag) => `#${tag}`).join(" ");
  const seen = worker.alive
    ? `seen ${formatDuration(worker.seenAgoMs)} ago`
    : `silent for ${formatDuration(worker.seenAgoMs)}`;
  const { staggerMs } = worker;
  const starts = staggerMs === null || staggerMs === 0 ? "" : `${formatDuration(staggerMs)} stagger`;
  const says = [`${plural(worker.slots, "slot")}`, worker.kinds.join(", "), tags, seen, starts];
  return [
    span(`   ${worker.alive ? "●" : "○"} `, worker.alive ? "busy" : "quiet"),
    span(pad(worker.id, columns >= 72 ? idWidth : Math.min(idWidth, 22))),
    span(`  ${says.filter((part) => part !== "").join(" · ")}`, "dim"),
  ];
}

function reasonLines(
  view: QueueView,
  { columns, keys, storeFlag }: ScreenOptions,
  gap: readonly Line[],
): readonly Line[] {
  const lines: Line[] = view.reasons.flatMap(({ level, message, command }): readonly Line[] => {
    const tone: Tone = level === "critical" ? "bad" : "wait";
    const mark = level === "critical" ? "✖" : "⚠";
    const step = command === "" ? "" : `npx ${command}${storeFlag}`;
    const [first = "", ...rest] = wrap(message, columns - 4);
    const both = rest.length === 0 && textWidth(first) + textWidth(step) + 8 <= columns;
    const head: Line = [span(` ${mark} `, tone), span(first)];
    const says = [head, ...rest.map((line): Line => [span(`   ${line}`)])];
    if (step === "") return says;
    return both
      ? [[...head, span(" → ", "dim"), span(step, "bold")]]
      : [...says, [span("   → ", "dim"), span(step, "bold")]];
  });
  if (keys !== "") lines.push(...gap, [span(` ${keys}`, "dim")]);
  return lines.length === 0 ? [] : [...gap, ...lines];
}

/** The same as one line of a log. */
export function queueLine(view: QueueView): Line {
  const { counts, flow: rate } = view;
  const time = new Date(view.at).toISOString().slice(11, 19);
  const parts = [
    ...orderStateNames
      .filter((state) => counts[state] > 0)
      .map((state) => `${orderFaces[state].word} ${count(counts[state])}`),
    `in ${perSecond(rate.submitted)}`,
    `done ${perSecond(rate.completed)}`,
    ...(rate.wait.count === 0 ? [] : [`wait p50 ${latency(rate.wait.p50)} p99 ${latency(rate.wait.p99)}`]),
    ...(rate.run.count === 0 ? [] : [`run p50 ${latency(rate.run.p50)} p99 ${latency(rate.run.p99)}`]),
    plural(view.workers.filter((worker) => worker.alive).length, "worker"),
    ...view.reasons.map(({ message }) => message),
  ];
  return [span(`${time}  `, "dim"), span(view.queue, "bold"), span(`  ${parts.join(" · ")}`)];
}
