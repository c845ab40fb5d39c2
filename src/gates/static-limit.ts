import { requireCount, requireFinite, requireObject, requireOneOf, requirePart } from "./input.ts";
import { figure, type VerdictKind } from "./verdict.ts";

export interface StaticLimitOptions {
  readonly limit: number;
  /** Which side of the limit is bad. */
  readonly direction: "above" | "below";
  /** Intervals with fewer calls than this are passed over. */
  readonly minSample: number;
  /** Fails when `n` of the last `m` intervals with enough calls are over the limit; 1 ≤ n ≤ m. */
  readonly n: number;
  readonly m: number;
}

export interface StaticVerdict {
  readonly kind: VerdictKind;
  /** Intervals over the limit among those judged, and those judged (at most m). */
  readonly over: number;
  readonly judged: number;
  /** The latest judged value. */
  readonly value?: number;
  readonly reason: string;
}

export interface StaticLimit {
  /** One interval's value and the number of calls it rests on. @throws CUTOVER_GATE_INPUT */
  observe(observation: { readonly value: number; readonly sample: number }): void;
  verdict(): StaticVerdict;
}

/**
 * A plain limit, made bearable on little traffic by a minimum sample and "n of m": fails when n of the last
 * m judged intervals are over it, passes when m were judged and fewer are, holds before that.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function staticLimit(options: StaticLimitOptions): StaticLimit {
  requireObject("options of staticLimit", options);
  const { limit, direction, minSample, n, m } = options;
  requireOneOf("direction", direction, ["above", "below"]);
  requireFinite("limit", limit);
  requireCount("minSample", minSample);
  requireCount("n", n, 1);
  requirePart("n", n, "m", m);
  const last: number[] = [];
  const isOver = (value: number): boolean => (direction === "above" ? value > limit : value < limit);

  return {
    observe(observation) {
      requireObject("observation", observation);
      const { value, sample } = observation;
      requireFinite("value", value);
      requireCount("sample", sample);
      if (sample < minSample) return;
      last.push(value);
      if (last.length > m) last.shift();
    },
    verdict() {
      const over = last.filter(isOver).length;
      const judged = last.length;
      const kind: VerdictKind = over >= n ? "fail" : judged >= m ? "pass" : "hold";
      const value = last.at(-1);
      const which = `${over} of ${judged} intervals ${direction} ${figure(limit)}`;
      const sample = minSample > 1 ? ` with at least ${minSample} calls` : "";
      const rule = kind === "hold" ? `, needs ${m}${sample}` : ` (fails at ${n} of ${m})`;
      return {
        kind,
        over,
        judged,
        ...(value === undefined ? {} : { value }),
        reason: value === undefined ? `no interval yet${sample}` : which + rule,
      };
    },
  };
}
