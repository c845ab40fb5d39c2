import { type ChangeMixture, changeMixture } from "./change-points.ts";

/** Odds of a slower call on the new side over those on the old, and what weighs how much. */
const odds: readonly number[] = [1.07, 1.15, 1.25, 1.4, 1.7, 2, 2.5, 3.5, 5, 8, 15, 40];
const lnWeights: Float64Array = Float64Array.from(odds, (_, i) => Math.log(i < 8 ? 0.1 : 0.05));

/** One stretch as a 2×k table: calls of each side by class, the fastest class first. */
export interface Table {
  readonly old: readonly number[];
  readonly new: readonly number[];
}

export interface TableEvidence {
  /** `parts`: the part of the old side's calls expected in each class, from earlier stretches; each above 0, 1 together. */
  observe(table: Table, parts: readonly number[]): void;
  ln(): number;
}

/**
 * Evidence that calls of the new side fall into slower classes, from slow and fast calls alike: Turner, Ly and Grünwald,
 * "Generic E-variables for exact sequential k-sample tests", arXiv 2106.02693. With n₀, n₁ calls, p the parts expected of
 * the old side, q those of the new one and p̄ = (n₀p+n₁q)/(n₀+n₁), each call is worth the probability of its class on its own
 * side over p̄. While both sides are alike, with parts π, a = Σ πq/p̄ and b = Σ πp/p̄ have n₁a+n₀b = n₀+n₁, so the mean a^n₁·b^n₀
 * is at most 1: however wrong p is, only power is lost. And q is p with the odds of "slower than this" multiplied (McCullagh, "Regression
 * models for ordinal data", 1980), so q/p grows from class to class: a new side that is faster makes the mean less.
 *
 * With two classes it asks about one threshold, with several whether calls are slower as a whole: that is what ranks tell,
 * and a shift of all calls is then seen after two thirds of the calls that the median alone needs.
 */
export function tableEvidence(): TableEvidence {
  const mixture: ChangeMixture = changeMixture(lnWeights);
  return {
    observe(table, parts) {
      const [oldCalls, newCalls] = [sum(table.old), sum(table.new)];
      if (oldCalls === 0 || newCalls === 0) return;
      const share = newCalls / (oldCalls + newCalls);
      mixture.observe(
        Float64Array.from(odds, (times) => {
          let gain = 0;
          let slower = 1;
          let slowerOnNew = 1;
          for (let i = 0; i < parts.length; i++) {
            const part = parts[i] as number;
            slower = i === parts.length - 1 ? 0 : slower - part;
            const before = slowerOnNew;
            slowerOnNew = (times * slower) / (1 + (times - 1) * slower);
            const worse = before - slowerOnNew;
            const mean = part + (worse - part) * share;
            gain +=
              (table.old[i] as number) * Math.log(part / mean) +
              (table.new[i] as number) * Math.log(worse / mean);
          }
          return gain;
        }),
      );
    },
    ln: () => mixture.ln(),
  };
}

function sum(counts: readonly number[]): number {
  let all = 0;
  for (const count of counts) all += count;
  return all;
}
