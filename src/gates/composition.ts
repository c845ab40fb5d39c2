import type { JsonObject } from "../core/index.ts";
import {
  refuseValue,
  requireFunction,
  requireNonNegative,
  requireObject,
  requireOneOf,
  requirePositive,
  requireProbability,
} from "./input.ts";
import { type Allowed, type Evidence, evidenceOf, figure, needsText, type VerdictKind } from "./verdict.ts";

/** What a part of a composition says: the verdict of any test, limit, judge or composition. */
export interface PartVerdict {
  readonly kind: VerdictKind;
  readonly reason: string;
  readonly e?: number;
  readonly ePass?: number;
  readonly needed?: Evidence["needed"];
  /** False: the evidence speaks for a difference too small to fail, so it does not count. */
  readonly tooHigh?: boolean;
  /** Where a judge keeps its evidence. */
  readonly figures?: JsonObject;
  readonly waitFraction?: number;
  readonly waitMs?: number;
}

export interface Part {
  verdict(spanMs?: number): PartVerdict;
}

/** By name: what makes a test, given the error rates that fall to it. */
export type PartMakers = Readonly<Record<string, (share: Allowed) => Part>>;

export interface CompositionOptions extends Allowed {
  /** How much of the error rate falls to each part, in any unit; default: all the same. */
  readonly weights?: Readonly<Record<string, number>>;
  /** How the evidence that is shared out is joined, default `each`; see `allOf`. */
  readonly join?: "each" | "mean" | "product";
}

export interface CompositionVerdict extends Evidence {
  readonly kind: VerdictKind;
  readonly parts: Readonly<
    Record<string, PartVerdict & { readonly allowed: Allowed; readonly weight: number }>
  >;
  readonly reason: string;
  /** When holding: further traffic until a verdict, in multiples of what was seen; absent when unknowable. */
  readonly waitFraction?: number;
  readonly waitMs?: number;
  readonly needs?: string;
}

export interface Composition<P extends PartMakers> extends Part {
  /** The tests themselves, to be fed. */
  readonly parts: { readonly [K in keyof P]: ReturnType<P[K]> };
  /** `spanMs`: how long the evidence took to gather, for waits in time. Never `pass` for lack of data. */
  verdict(spanMs?: number): CompositionVerdict;
}

/**
 * Good when every part is good: fails when one part fails, passes when all have passed.
 *
 * False alarms: one wrong part suffices, so alpha is shared out by weight. `join` says how:
 * - `each` (Bonferroni): part k fails at 1/(alpha·wₖ). Valid for anything, whatever the parts have in common, also for
 *   what is no e-value (plain limits, first errors over periods, judges).
 * - `mean`: fails when the weighted mean of the e-values reaches 1/alpha. Valid whatever the parts have in common, since
 *   means add up; never later than `each` (the mean is at least wₖ·eₖ), and several weak signs count together.
 * - `product`: fails when the product reaches 1/alpha. Valid only for parts that see independent calls (two
 *   regions, two routes without common callers): otherwise the same fault, or the same chance, counts twice. One part
 *   alone does not fail it, and healthy parts outweigh a bad one, so use it for several views of one claim.
 *
 * False passes: every part must have been passed, also the bad one, so each has all of beta (intersection–union).
 *
 * @throws CUTOVER_GATE_INPUT for options out of range and for joins that a part cannot take.
 *
 * @example
 * const gate = allOf({ alpha: 0.01, beta: 0.05 }, {
 *   errors: (share) => ratioTest({ ...share, clearBelow: 2 }),
 *   latency: (share) => latencyTest(share),
 * });
 * gate.parts.errors.observe({ share: 0.5, newErrors: 0, allErrors: 1 });
 * gate.verdict().kind; // "hold"
 */
export function allOf<P extends PartMakers>(options: CompositionOptions, makers: P): Composition<P> {
  return composed("allOf", options, makers);
}

