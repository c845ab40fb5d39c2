import { numberOf } from "./number-text.ts";
import type { ThresholdFinding, TimeUnit } from "./figure-finding.ts";
import { readComparisons, type ReadThreshold } from "./comparisons.ts";
import { spanWords, timeWords } from "./figure-words.ts";

/** A figure and where it stands in the text it was read from. */
export interface ReadDuration {
  readonly at: number;
  readonly written: string;
  readonly low: number;
  readonly high: number;
  readonly unit: TimeUnit;
  readonly sort: "length" | "span";
  readonly approximate: boolean;
}

export interface ReadPercent {
  readonly at: number;
  readonly written: string;
  readonly low: number;
  readonly high: number;
}

export interface Figures {
  readonly durations: readonly ReadDuration[];
  readonly percents: readonly ReadPercent[];
  readonly thresholds: readonly ReadThreshold[];
}

export type { ReadThreshold };
export type Sense = ThresholdFinding["sense"];

export const amount: string = String.raw`\d{1,3}(?:[,\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}|\d+(?:[.,]\d+)?`;
const dash = String.raw`\s*(?:[-–—~〜～]|to|bis|à|a|до|至|から|tot|do)\s*`;
const about = String.raw`(?:~|≈|ca\.?|circa|about|approx\.?|approximately|around|etwa|ungefähr|rund|environ|около|примерно|约|約|ok\.)\s*`;
const alone = String.raw`(?<![\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}_.,/:#-]|[年月])`;

const unitOf = new Map<string, TimeUnit>();
for (const [unit, words] of Object.entries(timeWords) as [TimeUnit, readonly string[]][])
  for (const word of words) unitOf.set(word, unit);
unitOf.set("m", "min");

const byLength = (words: Iterable<string>): string =>
  [...words].toSorted((a, b) => b.length - a.length || (a < b ? -1 : 1)).join("|");

const letters = [...unitOf.keys()].filter((word) => !/[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/u.test(word));
const signs = [...unitOf.keys()].filter((word) => !letters.includes(word));
const long = letters.filter((word) => word.length > 1);
const short = letters.filter((word) => word.length === 1);

const lengths = new RegExp(
  `(${about})?${alone}(${amount})(?:${dash}(${amount}))?(?:\\s?-?\\s*(?:(${byLength(long)})(?![\\p{L}\\p{N}])|(${byLength(signs)})(?!次))|(${byLength(short)})(?![\\p{L}\\p{N}_/.-]))`,
  "giu",
);

const spanUnit = new Map<string, TimeUnit>();
for (const [unit, words] of Object.entries(spanWords) as [TimeUnit, readonly string[]][])
  for (const word of words) spanUnit.set(word, unit);
const spans = new RegExp(
  `(?<![\\p{L}\\p{N}])(${byLength(spanWords.day.concat(spanWords.week, spanWords.month, spanWords.quarter))})[\\s_]*#?(\\d{1,3})(?:(?:\\s*(?:[-–—&+]|to|and|bis|und|à|et|y|a|e|до|и)\\s*(?:\\1[\\s_]*)?)(\\d{1,3}))?(?![\\p{L}\\p{N}%]|[.,:]\\d)`,
  "giu",
);
const signSpans =
  /第\s*(\d{1,3})(?:\s*[-–~〜至到]\s*第?(\d{1,3}))?\s*(周|週|天|日|个?月|ヶ月|か月)|(\d{1,3})\s*(주차|일차)/gu;
const signUnit: Readonly<Record<string, TimeUnit>> = {
  周: "week",
  週: "week",
  天: "day",
  日: "day",
  주차: "week",
  일차: "day",
};

const percents = new RegExp(
  `(?<![\\p{Script=Latin}\\p{Script=Cyrillic}\\p{Script=Greek}\\p{N}_.,/:])([-+±−]?)(${amount})(?:\\s*(?:[-–—~〜～]|to|bis|à|до|至)\\s*(${amount}))?\\s?(?:[%％]|(?:percent|per cent|prozent|pour cent|por ciento|por cento|per cento|procent|процент\\p{L}*)(?![\\p{L}]))`,
  "giu",
);

/** All durations, percentages and comparisons of one text, each with its offset. Pure; nothing is rounded. */
export function readFigures(text: string): Figures {
  if (!/\d|zero|null|keine?\b|twice|double|doppel|baseline|current level/i.test(text))
    return { durations: [], percents: [], thresholds: [] };
  const hasDigit = /\d/.test(text);
  return {
    durations: hasDigit ? readDurations(text) : [],
    percents: hasDigit ? readPercents(text) : [],
    thresholds: readComparisons(text),
  };
}

export function readDurations(text: string): readonly ReadDuration[] {
  const found: ReadDuration[] = [];
  for (const match of text.matchAll(spans)) {
    const [written, word = "", low = "", high] = match;
    const unit = spanUnit.get(word.toLowerCase());
    if (unit !== undefined) found.push(span(match.index, written, low, high, unit));
  }
  for (const match of text.matchAll(signSpans)) {
    const [written, low = "", high, sign = "", korean = "", koreanSign = ""] = match;
    const unit = signUnit[sign || koreanSign] ?? "month";
    found.push(span(match.index, written, low || korean, high, unit));
  }
  const taken = found.map(({ at, written }) => [at, at + written.length] as const);
  for (const match of text.matchAll(lengths)) {
    const [written, roughly, low = "", high, word, sign, letter] = match;
    const start = match.index;
    if (taken.some(([from, to]) => start < to && start + written.length > from)) continue;
    const unit = unitOf.get((word ?? sign ?? letter ?? "").toLowerCase());
    if (unit === undefined || (unit === "year" && numberOf(low) > 200)) continue;
    // A single capital is no unit: `2D`, `5S`.
    if (letter !== undefined && letter !== letter.toLowerCase()) continue;
    const first = numberOf(low);
    const last = high === undefined ? first : numberOf(high);
    const approximate = roughly !== undefined;
    found.push({
      at: start,
      written: written.trim(),
      low: first,
      high: last,
      unit,
      sort: "length",
      approximate,
    });
  }
  return found.toSorted((a, b) => a.at - b.at);
}

function span(
  at: number,
  written: string,
  low: string,
  high: string | undefined,
  unit: TimeUnit,
): ReadDuration {
  const first = Number(low);
  const last = high === undefined ? first : Number(high);
  return { at, written: written.trim(), low: first, high: last, unit, sort: "span", approximate: false };
}

function readPercents(text: string): readonly ReadPercent[] {
  return [...text.matchAll(percents)].map((match) => {
    const [written, sign = "", low = "", high] = match;
    const factor = /[-−]/.test(sign) ? -1 : 1;
    const first = factor * numberOf(low);
    return {
      at: match.index,
      written: written.trim(),
      low: first,
      high: high === undefined ? first : numberOf(high),
    };
  });
}
