import {
  requireFinite,
  requireObject,
  requirePart,
  requirePositive,
  requireProbability,
  requireShare,
} from "./input.ts";
import { changeMixture, fromStart, sinceTurn } from "./change-points.ts";
import { fromLog, logMean, logSum } from "./logarithm.ts";
import {
  alarmFrom,
  alarmLogs,
  alarmTo,
  alarmWeights,
  gridTable,
  intervalWeights,
  logRatios,
  logTables,
} from "./ratio-grid.ts";
import {
  type Estimate,
  type Evidence,
  evidenceOf,
  needsText,
  ratioReason,
  type VerdictKind,
} from "./verdict.ts";
import { projectWait, soonest } from "./wait.ts";

export interface RatioTestOptions {
  /** Greatest probability, over all looks together, of failing a side whose ratio is at most 1. */
  readonly alpha: number;
  /** Passes when a ratio of this or more is ruled out, e.g. 2. */
  readonly clearBelow: number;
  /** Greatest probability, over all looks together, of passing a side whose ratio is `clearBelow` or more. */
  readonly beta: number;
  /** Fails only while the likely ratio is also at least this; default 1. It can only lower false alarms. */
  readonly failAbove?: number;
}

/** One stretch of time. Counts are whole numbers. */
export interface RatioObservation {
  /** Part of the stretch's calls that went to the new side, 0 … 1. */
  readonly share: number;
  readonly newErrors: number;
  /** Errors of both sides. */
  readonly allErrors: number;
  /** Length of the stretch; when every one is given, `needs` speaks in time. */
  readonly ms?: number;
}

/** `e` argues for "the new side is worse", `ePass` for "below clearBelow". */
export interface RatioVerdict extends Evidence {
  readonly kind: VerdictKind;
  /** Error rate of the new side over that of the old, with a (1 − beta) interval valid at all times. */
  readonly ratio: Estimate;
  /** The ratio since the stretch from which on the new side looks worse; absent while it does not. */
  readonly recent?: number;
  /** Whether the ratio that the evidence speaks for is at least `failAbove`. */
  readonly tooHigh: boolean;
  /** Errors that told the sides apart: those of stretches where both had calls. */
  readonly errors: { readonly new: number; readonly all: number };
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
  /** When holding: the same for people, e.g. `about 80 s at this traffic`. */
  readonly needs?: string;
}

export interface RatioTest {
  /** @throws CUTOVER_GATE_INPUT for counts or shares that cannot be; the test is unchanged then. */
  observe(observation: RatioObservation): void;
  /** The verdict alone, without interval and wait: 10 times cheaper, for tight loops. */
  kind(): VerdictKind;
  /** The e-values alone, as cheap. */
  evidence(): Evidence;
  verdict(): RatioVerdict;
}

/** Weight of the expected ratio (1) in the promotion test; the rest lets every ratio below the limit clear. */
const expectedWeight = 0.9;
/** The rest lies at these distances (in ln r) below the limit: from 10 % to 20 times lower. */
const clearSteps: Float64Array = Float64Array.from({ length: 30 }, (_, i) => 0.1 * (i + 1));
/** Errors at ratio 1 that are added before the wait is projected, so that the first few do not swing it. */
const priorErrors = 5;

/**
 * Anytime-valid test of the new side's error rate against the old one's. May be looked at after every
 * observation without inflating false alarms (Ville's inequality).
 *
 * With ρᵢ the share, xᵢ the new side's errors and Nᵢ those of both, the log likelihood ratio of r against
 * 1 is `L(r) = X·ln r − Σ Nᵢ·ln(1 + (r−1)·ρᵢ)`. Fail: `Σ wⱼ·exp L(rⱼ) ≥ 1/alpha` over r = 1.1 … 10, mixed
 * with the same sums begun at later stretches (see `changeMixture`). Pass:
 * "ratio ≥ clearBelow" is rejected by `exp(L(q) − L(clearBelow)) ≥ 1/beta`, nine tenths of the weight on
 * q = 1 (on clearBelow/2 when that is ≤ 1) and a tenth over the ratios below the limit: with q = 1 alone
 * a true ratio of 1.5 would hold for ever under a limit of 2.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range.
 */
