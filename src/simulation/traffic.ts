import { durationOf, percentOf, refuse } from "./input.ts";

export type Rhythm = "flat" | "day" | "burst";

/** What comes to each route, declared and not measured. */
export interface Traffic {
  /** Calls in a second, on the mean. */
  readonly rate: number;
  /** Part of the calls that fail on either side while all is well. */
  readonly baseError: number;
  readonly keys: number;
  /** Exponent of Zipf's law: the k-th heaviest key makes calls in proportion to k^−skew. 0: all alike. */
  readonly skew: number;
  readonly latency: Latency;
  readonly rhythm: Rhythm;
}

/** Of calls that are answered, old side, milliseconds. */
export type Latency =
  | { readonly shape: "lognormal"; readonly median: number; readonly sigma: number }
  | { readonly shape: "exponential"; readonly median: number };

/** The options as they are written; what is left out is usual. */
export interface TrafficOptions {
  readonly rate?: string | undefined;
  readonly "base-error"?: string | undefined;
  readonly skew?: string | undefined;
  readonly keys?: string | undefined;
  readonly latency?: string | undefined;
  readonly rhythm?: string | undefined;
}

export const usualTraffic: Readonly<Record<keyof TrafficOptions, string>> = {
  rate: "200/s",
  "base-error": "1%",
  skew: "even",
  keys: "10000",
  latency: "lognormal:20ms,0.5",
  rhythm: "flat",
};

const perSecond: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3_600 };

/** @throws CUTOVER_SIMULATION_INPUT with the option as its place */
export function readTraffic(given: TrafficOptions): Traffic {
  const text = (name: keyof TrafficOptions): string => (given[name] ?? usualTraffic[name]).trim();
  return {
    rate: readRate(text("rate")),
    baseError: readBaseError(text("base-error")),
    keys: readCount(text("keys"), "--keys", 1_000_000),
    skew: readSkew(text("skew")),
    latency: readLatency(text("latency")),
    rhythm: readRhythm(text("rhythm")),
  };
}

function readRate(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*\/\s*(s|min|m|h)$/.exec(text) ?? [];
  const rate = Number(amount) / (perSecond[unit ?? ""] ?? Number.NaN);
  if (!(rate > 0)) refuse("--rate", "calls above 0 in a time, such as 200/s, 90/min or 40/h", text);
  if (rate > 100_000) refuse("--rate", "at most 100000/s", text);
  return rate;
}

function readBaseError(text: string): number {
  const part = percentOf(text);
  if (part === undefined || part > 0.5) refuse("--base-error", "a percentage from 0 to 50, such as 1%", text);
  return part;
}

function readSkew(text: string): number {
  if (text === "even") return 0;
  const exponent = Number(/^zipf:(\d+(?:\.\d+)?)$/.exec(text)?.[1] ?? "NaN");
  if (!(exponent > 0 && exponent <= 3))
    refuse("--skew", '"even", or zipf with an exponent up to 3, such as zipf:1.1', text);
  return exponent;
}

function readLatency(text: string): Latency {
  const [, shape, first, second] = /^(lognormal|exponential):([^,]+)(?:,(.+))?$/.exec(text) ?? [];
  const median = first === undefined ? undefined : durationOf(first);
  const sigma =
    second === undefined ? 0.5 : /^\d+(\.\d+)?$/.test(second.trim()) ? Number(second) : Number.NaN;
  const sound = median !== undefined && median >= 0.01 && median <= 60_000 && sigma > 0 && sigma <= 3;
  if (!sound || (shape === "exponential" && second !== undefined))
    refuse("--latency", "lognormal:MEDIAN,SIGMA or exponential:MEDIAN, such as lognormal:20ms,0.5", text);
  return shape === "lognormal" ? { shape, median, sigma } : { shape: "exponential", median };
}

function readRhythm(text: string): Rhythm {
  if (text !== "flat" && text !== "day" && text !== "burst") refuse("--rhythm", "flat, day or burst", text);
  return text;
}

/** A whole number from 1 on. @throws CUTOVER_SIMULATION_INPUT */
export function readCount(text: string, place: string, most: number, least = 1): number {
  const count = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(count >= least && count <= most)) refuse(place, `a whole number from ${least} to ${most}`, text);
  return count;
}