/**
 * Good when one part is good: passes when one part passes, fails when all have failed. The mirror of `allOf`: beta is
 * shared out (and joined as `join` says), alpha falls whole to every part.
 *
 * @throws CUTOVER_GATE_INPUT for options out of range and for joins that a part cannot take.
 */
export function anyOf<P extends PartMakers>(options: CompositionOptions, makers: P): Composition<P> {
  return composed("anyOf", options, makers);
}

type Way = "fail" | "pass";

function composed<P extends PartMakers>(
  name: "allOf" | "anyOf",
  options: CompositionOptions,
  makers: P,
): Composition<P> {
  requireObject(`options of ${name}`, options);
  requireObject(`parts of ${name}`, makers);
  const { alpha, beta, join = "each" } = options;
  requireProbability("alpha", alpha);
  requireProbability("beta", beta);
  requireOneOf("join", join, ["each", "mean", "product"]);
  const names = Object.keys(makers);
  if (names.length === 0) refuseValue(`parts of ${name}`, "at least one", 0);
  const weights = weightsOf(names, options.weights ?? {});
  /** The verdict one part suffices for, and the one that takes all parts. */
  const [one, all]: readonly [Way, Way] = name === "allOf" ? ["fail", "pass"] : ["pass", "fail"];
  const needed = { fail: 1 / alpha, pass: 1 / beta };

  const allowedOf = (i: number): Allowed => {
    // In a product no part decides alone, so none has a part of the error rate to itself.
    const weight = join === "product" ? 1 : (weights[i] as number);
    return one === "fail" ? { alpha: alpha * weight, beta } : { alpha, beta: beta * weight };
  };
  const parts = names.map((part, i) => {
    const make = makers[part] as PartMakers[string];
    requireFunction(`parts.${part}`, make);
    const made = make(allowedOf(i));
    requireObject(`what parts.${part} returns`, made);
    requireFunction(`parts.${part}.verdict`, (made as { readonly verdict?: unknown }).verdict);
    if (join !== "each") requirePlain(part, made.verdict(), one, allowedOf(i));
    return made;
  });

  /** Evidence of a part in units in which the composition needs 1/alpha or 1/beta. */
  const scaled = (verdict: PartVerdict, way: Way, i: number): number => {
    const { e, own } = evidenceIn(verdict, way, allowedOf(i));
    return e === undefined ? (verdict.kind === way ? needed[way] : 0) : (e / own) * needed[way];
  };

  const joined = (verdicts: readonly PartVerdict[], way: Way): number => {
    const each = verdicts.map((verdict, i) => scaled(verdict, way, i));
    if (way === all) return Math.min(...each);
    if (join === "mean") return each.reduce((sum, e) => sum + e, 0);
    if (join === "product") return each.reduce((product, e) => Math.min(1e300, product * e), 1);
    return Math.max(...each);
  };

  return {
    parts: Object.fromEntries(names.map((part, i) => [part, parts[i]])) as Composition<P>["parts"],
    verdict(spanMs) {
      if (spanMs !== undefined) requireNonNegative("spanMs", spanMs);
      const verdicts = parts.map((part) => part.verdict(spanMs));
      const evidence = evidenceOf(joined(verdicts, "fail"), joined(verdicts, "pass"), { alpha, beta });
      const has = (way: Way): boolean => (way === "fail" ? evidence.e : evidence.ePass) >= needed[way];
      const decidesOne = has(one) || (join !== "product" && verdicts.some(({ kind }) => kind === one));
      const decidesAll = verdicts.every(({ kind }) => kind === all);
      const kind: VerdictKind = decidesOne ? one : decidesAll ? all : "hold";
      const wait = (of: (verdict: PartVerdict) => number | undefined): number | undefined =>
        kind === "hold" ? waitOf(verdicts, name, of) : undefined;
      const waitFraction = wait((part) => part.waitFraction);
      const waitMs = wait(
        (part) =>
          part.waitMs ??
          (spanMs === undefined || part.waitFraction === undefined ? undefined : part.waitFraction * spanMs),
      );
      return {
        kind,
        ...evidence,
        parts: Object.fromEntries(
          names.map((part, i) => [
            part,
            { ...(verdicts[i] as PartVerdict), allowed: allowedOf(i), weight: weights[i] as number },
          ]),
        ),
        reason: reasonOf(
          kind,
          one,
          names,
          verdicts,
          has(one) ? (one === "fail" ? evidence.e : evidence.ePass) : undefined,
        ),
        ...(waitFraction === undefined ? {} : { waitFraction, needs: needsText(waitFraction, spanMs) }),
        ...(waitMs === undefined ? {} : { waitMs: Math.round(waitMs) }),
      };
    },
  };
}