export function ratioTest(options: RatioTestOptions): RatioTest {
  requireObject("options of ratioTest", options);
  const { alpha, beta, clearBelow, failAbove = 1 } = options;
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  requirePositive("clearBelow", clearBelow);
  requirePositive("failAbove", failAbove);

  const limitLog = Math.log(clearBelow);
  const expected = clearBelow > 1 ? 1 : clearBelow / 2;
  const expectedLog = Math.log(expected);
  const clearLogs = clearSteps.map((step) => limitLog - step);
  const clearTable = logTables(
    clearLogs.map((ln) => Math.expm1(ln)),
    64,
  );
  const sums = new Float64Array(logRatios.length);
  const alarm = changeMixture(alarmWeights);
  const turn = sinceTurn();
  const clearSums = new Float64Array(clearLogs.length);
  let limitSum = 0;
  let expectedSum = 0;
  let newErrors = 0;
  let allErrors = 0;
  let assigned = 0;
  let ms: number | undefined = 0;

  const logAt = (i: number, count: number, times: number): number =>
    count * (logRatios[i] as number) - times * (sums[i] as number);

  /** Only of the alternatives that hold from the first stretch on: what a wait is projected by. */
  const lnFromStart = (count: number, times: number): number =>
    Math.log(fromStart) +
    logSum(alarmWeights.map((weight, j) => weight + logAt(alarmFrom + j, count, times)));

  const lnPass = (count: number, times: number): number => {
    const others = clearLogs.map((ln, i) => count * ln - times * (clearSums[i] as number));
    const spread = logSum(others) - Math.log(others.length);
    const usual = count * expectedLog - times * expectedSum;
    return logMean(expectedWeight, usual, spread) - (count * limitLog - times * limitSum);
  };

  const best = (): number => {
    let top = 0;
    for (let i = 1; i < sums.length; i++) if (logAt(i, newErrors, 1) > logAt(top, newErrors, 1)) top = i;
    return top;
  };

  const estimate = (): number | undefined => {
    if (allErrors === 0) return undefined;
    if (newErrors === 0) return 0;
    if (newErrors === allErrors) return Number.POSITIVE_INFINITY;
    const top = Math.min(sums.length - 2, Math.max(1, best()));
    // The peak of the parabola through three neighbours; at the grid's ends the outermost but one is near enough.
    const [left, middle, right] = [top - 1, top, top + 1].map((i) => logAt(i, newErrors, 1)) as [
      number,
      number,
      number,
    ];
    const width = (logRatios[1] as number) - (logRatios[0] as number);
    const shift = (0.5 * (left - right)) / (left - 2 * middle + right);
    return Math.exp((logRatios[top] as number) + width * Math.min(1, Math.max(-1, shift)));
  };

  const ratio = (): Estimate => {
    const cut = logSum(intervalWeights.map((weight, i) => weight + logAt(i, newErrors, 1))) + Math.log(beta);
    const top = best();
    const crossing = (direction: 1 | -1): number | undefined => {
      for (let i = top + direction; i >= 0 && i < sums.length; i += direction) {
        const here = logAt(i, newErrors, 1);
        if (here >= cut) continue;
        const inside = logAt(i - direction, newErrors, 1);
        const from = logRatios[i - direction] as number;
        return Math.exp(from + (((logRatios[i] as number) - from) * (inside - cut)) / (inside - here));
      }
      return undefined;
    };
    const middle = estimate();
    return {
      ...(middle === undefined ? {} : { estimate: middle }),
      low: crossing(-1) ?? 0,
      high: crossing(1) ?? Number.POSITIVE_INFINITY,
    };
  };

  const failNeeded = Math.log(1 / alpha);
  const passNeeded = Math.log(1 / beta);

  const recent = (): number | undefined => {
    const [worse, both, even] = turn.sums() ?? [];
    if (worse === undefined || both === undefined || even === undefined) return undefined;
    return (worse * (both - even)) / ((both - worse) * even);
  };

  // The likely ratio under the alarm's own alternatives, so that a fault after long health counts at once; they
  // end at 10, so a limit near that is held against the plain ratio since things turned worse.
  const tooHigh = (): boolean =>
    failAbove <= 5 ? alarm.mean(alarmLogs) >= Math.log(failAbove) : (recent() ?? 0) >= failAbove;

  const kind = (): VerdictKind => {
    if (alarm.ln() >= failNeeded && tooHigh()) return "fail";
    return lnPass(newErrors, 1) >= passNeeded ? "pass" : "hold";
  };

  const wait = (): number | undefined => {
    if (allErrors === 0) return undefined;
    const mean = assigned / allErrors;
    const rate = (allErrors * (newErrors + priorErrors * mean)) / (allErrors + priorErrors);
    const after = (times: number): number => newErrors + (times - 1) * rate;
    return soonest(
      projectWait((times) => lnPass(after(times), times), passNeeded),
      tooHigh() ? projectWait((times) => lnFromStart(after(times), times), failNeeded) : undefined,
    );
  };

  return {
    observe(observation) {
      requireObject("observation", observation);
      const { share, newErrors: more, allErrors: both } = observation;
      requireShare("share", share);
      requirePart("newErrors", more, "allErrors", both);
      if (share === 0) requirePart("newErrors", more, "the errors a share of 0 allows", 0);
      if (share === 1) requirePart("allErrors", both, "newErrors at a share of 1", more);
      if (observation.ms === undefined) ms = undefined;
      else {
        requireFinite("ms", observation.ms);
        if (ms !== undefined) ms += observation.ms;
      }
      // At a share of 0 or 1 every ratio predicts the same, so nothing is learned.
      if (share === 0 || share === 1) return;
      if (both === 0) {
        alarm.observe();
        return;
      }
      newErrors += more;
      allErrors += both;
      assigned += both * share;
      limitSum += both * Math.log1p((clearBelow - 1) * share);
      expectedSum += both * Math.log1p((expected - 1) * share);
      const clearTerms = clearTable(share);
      for (let i = 0; i < clearSums.length; i++) {
        clearSums[i] = (clearSums[i] as number) + both * (clearTerms[i] as number);
      }
      const gains = new Float64Array(alarmLogs.length);
      const terms = gridTable(share);
      for (let i = 0; i < sums.length; i++) {
        const term = both * (terms[i] as number);
        sums[i] = (sums[i] as number) + term;
        if (i >= alarmFrom && i <= alarmTo) gains[i - alarmFrom] = more * (logRatios[i] as number) - term;
      }
      alarm.observe(gains);
      turn.observe(more * Math.LN2 - both * Math.log1p(share), [more, both, both * share]);
    },
    kind,
    evidence: () => evidenceOf(fromLog(alarm.ln()), fromLog(lnPass(newErrors, 1)), options),
    verdict() {
      const decided = kind();
      const evidence = evidenceOf(fromLog(alarm.ln()), fromLog(lnPass(newErrors, 1)), options);
      const { e, ePass } = evidence;
      const seen = ratio();
      const lately = recent();
      const waitFraction = decided === "hold" ? wait() : undefined;
      return {
        kind: decided,
        ...evidence,
        ratio: seen,
        ...(lately === undefined ? {} : { recent: lately }),
        tooHigh: tooHigh(),
        errors: { new: newErrors, all: allErrors },
        reason: ratioReason(
          decided,
          { ...seen, ...(lately === undefined ? {} : { recent: lately }) },
          clearBelow,
          { e, ePass, fail: 1 / alpha, pass: 1 / beta },
        ),
        ...(waitFraction === undefined ? {} : { waitFraction, needs: needsText(waitFraction, ms) }),
      };
    },
  };
}
