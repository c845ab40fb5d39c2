import { fromStart, notStarted, startMass } from "./change-points.ts";
import { requireObject, requirePart, requirePositive, requireProbability } from "./input.ts";
import { fromLog, logJeffreys, logLikelihood, logSum } from "./logarithm.ts";
import { rateInterval } from "./rate-values.ts";
import { type Estimate, type Evidence, evidenceOf, ratioReason, type VerdictKind } from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

export interface PooledTestOptions {
  /** The ratio in question: fails above it, passes below it; 1 or more makes sense. */
  readonly by: number;
  readonly alpha: number;
  readonly beta: number;
}

export interface Counts {
  readonly count: number;
  readonly total: number;
}

/** `e` argues against "ratio ≤ by", `ePass` against "ratio ≥ by". */
export interface PooledVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** The ratio of the two rates; its interval from the ends of theirs, so wider than the test needs. */
  readonly ratio: Estimate;
  readonly old: Estimate;
  readonly new: Estimate;
  /** New rate over old, the new one from when it looks worst; absent while it has no failure. */
  readonly recent?: number;
  readonly counts: { readonly old: Counts; readonly new: Counts };
  readonly reason: string;
  /** When holding: further calls of the new side until a verdict, in multiples of those seen. */
  readonly waitFraction?: number;
}

export interface PooledTest {
  /** @throws CUTOVER_GATE_INPUT for counts that cannot be; the test is unchanged then. */
  observe(observation: { readonly old?: Counts; readonly new?: Counts }): void;
  verdict(): PooledVerdict;
}

/**
 * Compares the two sides' rates from counts that need not lie in the same stretch of time: what judges a
 * new side that has all the traffic, against the memory of the old one. Unlike `ratioTest` it takes both
 * rates as steady, so a daily rhythm between the two stretches counts as a difference.
 *
 * Universal inference: the likelihood of both counts averaged over Jeffreys' priors, over its greatest value
 * where the claim is true. Its mean is at most 1 under the claim at any stopping time, so looks are free. (A
 * rate test against `by` times the old side's upper confidence was refused: it spends a second error budget on
 * that bound, and the bound would have to hold at all times as well.)
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function pooledTest(options: PooledTestOptions): PooledTest {
  requireObject("options of pooledTest", options);
  const { by, alpha, beta } = options;
  requirePositive("by", by);
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  let old: Counts = { count: 0, total: 0 };
  let fresh: Counts = { count: 0, total: 0 };
  const failNeeded = Math.log(1 / alpha);
  const passNeeded = Math.log(1 / beta);

  let stretch = -1;
  /** Later starts of the new side's counts: what had been counted when each began, and its weight. */
  let starts: readonly Start[] = [];

  const since = ({ before }: Start): Counts => ({
    count: fresh.count - before.count,
    total: fresh.total - before.total,
  });
  const laterStarts = (): readonly number[] =>
    starts.map((start) => start.lnWeight + lnPooled("above", by, old, since(start)));
  const alarm = (): number =>
    logSum([
      Math.log(fromStart) + lnEvidence("above", 1),
      ...laterStarts(),
      Math.log((1 - fromStart) * notStarted(stretch)),
    ]);

  /** Ratio of the rates, the new side's counted from the start that speaks loudest for "worse". */
  const recent = (): number | undefined => {
    const values = laterStarts();
    const loudest = values.indexOf(Math.max(...values));
    const all = Math.log(fromStart) + lnEvidence("above", 1);
    const start = starts[loudest];
    const { count, total } = start === undefined || all >= (values[loudest] as number) ? fresh : since(start);
    return count === 0 || old.total === 0 ? undefined : count / total / (old.count / old.total);
  };

  const lnEvidence = (side: "above" | "below", times: number): number => {
    const scaled = { count: fresh.count * times, total: fresh.total * times };
    return lnPooled(side, by, old, scaled);
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const { old: moreOld = none, new: moreNew = none } = observation;
      requireObject("old", moreOld);
      requireObject("new", moreNew);
      requirePart("old.count", moreOld.count, "old.total", moreOld.total);
      requirePart("new.count", moreNew.count, "new.total", moreNew.total);
      old = { count: old.count + moreOld.count, total: old.total + moreOld.total };
      if (moreNew.total > 0) {
        stretch++;
        const lnWeight = Math.log((1 - fromStart) * startMass(stretch));
        if (stretch > 0) starts = thinned([...starts, { before: fresh, lnWeight }]);
      }
      fresh = { count: fresh.count + moreNew.count, total: fresh.total + moreNew.total };
    },
    verdict() {
      const above = alarm();
      const lately = recent();
      const below = lnEvidence("below", 1);
      const kind: VerdictKind = above >= failNeeded ? "fail" : below >= passNeeded ? "pass" : "hold";
      const waitFraction =
        kind === "hold" && fresh.total > 0
          ? soonest(
              projectWait((times) => lnEvidence("below", times), passNeeded),
              projectWait((times) => Math.log(fromStart) + lnEvidence("above", times), failNeeded),
            )
          : undefined;
      const before = rateInterval(old.count, old.total, beta);
      const now = rateInterval(fresh.count, fresh.total, beta);
      const ratio = ratioOf(before, now);
      const evidence = evidenceOf(fromLog(above), fromLog(below), options);
      return {
        kind,
        ...evidence,
        ratio,
        old: before,
        new: now,
        ...(lately === undefined ? {} : { recent: lately }),
        counts: { old, new: fresh },
        reason: ratioReason(kind, { ...ratio, ...(lately === undefined ? {} : { recent: lately }) }, by, {
          e: evidence.e,
          ePass: evidence.ePass,
          ...evidence.needed,
        }),
        ...(waitFraction === undefined ? {} : { waitFraction }),
      };
    },
  };
}

