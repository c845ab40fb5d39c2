/** ln Σ exp(termᵢ) without overflow; −∞ for no terms. */
export function logSum(terms: ArrayLike<number>): number {
  let top = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < terms.length; i++) top = Math.max(top, terms[i] as number);
  if (top === Number.NEGATIVE_INFINITY) return top;
  let sum = 0;
  for (let i = 0; i < terms.length; i++) sum += Math.exp((terms[i] as number) - top);
  return top + Math.log(sum);
}

/** ln(exp a + exp b), where either may be −∞. */
export function logAdd(a: number, b: number): number {
  const low = a < b ? a : b;
  const high = a < b ? b : a;
  return low === Number.NEGATIVE_INFINITY ? high : high + Math.log1p(Math.exp(low - high));
}

/** Weighted mean of two e-values in log space: still an e-value (the first weighs `weight`). */
export function logMean(weight: number, first: number, second: number): number {
  return logSum([Math.log(weight) + first, Math.log(1 - weight) + second]);
}

/** exp(ln), held at 1e300 so that the figure survives JSON, which knows no infinity. */
export function fromLog(ln: number): number {
  return ln > 690 ? 1e300 : Math.exp(ln);
}

/** count · ln p where 0 · ln 0 is 0. */
export function timesLog(count: number, p: number): number {
  return count === 0 ? 0 : count * Math.log(p);
}

/** ln of the likelihood of `count` out of `total` at rate `p`. */
export function logLikelihood(count: number, total: number, p: number): number {
  return timesLog(count, p) + (total === count ? 0 : (total - count) * Math.log1p(-p));
}

/**
 * ln of the likelihood of the counts averaged over Jeffreys' prior Beta(½, ½): the predictor whose
 * regret against the best rate in hindsight is ½ ln n + O(1), whatever that rate is.
 */
export function logJeffreys(count: number, total: number): number {
  return logGamma(count + 0.5) + logGamma(total - count + 0.5) - logGamma(total + 1) - Math.log(Math.PI);
}

/** ln Γ(x) for x > 0: Stirling's series after shifting x above 10; error below 1e-12. */
export function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 10; y++) shift += Math.log(y);
  const square = 1 / (y * y);
  const series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
