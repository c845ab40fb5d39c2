import { formatDuration } from "../../core/index.ts";
import {
  actionWords,
  type PhaseView,
  phaseFaces,
  runFaces,
  type RunView,
  sharePercent,
  type StepView,
  stepFaces,
} from "../../report/index.ts";
import { type Line, span, type Tone } from "./line.ts";

/** Steps of larger phases are told as a count, not one by one. */
const mostStepsTold = 50;
/** Something is said at least so often, so that a log shows life. */
const quietMs = 15_000;

/**
 * Turns views into a log: one timed line for each thing that changed since the view before. Used wherever stdout is
 * no terminal.
 */
export class PlainLines {
  #last: RunView | undefined;
  #saidAt = 0;
  readonly #since: number;
  readonly #said = new Set<string>();

  /** @param since wall-clock milliseconds: what ended before is not told step by step */
  constructor(since: number) {
    this.#since = since;
  }

  /** Lines for what is new in `view`. */
  next(view: RunView): readonly Line[] {
    const lines: Line[] = [];
    const last = this.#last;
    const say = (at: number, ...text: Line): void =>
      void lines.push([span(`${clockTime(at)}  `, "dim"), ...text]);
    const once = (key: string, at: number, ...text: Line): void => {
      if (this.#said.has(key)) return;
      this.#said.add(key);
      say(at, ...text);
    };
    if (last === undefined) {
      say(
        view.run.at,
        span(view.run.migration, "bold"),
        span(` · run ${view.run.id} · ${runFaces[view.run.state].word}`),
      );
    }
    for (const phase of view.phases) {
      this.#phase(
        phase,
        last?.phases.find((each) => each.name === phase.name),
        view.run.at,
        say,
      );
    }
    for (const { gate, verdict, reason, at } of view.phases.flatMap((phase) => phase.verdicts)) {
      if (verdict === "fail")
        once(`fail ${gate} ${reason}`, at, span("  ✖ ", "bad"), span(`${gate}: ${reason}`));
    }
    for (const trigger of view.triggers) {
      if (trigger.firedAt === null) continue;
      const by = trigger.firedBy === null ? "" : ` by ${trigger.firedBy}`;
      const text = `${trigger.name}${by} → ${actionWords(trigger.action)}: ${trigger.firedFor ?? ""}`;
      once(
        `fired ${trigger.name} ${trigger.firedAt}`,
        trigger.firedAt,
        span("✖ trigger ", "bad"),
        span(text),
      );
      if (trigger.recoveredAt === null) continue;
      const over = `${trigger.name} is over`;
      once(
        `over ${trigger.name} ${trigger.recoveredAt}`,
        trigger.recoveredAt,
        span("✔ trigger ", "good"),
        span(over),
      );
    }
    for (const incident of view.incidents) {
      once(
        `incident ${incident.id}`,
        incident.openedAt,
        span("✖ incident ", "bad"),
        span(`${incident.id}: ${incident.summary}`),
      );
    }
    for (const { at, what, by, reason } of view.overrides) {
      once(`override ${at} ${what}`, at, span("⚠ override ", "wait"), span(`${what} (${by}: ${reason})`));
    }
    for (const wanted of view.wanted) {
      const key = `wanted ${wanted.phase} ${wanted.evidence} ${wanted.given.length}`;
      const who = wanted.from.length === 0 ? "" : ` from ${wanted.from.join(", ")}`;
      const text = `${wanted.phase} waits for approval, ${wanted.given.length} of ${wanted.needed} given${who}: npx ${wanted.command}`;
      once(key, view.run.at, span("◐ ", "wait"), span(text));
    }
    if (last !== undefined && last.run.state !== view.run.state) {
      const face = runFaces[view.run.state];
      say(
        view.run.at,
        span(`${face.mark} ${face.word}`, face.tone),
        span(view.run.reason === "" ? "" : `: ${view.run.reason}`),
      );
    }
    const waits = view.run.waitsFor;
    // The reason of a run that goes back, or has ended, stands in the line that said so.
    const told = last !== undefined && last.run.state !== view.run.state && waits === view.run.reason;
    const standing = view.run.state === "RUNNING" || view.run.state === "HOLDING";
    if (standing && !told && waits !== "" && waits !== last?.run.waitsFor && view.wanted.length === 0)
      say(view.run.at, span("◐ waits: ", "wait"), span(waits));
    if (lines.length === 0 && view.run.at - this.#saidAt >= quietMs) {
      for (const phase of view.phases) {
        if (phase.state !== "PENDING" && phase.state !== "SEALED" && phase.state !== "ROLLED_BACK") {
          say(view.run.at, span(`  ${phase.name} `), span(phase.headline, "dim"));
        }
      }
    }
    if (lines.length > 0) this.#saidAt = view.run.at;
    this.#last = view;
    return lines;
  }

  #phase(
    phase: PhaseView,
    before: PhaseView | undefined,
    at: number,
    say: (at: number, ...text: Line) => void,
  ): void {
    const face = phaseFaces[phase.state];
    // What was over before anybody looked is told by its phase's line alone.
    const past = before === undefined && phase.endedAt !== null && phase.endedAt < this.#since;
    if ((before?.state ?? "PENDING") === "PENDING" && phase.state !== "PENDING" && !past) {
      say(phase.startedAt ?? at, span("● ", "busy"), span(phase.name, "bold"), span(" begins"));
    }
    if (phase.steps.length + phase.hiddenSteps <= mostStepsTold && !past) {
      for (const step of phase.steps)
        this.#step(
          step,
          before?.steps.find((each) => each.id === step.id),
          at,
          say,
        );
    }
    if (before?.state === phase.state || phase.state === "PENDING") return;
    if (phase.state === "CHECKING" || phase.state === "RUNNING") return;
    const time =
      phase.elapsedMs === null || phase.endedAt === null ? "" : ` after ${formatDuration(phase.elapsedMs)}`;
    const says = phase.headline === "" ? "" : ` · ${phase.headline}`;
    say(
      phase.endedAt ?? at,
      span(`${face.mark} `, face.tone),
      span(phase.name, "bold"),
      span(` ${face.word}${time}${says}`),
    );
  }

  #step(
    step: StepView,
    before: StepView | undefined,
    at: number,
    say: (at: number, ...text: Line) => void,
  ): void {
    const share = step.progress?.share ?? null;
    if (step.state === "RUNNING" && share !== null && share !== (before?.progress?.share ?? null)) {
      say(
        at,
        span(`  ${step.name} at ${sharePercent(share)}`),
        span(step.progress?.note ? ` · ${step.progress.note}` : "", "dim"),
      );
    }
    if (before?.state === step.state && before.attempt === step.attempt) return;
    if (step.state === "PENDING" || (step.state === "RUNNING" && step.attempt <= 1)) return;
    const face = stepFaces[step.state];
    const tone: Tone = face.tone;
    const time =
      step.elapsedMs === null || step.endedAt === null ? "" : ` after ${formatDuration(step.elapsedMs)}`;
    const word = step.state === "RUNNING" ? `attempt ${step.attempt}` : face.word;
    const says = step.line === "" || step.line === face.word ? "" : ` · ${step.line}`;
    say(step.endedAt ?? at, span(`  ${face.mark} `, tone), span(`${step.name} ${word}${time}${says}`));
  }
}

/** Local time of day: `12:00:05`. */
function clockTime(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
}
