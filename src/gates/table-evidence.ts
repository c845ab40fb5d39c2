import { type ChangeMixture, changeMixture } from "./change-points.ts";

/** Odds of a slow call on the new side over those on the old, and what weighs how much. */
const odds: Float64Array = Float64Array.from([1.07, 1.15, 1.25, 1.4, 1.7, 2, 2.5, 3.5, 5, 8, 15, 40]);
const lnWeights: Float64Array = odds.map((_, i) => Math.log(i < 8 ? 0.1 : 0.05));

/** One stretch as a 2×2 table: slow calls and all calls of each side. */
export interface Table {
  readonly old: { readonly slow: number; readonly calls: number };
  readonly new: { readonly slow: number; readonly calls: number };
}

export interface TableEvidence {
  /** `slowPart`: the part of the old side's calls expected to be slow, from earlier stretches; between 0 and 1. */
  observe(table: Table, slowPart: number): void;
  ln(): number;
}

/**
 * Evidence that slow calls are more frequent on the new side, from slow and fast calls alike: Turner, Ly and Grünwald,
 * "Generic E-variables for exact sequential k-sample tests", arXiv 2106.02693. With n₀, n₁ calls, expected slow parts
 * θ₀ (old) and θ₁ (new, odds times those of θ₀) and their mean θ̄ = (n₀θ₀+n₁θ₁)/(n₀+n₁), each call is worth its
 * probability under its own side's θ over that under θ̄. The mean is at most 1 for any equal parts, and less when the
 * new side's is smaller (slow new calls count up, slow old ones down): so however wrong θ₀ is, only power is lost.
 * The ratio of slow calls alone knows less where slow is frequent: at the median only half as much.
 */
export function tableEvidence(): TableEvidence {
  const mixture: ChangeMixture = changeMixture(lnWeights);
  return {
    observe({ old, new: fresh }, slowPart) {
      const calls = old.calls + fresh.calls;
      if (old.calls === 0 || fresh.calls === 0) return;
      const usual = slowPart / (1 - slowPart);
      mixture.observe(
        odds.map((times) => {
          const worse = (times * usual) / (1 + times * usual);
          const mean = (old.calls * slowPart + fresh.calls * worse) / calls;
          const gain = (count: number, all: number, part: number): number =>
            count * Math.log(part / mean) + (all - count) * Math.log((1 - part) / (1 - mean));
          return gain(old.slow, old.calls, slowPart) + gain(fresh.slow, fresh.calls, worse);
        }),
      );
    },
    ln: () => mixture.ln(),
  };
}