interface Start {
  readonly before: Counts;
  readonly lnWeight: number;
}

/** Most later starts that are kept; each costs a likelihood at every look. */
const mostStarts = 64;

/** Every second of the older three quarters goes when there are too many: that only takes evidence away. */
function thinned(starts: readonly Start[]): readonly Start[] {
  if (starts.length <= mostStarts) return starts;
  return starts.filter((_, i) => i % 2 === 0 || i >= 0.75 * mostStarts);
}

function ratioOf(old: Estimate, fresh: Estimate): Estimate {
  const over = (a: number, b: number): number => (b === 0 ? Number.POSITIVE_INFINITY : a / b);
  const [before, now] = [old.estimate, fresh.estimate];
  const known = before !== undefined && now !== undefined && before + now > 0;
  return {
    ...(known ? { estimate: over(now, before) } : {}),
    low: over(fresh.low, old.high),
    high: over(fresh.high, old.low),
  };
}

const none: Counts = { count: 0, total: 0 };

/** ln of the e-value for "ratio above `by`" or "below `by`". 0 while one side has no calls. */
function lnPooled(side: "above" | "below", by: number, old: Counts, fresh: Counts): number {
  if (old.total === 0 || fresh.total === 0) return 0;
  const oldRate = old.count / old.total;
  const newRate = fresh.count / fresh.total;
  const seen = side === "above" ? newRate > by * oldRate : newRate < by * oldRate;
  // Where the counts themselves obey the claim, its greatest likelihood is the unconstrained one.
  const base = seen ? boundaryRate(by, old, fresh) : oldRate;
  const likeliest =
    logLikelihood(old.count, old.total, base) +
    logLikelihood(fresh.count, fresh.total, seen ? Math.min(1, by * base) : newRate);
  return logJeffreys(old.count, old.total) + logJeffreys(fresh.count, fresh.total) - likeliest;
}

/** The old rate p that maximises the likelihood under new rate = by·p: the smaller root of its quadratic. */
function boundaryRate(by: number, old: Counts, fresh: Counts): number {
  const a = by * (old.total + fresh.total);
  const b = fresh.count + old.total + by * (old.count + fresh.total);
  const c = old.count + fresh.count;
  // 2c/(b+√…) instead of (b−√…)/2a: no cancellation where rates are small.
  return (2 * c) / (b + Math.sqrt(Math.max(0, b * b - 4 * a * c)));
}
