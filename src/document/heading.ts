import { beginsAt, endsAt, holdsWord, isSign, lowered } from "./lower.ts";
import { containerWords, periodWords, phaseWords, roleWords, stepWords, unitWords } from "./vocabulary.ts";
import type { SectionRole } from "./work-finding.ts";

/** What a heading says of itself. */
export interface HeadingSense {
  readonly role: SectionRole;
  readonly number?: string;
  readonly title: string;
  /** The role came with a number or as the head of the line: `Phase 2: …`. Else a word somewhere in it. */
  readonly named: boolean;
  /** Announces the phases below it. */
  readonly container: boolean;
  /** A period (`Week 2: Backfill`) that is a phase only in a plan without phases. */
  readonly period: boolean;
}

type Named = "phase" | "step" | "unit" | "period";

const lists: readonly (readonly [Named, readonly string[]])[] = [
  ["phase", phaseWords],
  ["step", stepWords],
  ["unit", unitWords],
  ["period", periodWords],
];
const named = new Map<string, Named>();
const signs: (readonly [string, Named])[] = [];
for (const [role, list] of lists) {
  for (const word of list) {
    if (isSign(word)) signs.push([word, role]);
    else if (!named.has(word)) named.set(word, role);
  }
}
signs.sort(([one], [other]) => other.length - one.length);

const chinese = "[一二三四五六七八九十]{1,3}";
/** A letter or a Roman number is one only behind a space: `Phase A`, not `Phased`. */
const numeral = `(?:(?<=\\s)(?:[ivxIVX]{1,5}|[A-Z]-?\\d{1,2}|[a-hA-H])|\\d{1,3}(?:\\.\\d{1,3}){0,4}[a-z]?(?:\\s?[-–—+&]\\s?\\d{1,3})?|${chinese})`;
const numberBehind = new RegExp(
  `^\\s*(?:#|[Nn]r\\.?|[Nn]o\\.?|[Nn][º°]|№)?\\s*(${numeral})(?![\\p{Script=Latin}\\p{Script=Cyrillic}\\p{N}])\\.?\\s*[)\\]]?\\s*(?:[:：.–—\\-|,、)]+\\s*)?(.*)$`,
  "u",
);
const numberBefore = new RegExp(`^第?\\s*(\\d{1,3}|${chinese})\\s*(?=\\p{L})`, "u");
const ordinal = /^(\d{1,3})(\.|st|nd|rd|th|e|er|ère|ème|º|ª|-[йяе])\s*(\p{L}+)\s*(?:[:：–—-]\s*(.*))?$/u;
const titled = /^\s*[:：–—]\s*(\S.*)$/u;
const phaseBehind =
  /^(.{2,60}?)(?:[ -]?(?:phase|fase|etappe)|[ -](?:stage|wave|étape|etapa|faza|etap|фаза|этап)|阶段|階段|フェーズ|단계)$/iu;
const someOther = /^(?:next|this|each|every|all|current|per|after|nächste|diese|prochaine)\b/iu;
const leadingNumber =
  /^(?:§\s*)?(\d{1,3}(?:\.\d{1,3}){0,4}|[IVX]{1,5}|[A-Z]|[一二三四五六七八九十]{1,3})(?:[.):：、]\s*(?!\d)|\s+[-–—]\s+)(?=\S)|^(\d{1,3}(?:\.\d{1,3}){1,4})\s+(?=\S)/u;

const known = new Map<string, HeadingSense>();

/** Reads a heading, with marks of claims and markup already taken off. */
export function readHeading(text: string): HeadingSense {
  const cached = known.get(text);
  if (cached !== undefined) return cached;
  const sense = readTitle(text.trim());
  // Plans repeat themselves (`Steps`, `Verification`); the bound keeps a document of a million headings small.
  if (known.size < 500) known.set(text, sense);
  return sense;
}

function readTitle(text: string): HeadingSense {
  const name = readName(text);
  if (name.named) return name;
  return { ...name, role: roleOf(name.title), container: isContainer(name.title) };
}

