/** How long to wait before the next attempt. All times in milliseconds. */
export interface BackoffPolicy {
  /** Delay before the second attempt. */
  readonly base: number;
  /** Growth from one attempt to the next. */
  readonly factor: number;
  /** No delay is longer. */
  readonly cap: number;
  /** No delay is shorter. */
  readonly floor: number;
  /** Part of the delay that is random, 0 (none) … 1 (full jitter). */
  readonly jitter: number;
}

/** The queue's defaults (REQUIREMENTS S4): 5 s, doubling, at most 300 s, a tenth of it random. */
export const defaultBackoff: BackoffPolicy = { base: 5_000, factor: 2, cap: 300_000, floor: 0, jitter: 0.1 };

/**
 * Delay after the `attempt`-th failure (1 = first), in milliseconds:
 * `d = min(cap, base·factor^(attempt−1))`, of which the part `jitter` is drawn evenly from `[0, d·jitter]`.
 * With `jitter: 1` this is "full jitter"; the result never exceeds `cap` nor falls below `floor`. A `base` of 0 stays 0,
 * however often it is multiplied.
 */
export function backoffDelay(policy: BackoffPolicy, attempt: number, random: () => number): number {
  // The power overflows after some hundred attempts, and 0 times infinity is no number.
  const grown = policy.base === 0 ? 0 : policy.base * policy.factor ** Math.max(0, attempt - 1);
  const full = Math.min(policy.cap, grown);
  const delay = full * (1 - policy.jitter) + full * policy.jitter * random();
  return Math.max(policy.floor, Math.min(policy.cap, delay));
}
