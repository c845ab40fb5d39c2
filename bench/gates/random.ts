/** Seeded randomness for simulations: the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Successes of `n` trials with probability `p` each, exact. */
  binomial(n: number, p: number): number;
}

/** sfc32, 128 bits of state; the first twelve numbers are thrown away so that near seeds part. */
export function createRandom(seed: number): Random {
  let [a, b, c, d] = [0, seed | 0, 0x9e3779b9, 1];
  const next = (): number => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    next,
    binomial(n, p) {
      if (p >= 1) return n;
      if (p > 0.5) return n - this.binomial(n, 1 - p);
      // Jumps from success to success: the gap is geometric, so the cost is n·p, not n.
      const scale = Math.log1p(-p);
      let count = 0;
      for (
        let at = Math.floor(Math.log(1 - next()) / scale);
        at < n;
        at += 1 + Math.floor(Math.log(1 - next()) / scale)
      ) {
        count++;
      }
      return count;
    },
  };
}