/** The part of `readHeading` that items need too: phase, step or unit by name, and the number. Its role is `other` otherwise. */
export function readName(text: string): HeadingSense {
  const short = text.length > 300 ? text.slice(0, 300) : text;
  const direct = byName(short);
  if (direct !== undefined) return direct;
  const found = leadingNumber.exec(short);
  const raw = found?.[1] ?? found?.[2];
  const number = raw === undefined ? undefined : arabic(raw);
  const title = text.slice(found?.[0].length ?? 0).trim();
  const inner = number === undefined ? undefined : byName(title.slice(0, 300));
  const own = number === undefined ? {} : { number };
  if (inner !== undefined) return { ...own, ...inner };
  return { ...own, role: "other", title, named: false, container: false, period: false };
}

function byName(text: string): HeadingSense | undefined {
  const lower = lowered(text);
  const head = headWord(lower);
  if (head !== undefined) {
    const rest = text.slice(head.length);
    const counted = numberBehind.exec(rest);
    if (counted !== null) return numbered(head.role, text, counted[1] ?? "", counted[2] ?? "");
    const title = someOther.test(text) ? undefined : titled.exec(rest)?.[1];
    if (title !== undefined && head.role !== "period") return plainly(head.role, title);
  }
  const before = numberBefore.exec(text);
  if (before !== null) {
    const rest = text.slice(before[0].length);
    const word = headWord(lowered(rest));
    if (
      word !== undefined &&
      (isSign(rest.slice(0, word.length)) || /^\s*(?:[:：–—-]|$)/u.test(rest.slice(word.length)))
    )
      return numbered(
        word.role,
        text,
        before[1] ?? "",
        rest.slice(word.length).replace(/^[:：、,.\s–—-]+/u, ""),
      );
  }
  const counted = ordinal.exec(text);
  const role = counted === null ? undefined : named.get(lowered(counted[3] ?? ""));
  if (counted !== null && role !== undefined) return numbered(role, text, counted[1] ?? "", counted[4] ?? "");
  // `一、准备阶段`: the number comes off first.
  if (someOther.test(text) || leadingNumber.test(text)) return undefined;
  const title = phaseBehind.exec(text)?.[1]?.trim();
  return title === undefined || /^(?:the|die|la|le|el|il|de)$/i.test(title)
    ? undefined
    : plainly("phase", title);
}

/** The role word that the text begins with. */
function headWord(lower: string): { readonly role: Named; readonly length: number } | undefined {
  const sign = signs.find(([word]) => lower.startsWith(word));
  if (sign !== undefined) return { role: sign[1], length: sign[0].length };
  const word = /^[\p{L}\p{M}]+/u.exec(lower)?.[0];
  if (word === undefined) return undefined;
  const two = /^[\p{L}\p{M}]+ [\p{L}\p{M}]+/u.exec(lower)?.[0] ?? "";
  const role = named.get(two);
  if (role !== undefined) return { role, length: two.length };
  const own = named.get(word);
  return own === undefined ? undefined : { role: own, length: word.length };
}

function numbered(role: Named, text: string, number: string, rest: string): HeadingSense {
  const title = rest.trim() === "" ? text : rest.trim();
  const period = role === "period";
  return {
    role: period ? "timeline" : role,
    number: arabic(number),
    title,
    named: true,
    container: false,
    period,
  };
}

const plainly = (role: Exclude<Named, "period">, title: string): HeadingSense => ({
  role,
  title,
  named: true,
  container: false,
  period: false,
});

/** What a title is about, by its words. */
export function roleOf(title: string): SectionRole {
  // Work orders, orders of customers and the like are no sequence.
  const lower = lowered(title).replace(/(?:work|purchase|sales|customer) orders?/g, "");
  for (const [role, list] of roleWords) if (holdsWord(lower, list)) return role;
  return "other";
}

function isContainer(title: string): boolean {
  const lower = lowered(title);
  return containerWords.some((word) => {
    const at = lower.indexOf(word);
    return at !== -1 && (isSign(word) || (beginsAt(lower, at) && endsAt(lower, at + word.length)));
  });
}

const ideographs = "一二三四五六七八九十";

/** `二` → `2`, `十二` → `12`; other numbers as written. */
function arabic(number: string): string {
  if (!/^[一二三四五六七八九十]+$/u.test(number)) return number.replace(/\.$/, "");
  const at = (char: string | undefined): number => (char === undefined ? 0 : ideographs.indexOf(char) + 1);
  const ten = number.indexOf("十");
  if (ten === -1) return Array.from(number, at).join("");
  const tens = ten === 0 ? 1 : at(number[ten - 1]);
  return String(tens * 10 + (number.length > ten + 1 ? at(number[ten + 1]) : 0));
}
