import type { Interval, JsonObject } from "../core/index.ts";
import { staticLimit } from "../gates/index.ts";
import type { ThroughputCondition } from "../plan/index.ts";
import type { Judgement } from "./judges.ts";
import type { MetricSources } from "./metric-judge.ts";

/** How far back the old side's pace is remembered, for when it answers nothing any more, milliseconds. */
const memoryMs = 3_600_000;
/** Doors report four times a second; a window is judged once their last reports can have come, milliseconds. */
const lateMs = 2_000;

/** What one route did in one window. */
interface Window {
  /** Answered without an error by the new side. */
  done: number;
  /** What its share would have answered at the old side's pace of the same window. */
  expected: number;
  /** Answered by the old side. */
  oldDone: number;
  /** Seconds of reports, of all doors together; those with the new side alone; and weighed by the old side's part. */
  reports: number;
  alone: number;
  oldPart: number;
}

/** How much the new side gets done, against what its share of the keys would at the old side's pace. */
export class ThroughputJudge {
  readonly since: number;
  readonly #sources: Pick<MetricSources, "store" | "clock" | "touched">;
  readonly #condition: ThroughputCondition;
  readonly #routes = new Map<string, { position: number; readonly windows: Map<number, Window> }>();

  constructor(
    sources: Pick<MetricSources, "store" | "clock" | "touched">,
    condition: ThroughputCondition,
    since: number,
  ) {
    this.#sources = sources;
    this.#condition = condition;
    this.since = since;
  }

  async look(): Promise<Judgement> {
    const { route, limit, minSample, n, m, windowMs } = this.#condition;
    const names = route === undefined ? [...this.#sources.touched] : [route];
    for (const name of names) await this.#read(name);
    const now = this.#sources.clock.now();
    const first = Math.ceil(this.since / windowMs);
    const last = Math.floor((now - lateMs) / windowMs) - 1;
    const test = staticLimit({ limit, direction: "below", minSample, n, m });
    const judged: JsonObject[] = [];
    for (const key of this.#keys(first, last)) {
      const { done, expected } = this.#sum(key);
      if (expected <= 0) continue;
      test.observe({ value: done / expected, sample: Math.floor(expected) });
      if (expected >= minSample)
        judged.push({ from: key * windowMs, done, expected: Number(expected.toPrecision(6)) });
    }
    const { kind, over, judged: count, value, reason } = test.verdict();
    const figures = { over, judged: count, limit, ...(value === undefined ? {} : { value }) };
    const verdict = { kind, reason: `part of the old side's throughput: ${reason}`, figures };
    return {
      verdict,
      evidence: { measure: { of: "throughput", routes: names }, ...figures, windows: judged.slice(-m) },
    };
  }

  async #read(route: string): Promise<void> {
    const { windowMs } = this.#condition;
    const known = this.#routes.get(route) ?? { position: 0, windows: new Map<number, Window>() };
    this.#routes.set(route, known);
    const since = this.since - memoryMs;
    const found = await this.#sources.store.routes.arrivals({ route, after: known.position, since });
    known.position = found.position;
    for (const interval of found.intervals)
      add(known.windows, Math.floor(interval.from / windowMs), interval);
    // The newest hour in which the old side answered must stay, however long ago it was.
    const newestOld = Math.max(
      ...[...known.windows].filter(([, { oldPart }]) => oldPart > 0).map(([key]) => key),
    );
    const oldest = Math.floor((this.#sources.clock.now() - memoryMs) / windowMs);
    for (const key of known.windows.keys())
      if (key < oldest && !(key > newestOld - memoryMs / windowMs)) known.windows.delete(key);
  }

  #keys(first: number, last: number): readonly number[] {
    const keys = new Set([...this.#routes.values()].flatMap(({ windows }) => [...windows.keys()]));
    return [...keys].filter((key) => key >= first && key <= last).toSorted((a, b) => a - b);
  }

  #sum(key: number): { readonly done: number; readonly expected: number } {
    let done = 0;
    let expected = 0;
    for (const { windows } of this.#routes.values()) {
      const window = windows.get(key);
      if (window === undefined) continue;
      // In the window in which the old side stopped answering, neither way of counting holds.
      const mixed = window.alone > 0 && window.alone < window.reports;
      const due = mixed ? 0 : window.alone > 0 ? pace(windows, key) : window.expected;
      if (due <= 0) continue;
      done += window.done;
      expected += due;
    }
    return { done, expected };
  }
}

function add(windows: Map<number, Window>, key: number, interval: Interval): void {
  const window = windows.get(key) ?? { done: 0, expected: 0, oldDone: 0, oldPart: 0, reports: 0, alone: 0 };
  windows.set(key, window);
  const { stage, share, old, new: fresh, from, to } = interval;
  const part = stage === "complete" || stage === "rampdown" ? 1 : stage === "live" ? share / 100 : 0;
  const seconds = Math.max(0, to - from) / 1_000;
  window.reports += seconds;
  window.done += fresh.calls - fresh.errors;
  if (part === 1) {
    window.alone += seconds;
    return;
  }
  const oldDone = old.calls - old.errors;
  window.oldDone += oldDone;
  window.oldPart += (1 - part) * seconds;
  window.expected += (oldDone * part) / (1 - part);
}

/**
 * Calls in one window at the pace the old side had for all keys in the windows before this one; 0 when none is known.
 * By windows, not by reports: how many doors share the traffic says nothing about how much there is.
 */
function pace(windows: ReadonlyMap<number, Window>, before: number): number {
  let done = 0;
  let parts = 0;
  for (const [key, { oldDone, oldPart, reports, alone }] of windows) {
    if (key >= before || alone > 0 || reports === 0) continue;
    done += oldDone;
    parts += oldPart / reports;
  }
  return parts === 0 ? 0 : done / parts;
}
