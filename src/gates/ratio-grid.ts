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

/**
 * ln weights of the alarm's alternatives, falling as r^−½: measured by `bench/gates`, this gives up 2 s
 * of 130 at a ratio of 2 against the best tried and gains as much at 5.
 */
export const alarmWeights: Float64Array = normalised(
  logRatios.slice(alarmFrom, alarmTo + 1).map((ln) => -0.5 * ln),
);

/** ln weights over the whole grid for the interval: Laplace in ln r around 1, so half within 2× either way. */
export const intervalWeights: Float64Array = normalised(logRatios.map((ln) => -Math.abs(ln)));
