import { logSum } from "./logarithm.ts";

/** Ratios from 1/100 to 1000, 5 % apart, so that 1.1 … 10 of the alarm lie on the same grid. */
const step = 0.05;
const below = 92;
const above = 138;

/** ln of every ratio of the grid, ascending. */
export const logRatios: Float64Array = Float64Array.from(
  { length: below + above + 1 },
  (_, i) => step * (i - below),
);

/** ratio − 1, for ln(1 + (r − 1)·ρ). */
export const excesses: Float64Array = logRatios.map((ln) => Math.expm1(ln));

/** The first and last index of the alarm's alternatives: 1.1 … 10. */
export const alarmFrom: number = below + 2;
export const alarmTo: number = below + 46;

const normalised = (weights: Float64Array): Float64Array => {
  const total = logSum(weights);
  return weights.map((weight) => weight - total);
};

/** ln of the alarm's alternatives. */
export const alarmLogs: Float64Array = logRatios.slice(alarmFrom, alarmTo + 1);

/** Density of Laplace's distribution in ln r around `centre`. */
const laplace = (ln: number, centre: number, width: number): number =>
  Math.exp(-Math.abs(ln - Math.log(centre)) / width) / (2 * width);

/**
 * ln weights of the alarm's alternatives: most around 2, the slowest fault worth noticing, the rest around 5.
 * Median seconds to notice in 10,000 runs simulated as in `bench/gates` (×2 at 200 and 2000 calls/s, ×5 at
 * 200/s): 127, 14, 15; evenly spread weights need 144, 16, 14; all weight on 2 needs 110, 12, 20.
 */
export const alarmWeights: Float64Array = normalised(
  logRatios
    .slice(alarmFrom, alarmTo + 1)
    .map((ln) => Math.log(0.6 * laplace(ln, 2, 0.2) + 0.4 * laplace(ln, 5, 0.4))),
);

/** ln weights over the whole grid for the interval: Laplace in ln r around 1, so half within 2× either way. */
export const intervalWeights: Float64Array = normalised(logRatios.map((ln) => -Math.abs(ln)));

/**
 * ln(1 + excess·share) of every excess, remembered for the shares seen last: a logarithm of 231 ratios costs 10 µs, the
 * ten tests of one latency judge share them, and small counts give few different shares.
 */
export function logTables(of: Float64Array, most: number): (share: number) => Float64Array {
  const known = new Map<number, Float64Array>();
  return (share) => {
    const found = known.get(share);
    if (found !== undefined) return found;
    if (known.size >= most) known.clear();
    const table = of.map((excess) => Math.log1p(excess * share));
    known.set(share, table);
    return table;
  };
}

/** The tables of the whole grid, for all tests together. */
export const gridTable: (share: number) => Float64Array = logTables(excesses, 256);
