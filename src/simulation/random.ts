/** Seeded randomness: the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Successes of `n` trials with probability `p` each, exact. */
  binomial(n: number, p: number): number;
  /** Exact up to a mean of 500; above it the normal distribution rounded, 0.1 % off in the tails that matter. */
  poisson(mean: number): number;
}

/** sfc32 (PractRand), 128 bits of state; the first numbers are thrown away so that near seeds part. */
export function createRandom(...seeds: readonly number[]): Random {
  let [a, b, c, d] = [seeds[0] ?? 0, seeds[1] ?? 0, seeds[2] ?? 0x9e3779b9, 1];
  const next = (): number => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 16; i++) next();

  const binomial = (n: number, p: number): number => {
    if (p >= 1) return n;
    if (p <= 0 || n <= 0) return 0;
    if (p > 0.5) return n - binomial(n, 1 - p);
    // From success to success: the gap is geometric, so the cost is n·p, not n.
    const scale = Math.log1p(-p);
    const gap = (): number => Math.floor(Math.log(1 - next()) / scale);
    let count = 0;
    for (let at = gap(); at < n; at += 1 + gap()) count++;
    return count;
  };

  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());

  const poisson = (mean: number): number => {
    if (mean <= 0) return 0;
    if (mean > 500) return Math.max(0, Math.round(mean + Math.sqrt(mean) * gauss()));
    // Arrivals of a process of rate 1 in a stretch of length `mean`.
    let count = 0;
    for (let at = -Math.log(1 - next()); at < mean; at -= Math.log(1 - next())) count++;
    return count;
  };
  return { next, binomial, poisson };
}