function weightsOf(names: readonly string[], given: Readonly<Record<string, number>>): readonly number[] {
  requireObject("weights", given);
  for (const name of Object.keys(given)) {
    if (!names.includes(name))
      refuseValue(`weights.${name}`, `the name of a part (${names.join(", ")})`, name);
    requirePositive(`weights.${name}`, given[name] as number);
  }
  const raw = names.map((name) => given[name] ?? 1);
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return raw.map((weight) => weight / total);
}

/** A part's e-value for one way, and what it needs itself. */
function evidenceIn(
  verdict: PartVerdict,
  way: Way,
  allowed: Allowed,
): { readonly e: number | undefined; readonly own: number } {
  const source = (verdict.e === undefined ? verdict.figures : verdict) as Partial<Evidence> | undefined;
  const own = source?.needed?.[way] ?? (way === "fail" ? 1 / allowed.alpha : 1 / allowed.beta);
  if (way === "fail" && verdict.tooHigh === false) return { e: 0, own };
  return { e: way === "fail" ? source?.e : source?.ePass, own };
}

/** Only a plain e-value may be averaged or multiplied: one that fails exactly at 1/alpha. */
function requirePlain(name: string, verdict: PartVerdict, way: Way, allowed: Allowed): void {
  const { e, own } = evidenceIn(verdict, way, allowed);
  const plain = way === "fail" ? 1 / allowed.alpha : 1 / allowed.beta;
  if (verdict.e === undefined || e === undefined || Math.abs(own / plain - 1) > 1e-9) {
    refuseValue(`parts.${name}`, 'a test with a plain e-value, or the join "each"', verdict.kind);
  }
}

/** The longest of the waits where all are waited for, absent when one is unknowable; else the shortest known. */
function waitOf(
  verdicts: readonly PartVerdict[],
  name: "allOf" | "anyOf",
  of: (verdict: PartVerdict) => number | undefined,
): number | undefined {
  const waits = verdicts
    .filter(({ kind }) => kind === "hold")
    .map((verdict) => of(verdict) ?? Number.POSITIVE_INFINITY);
  const wait = name === "allOf" ? Math.max(...waits) : Math.min(...waits);
  return Number.isFinite(wait) ? wait : undefined;
}

function reasonOf(
  kind: VerdictKind,
  one: Way,
  names: readonly string[],
  verdicts: readonly PartVerdict[],
  joint: number | undefined,
): string {
  const of = (wanted: VerdictKind): readonly string[] =>
    verdicts.flatMap((verdict, i) => (verdict.kind === wanted ? [`${names[i]}: ${verdict.reason}`] : []));
  if (kind === "hold") {
    const waiting = of("hold");
    return waiting.length === 0
      ? "the parts disagree: " + [...of("fail"), ...of("pass")].join("; ")
      : waiting.join("; ");
  }
  const deciding = of(kind);
  if (kind === one && deciding.length === 0) {
    return `all together e ${figure(joint as number)}: ${verdicts.map(({ reason }, i) => `${names[i]}: ${reason}`).join("; ")}`;
  }
  return deciding.join("; ");
}
