/** How many times the traffic seen so far a wait may be before it counts as unknowable. */
const horizon = 1024;

/**
 * How much more traffic, in multiples of what was seen, until `lnE` reaches `target`, where `lnE(k)` is
 * the log e-value of k times the evidence seen. Absent when it is not reached within 1024 times.
 */
export function projectWait(lnE: (times: number) => number, target: number): number | undefined {
  let high = 1;
  while (lnE(high) < target) {
    if (high >= horizon) return undefined;
    high *= 2;
  }
  let low = high / 2;
  for (let round = 0; round < 12; round++) {
    const middle = (low + high) / 2;
    if (lnE(middle) < target) low = middle;
    else high = middle;
  }
  return Math.max(0, high - 1);
}

/** The shortest of several waits; absent when none is known. */
export function soonest(...waits: readonly (number | undefined)[]): number | undefined {
  const known = waits.filter((wait): wait is number => wait !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
