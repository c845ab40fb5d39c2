import { type ReadThreshold, readComparisons } from "./comparisons.ts";
import type { ThresholdFinding, TimeUnit } from "./figure-finding.ts";
import { spanWords, timeWords } from "./figure-words.ts";
import { isSign, lowered } from "./lower.ts";
import { numberOf } from "./number-text.ts";

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

export type Sense = ThresholdFinding["sense"];

const unitOf = new Map<string, TimeUnit>();
for (const [unit, words] of Object.entries(timeWords) as [TimeUnit, readonly string[]][])
  for (const word of words) unitOf.set(word, unit);
unitOf.set("m", "min");
const spanUnit = new Map<string, TimeUnit>();
for (const [unit, words] of Object.entries(spanWords) as [TimeUnit, readonly string[]][])
  for (const word of words) spanUnit.set(word, unit);

// Numbers are found by one small expression and their words by look-up: a single expression of all words took seconds to
// build and fifty times as long to run.
const numbers =
  /(?<![\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}_.,/:#])(?:\d{1,3}(?:[,\u202f]\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}|\d+(?:[.,]\d+)?)/gu;
const second = /^\s*(?:[-–—~〜～]|to\b|bis\b|à|a\b|al\b|do\b|до|至|から|tot\b)\s*(\d+(?:[.,]\d+)?)/u;
const roughly =
  /(?:[~≈]|(?<!\p{L})(?:ca\.?|circa|about|approx\.?|approximately|around|etwa|ungefähr|rund|environ|около|примерно|ok\.)|约|約)\s*$/u;
const spoken = /^\p{L}+/u;
const spans =
  /(?<![\p{L}\p{N}])(\p{L}{2,12})[\s_]*#?(\d{1,3})(?:\s*(?:[-–—&+]|to|and|bis|und|à|et|y|a|e|до|и)\s*(?:\p{L}{2,12}[\s_]+)?(\d{1,3}))?(?![\p{L}\p{N}%]|[.,:]\d)/gu;
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
const percentWord =
  /^\s?(?:[%％]|(?:percent|per cent|prozent|pour cent|por ciento|por cento|procent|процент\p{L}*)(?!\p{L}))/u;

/** All durations, percentages and comparisons of one text, each with its offset. Pure; nothing is rounded. */
export function readFigures(text: string): Figures {
  const lower = lowered(text);
  const digits = /\d/.test(text);
  if (
    !digits &&
    !/zero|no |null|kein|aucun|cero|zéro|nul|nessun|sin |sem |geen|brak|без|нет|零|baseline|current/.test(
      lower,
    )
  )
    return { durations: [], percents: [], thresholds: [] };
  return {
    durations: digits ? readDurations(text, lower) : [],
    percents:
      digits && /[%％]|p[eor]+[rc]? ?[cz]ent|por cien|pour c|процент/.test(lower)
        ? readPercents(text, lower)
        : [],
    thresholds: readComparisons(text, lower),
  };
}

export function readDurations(text: string, lower: string = lowered(text)): readonly ReadDuration[] {
  const found: ReadDuration[] = [];
  for (const match of lower.matchAll(spans)) {
    const [written, word = "", low = "", high] = match;
    const unit = spanUnit.get(word);
    if (unit !== undefined) found.push(span(text, match.index, written, low, high, unit));
  }
  if (text.includes("第") || /주차|일차/.test(text)) {
    for (const match of text.matchAll(signSpans)) {
      const [written, low = "", high, sign = "", korean = "", koreanSign = ""] = match;
      const unit = signUnit[sign === "" ? koreanSign : sign] ?? "month";
      found.push(span(text, match.index, written, low === "" ? korean : low, high, unit));
    }
  }
  const spansFound = found.length;
  let from = 0;
  for (const match of lower.matchAll(numbers)) {
    const [low] = match;
    const at = match.index;
    if (at < from) continue;
    if (
      spansFound > 0 &&
      found.slice(0, spansFound).some((each) => at >= each.at && at < each.at + each.written.length)
    )
      continue;
    let end = at + low.length;
    const range = second.exec(lower.slice(end, end + 16));
    let unit = range === null ? undefined : unitAt(text, lower, end + range[0].length);
    const high = unit === undefined ? undefined : range?.[1];
    if (unit !== undefined) end += range?.[0].length ?? 0;
    unit ??= unitAt(text, lower, end);
    if (
      unit === undefined ||
      (unit.unit === "year" && numberOf(low) > 200) ||
      /[年月]$/.test(text.slice(0, at)) ||
      (text[at - 1] === "-" && /\d/.test(text[at - 2] ?? ""))
    )
      continue;
    const rough = roughly.exec(lower.slice(Math.max(0, at - 16), at));
    const start = at - (rough?.[0].length ?? 0);
    from = end + unit.length;
    found.push({
      at: start,
      written: text.slice(start, from).trim(),
      low: numberOf(low),
      high: high === undefined ? numberOf(low) : numberOf(high),
      unit: unit.unit,
      sort: "length",
      approximate: rough !== null,
    });
  }
  return found.toSorted((a, b) => a.at - b.at);
}

/** The unit of time that stands here, behind at most a space or hyphen. */
function unitAt(
  text: string,
  lower: string,
  at: number,
): { readonly unit: TimeUnit; readonly length: number } | undefined {
  const gap = /^\s?-?[ \t]*/.exec(lower.slice(at, at + 4))?.[0].length ?? 0;
  const rest = lower.slice(at + gap, at + gap + 40);
  const word = spoken.exec(rest)?.[0];
  if (word === undefined) return undefined;
  if (isSign(word)) {
    for (let length = Math.min(4, word.length); length > 0; length--) {
      const unit = unitOf.get(word.slice(0, length));
      if (unit !== undefined && word[length] !== "次") return { unit, length: gap + length };
    }
    return undefined;
  }
  const two = /^\p{L}+[ -]\p{L}+/u.exec(rest)?.[0];
  const joined = two === undefined ? undefined : (unitOf.get(two.replace("-", " ")) ?? unitOf.get(two));
  if (two !== undefined && joined !== undefined) return { unit: joined, length: gap + two.length };
  const unit = unitOf.get(word);
  if (unit === undefined || /[\p{N}_]/u.test(rest[word.length] ?? "")) return undefined;
  // One letter is a unit only when it is small and hangs on its number: `10m`, not `10 M` or `5S`.
  if (word.length === 1 && (gap > 0 || text[at] !== word || /[/.-]/.test(rest[1] ?? ""))) return undefined;
  return { unit, length: gap + word.length };
}

function span(
  text: string,
  at: number,
  written: string,
  low: string,
  high: string | undefined,
  unit: TimeUnit,
): ReadDuration {
  const first = Number(low);
  const last = high === undefined ? first : Number(high);
  return {
    at,
    written: text.slice(at, at + written.length).trim(),
    low: first,
    high: last,
    unit,
    sort: "span",
    approximate: false,
  };
}

function readPercents(text: string, lower: string): readonly ReadPercent[] {
  const found: ReadPercent[] = [];
  let from = 0;
  for (const match of lower.matchAll(numbers)) {
    const [low] = match;
    const at = match.index;
    if (at < from) continue;
    const end = at + low.length;
    const range = second.exec(lower.slice(end, end + 16));
    const far =
      range === null
        ? null
        : percentWord.exec(lower.slice(end + range[0].length, end + range[0].length + 14));
    const near = percentWord.exec(lower.slice(end, end + 14));
    const sign = far ?? near;
    if (sign === null) continue;
    const last = end + (far === null ? 0 : (range?.[0].length ?? 0)) + sign[0].length;
    const before = text[at - 1] ?? "";
    // A sign belongs to its number unless it joins two of them.
    const signed = /[-+±−]/.test(before) && !/[\p{L}\p{N}%]/u.test(text[at - 2] ?? "") ? 1 : 0;
    const factor = signed === 1 && /[-−]/.test(before) ? -1 : 1;
    from = last;
    const first = factor * numberOf(low);
    found.push({
      at: at - signed,
      written: text.slice(at - signed, last).trim(),
      low: first,
      high: far === null ? first : numberOf(range?.[1] ?? low),
    });
  }
  return found;
}
