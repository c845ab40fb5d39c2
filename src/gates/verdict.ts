import { formatDuration, type JsonObject } from "../core/index.ts";

export type VerdictKind = "pass" | "fail" | "hold";

/** What a judge says: pass, fail, or hold when the evidence does not suffice yet. */
export interface GateVerdict {
  readonly kind: VerdictKind;
  /** One line for people: the figures that decided. */
  readonly reason: string;
  readonly figures: JsonObject;
  /** When holding: expected milliseconds until a verdict at today's traffic; absent when unknowable. */
  readonly waitMs?: number;
}

/** A verdict before it is known how long the evidence took to gather. */
export interface Finding {
  readonly kind: VerdictKind;
  readonly reason: string;
  readonly figures: JsonObject;
  /** When holding: further traffic needed, in multiples of what was seen. */
  readonly waitFraction?: number;
}

/** An estimate with an interval that holds at all times at once, however often it is looked at. */
export interface Estimate {
  /** Absent when nothing is known; infinite when only the new side has failures. */
  readonly estimate?: number;
  readonly low: number;
  readonly high: number;
}

/** Error rates a verdict may spend, over all looks together. */
export interface Allowed {
  /** Greatest probability of failing a healthy side. */
  readonly alpha: number;
  /** Greatest probability of passing a bad one. */
  readonly beta: number;
}

/** What a verdict rests on, the same for every test. */
export interface Evidence {
  /** Evidence for "worse"; fails at `needed.fail`. */
  readonly e: number;
  /** Evidence for "good enough"; passes at `needed.pass`. */
  readonly ePass: number;
  readonly needed: { readonly fail: number; readonly pass: number };
  /**
   * Always-valid p-values, min(1, 1/e): they may be looked at at any time, and fall to `alpha` (or `beta`) exactly
   * when the e-value reaches what is needed.
   */
  readonly p: number;
  readonly pPass: number;
  /** What this verdict was allowed to spend; within a composition its share of the whole. */
  readonly allowed: Allowed;
}

/** `needed` is 1/alpha and 1/beta, more where a test spends a part of its error rates on something else. */
export function evidenceOf(
  e: number,
  ePass: number,
  { alpha, beta }: Allowed,
  needed: Evidence["needed"] = { fail: 1 / alpha, pass: 1 / beta },
): Evidence {
  const p = Math.min(1, (alpha * needed.fail) / e);
  const pPass = Math.min(1, (beta * needed.pass) / ePass);
  return { e, ePass, needed, p, pPass, allowed: { alpha, beta } };
}

/** The evidence as it is recorded. */
export function evidenceFigures({ e, ePass, needed, p, pPass, allowed }: Evidence): JsonObject {
  return { e, ePass, needed: { ...needed }, p, pPass, allowed: { ...allowed } };
}

/** A figure for people: `0.9`, `12`, `2.1e6`, `∞`. */
export function figure(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "∞";
  if (value >= 100_000) return value.toExponential(1).replace("e+", "e");
  if (value >= 10) return String(Math.round(value));
  return String(Number(value.toPrecision(2)));
}

/** A measured value for people, four digits: `49.21`, `1204`, where `figure` would hide what decides. */
export function precise(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : value < 0 ? "−∞" : "∞";
}

/** A rate for people: `0.9 %`. */
export function percent(rate: number): string {
  return `${figure(rate * 100)} %`;
}

/** The finite parts of an estimate; JSON knows no infinity. */
export function estimateFigures(value: Estimate): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => Number.isFinite(part)));
}

/** The figures that decided about a ratio, in one line. `e` and `ePass` against what they need. */
export function ratioReason(
  kind: VerdictKind,
  ratio: Estimate & { readonly recent?: number },
  clearBelow: number,
  of: { readonly e: number; readonly ePass: number; readonly fail: number; readonly pass: number },
): string {
  const limit = `${figure(clearBelow)}×`;
  if (ratio.estimate === undefined) return `nothing to compare yet, clears below ${limit}`;
  if (kind === "fail")
    return `${figure(ratio.recent ?? ratio.estimate)}× old (e ${figure(of.e)} ≥ ${figure(of.fail)})`;
  const seen = `ratio ${figure(ratio.estimate)} (${figure(ratio.low)}–${figure(ratio.high)})`;
  if (kind === "pass") return `${seen}, below ${limit} (e ${figure(of.ePass)} ≥ ${figure(of.pass)})`;
  return `${seen}, clears below ${limit}: e ${figure(of.ePass)} of ${figure(of.pass)}`;
}

/** What a wait of `fraction` times the traffic seen means; in time when it is known how long that took. */
export function needsText(fraction: number, spanMs: number | undefined): string {
  return spanMs === undefined
    ? `about ${figure(fraction)} times the traffic seen so far`
    : `about ${formatDuration(fraction * spanMs)} at this traffic`;
}
