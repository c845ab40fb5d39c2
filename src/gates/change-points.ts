import { logAdd, logSum } from "./logarithm.ts";

/** Weight of "bad from the first stretch on"; the rest is for sides that turn bad later. */
export const fromStart = 0.8;

/**
 * Part of the later starts that begins with stretch `i` (the first is 0, which belongs to `fromStart`):
 * ln 2·(1/ln(i+1) − 1/ln(i+2)), so they add up to 1 and a start after i stretches costs only about
 * ln i + 2·ln ln i, whatever the pace of the stretches.
 */
export function startMass(i: number): number {
  return i === 0 ? 0 : notStarted(i - 1) - notStarted(i);
}

/** Part of the later starts that has not begun after stretch `i`. */
export function notStarted(i: number): number {
  return i < 0 ? 1 : Math.LN2 / Math.log(i + 2);
}

/** An e-value mixed over alternatives and over the stretch from which they hold. */
export interface ChangeMixture {
  /** One stretch: what it adds to each alternative's log likelihood ratio; absent when it tells nothing. */
  observe(gains?: Float64Array): void;
  ln(): number;
  /** The mean of `values` over the alternatives, each weighing as much as the evidence for it. */
  mean(values: Float64Array): number;
}

/** Counts since the stretch from which on things look worse: for telling people how bad it is now. */
export interface SinceTurn {
  /** `gain`: what the stretch adds to a log likelihood ratio of worse against healthy. */
  observe(gain: number, counts: readonly number[]): void;
  /** Sums of the counts since the turn; absent while nothing looks worse. */
  sums(): readonly number[] | undefined;
}

/** Page's rule: forget everything whenever the sum of gains falls to 0. */
export function sinceTurn(): SinceTurn {
  let level = 0;
  let sums: readonly number[] | undefined;
  return {
    observe(gain, counts) {
      level += gain;
      const before = sums;
      sums = level > 0 ? counts.map((count, i) => count + (before?.[i] ?? 0)) : undefined;
      level = Math.max(0, level);
    },
    sums: () => sums,
  };
}

/**
 * Evidence gathered from the first stretch on speaks for a side that was healthy for long, and a later fault
 * would have to outweigh all of it: without this, a side that fails every call after ten good minutes was
 * noticed after 6 to 12 s, after an hour never in time. A likelihood ratio that starts later is an e-value as
 * well (it is 1 until then), and so is the mixture over all starts; it is updated in constant time.
 */
export function changeMixture(lnWeights: Float64Array): ChangeMixture {
  const start = lnWeights.map((weight) => Math.log(fromStart) + weight);
  const of = (k: number): number => logAdd(start[k] as number, later[k] as number);
  const later = new Float64Array(lnWeights.length).fill(Number.NEGATIVE_INFINITY);
  const lnLater = Math.log(1 - fromStart);
  let stretch = -1;
  /** Starts in stretches that told nothing, waiting for the first that does. */
  let waiting = 0;

  return {
    observe(gains) {
      stretch++;
      waiting += startMass(stretch);
      if (gains === undefined) return;
      const joining = lnLater + Math.log(waiting);
      waiting = 0;
      for (let k = 0; k < gains.length; k++) {
        const gain = gains[k] as number;
        start[k] = (start[k] as number) + gain;
        later[k] = logAdd(later[k] as number, joining + (lnWeights[k] as number)) + gain;
      }
    },
    mean(values) {
      const all = logSum(start.map((_, k) => of(k)));
      return values.reduce((sum, value, k) => sum + value * Math.exp(of(k) - all), 0);
    },
    ln: () => logAdd(logAdd(logSum(start), logSum(later)), lnLater + Math.log(waiting + notStarted(stretch))),
  };
}
