import { formatDuration } from "../core/index.ts";
import type { GrowthCondition } from "../plan/index.ts";
import type { Judgement } from "./judges.ts";
import type { MetricSources } from "./metric-judge.ts";

/** Readings are at least so far apart, so that a fast look costs nobody anything, milliseconds. */
const shortestPace = 1_000;
/** Readings a window holds at most. */
const most = 60;
/** The readings must reach over so much of the window. */
const least = 0.9;

/** The growth of a figure per `perMs`, by the line of least squares through its readings of the last `perMs`. */
export class GrowthJudge {
  readonly since: number;
  readonly #sources: Pick<MetricSources, "clock">;
  readonly #condition: GrowthCondition;
  #readings: { readonly at: number; readonly value: number }[] = [];
  #next = Number.NEGATIVE_INFINITY;

  constructor(sources: Pick<MetricSources, "clock">, condition: GrowthCondition, since: number) {
    this.#sources = sources;
    this.#condition = condition;
    this.since = since;
  }

  /** @throws what the reading throws, and for a reading that is no number: then nothing is known about the present. */
  async look(): Promise<Judgement> {
    const { clock } = this.#sources;
    const { figure, limit, perMs, read } = this.#condition;
    if (clock.monotonic() >= this.#next) {
      this.#next = clock.monotonic() + Math.max(shortestPace, perMs / most);
      const value = await read();
      if (!Number.isFinite(value)) throw new TypeError(`expected a finite number, found ${String(value)}`);
      this.#readings.push({ at: clock.monotonic(), value });
    }
    const from = clock.monotonic() - perMs;
    this.#readings = this.#readings.filter(({ at }) => at >= from);
    const [first, last] = [this.#readings[0], this.#readings.at(-1)];
    const span = first === undefined || last === undefined ? 0 : last.at - first.at;
    const per = formatDuration(perMs);
    const seen = { figure, limit, perMs, readings: this.#readings.length, spanMs: span };
    if (first === undefined || last === undefined || span < least * perMs) {
      const reason = `${figure} is read for ${formatDuration(span)} of ${per}`;
      const verdict = { kind: "hold" as const, reason, waitMs: Math.max(0, least * perMs - span) };
      return { verdict, evidence: seen };
    }
    const growth = slope(this.#readings) * perMs;
    const shown = Number(growth.toPrecision(4));
    const evidence = { ...seen, growth: shown, from: first.value, to: last.value };
    const reason = `${figure} grows by ${shown} in ${per}, limit ${limit}`;
    return { verdict: { kind: growth > limit ? "fail" : "pass", reason, figures: evidence }, evidence };
  }
}

/** Of the line of least squares, per millisecond. */
function slope(readings: readonly { readonly at: number; readonly value: number }[]): number {
  const n = readings.length;
  const meanAt = readings.reduce((sum, { at }) => sum + at, 0) / n;
  const meanValue = readings.reduce((sum, { value }) => sum + value, 0) / n;
  let together = 0;
  let apart = 0;
  for (const { at, value } of readings) {
    together += (at - meanAt) * (value - meanValue);
    apart += (at - meanAt) ** 2;
  }
  return apart === 0 ? 0 : together / apart;
}
