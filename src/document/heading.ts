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

const alternatives = (words: readonly string[]): string =>
  [...new Set(words)].toSorted((a, b) => b.length - a.length).join("|");

const chinese = "[一二三四五六七八九十]{1,3}";
const digits = String.raw`\d{1,3}(?:\.\d{1,3}){0,4}[a-z]?`;
/** A letter or a Roman number is one only behind a space: `Phase A`, not `Phased`. */
const numeral = `(?:(?<=\\s)(?:[ivx]{1,5}|[a-h])|${digits}|${chinese})`;
const behind = String.raw`(?![\p{L}\p{N}])\.?\s*[)\]]?\s*(?:[:：.–—\-|,、)]+\s*|$|(?=\())?`;

/** `Phase 2: …`, `PHASE II – …`, `第二阶段：…`, `2. Etappe`, `2nd phase: …`, `1단계`. */
function numbered(words: readonly string[]): readonly RegExp[] {
  const word = alternatives(words);
  return [
    new RegExp(`^(?:${word})\\s*(?:#|nr\\.?|no\\.?|n[º°]|№)?\\s*(${numeral})${behind}(.*)$`, "iu"),
    new RegExp(`^第?\\s*(\\d{1,3}|${chinese})\\s*(?:${word})[:：、,.\\s–—-]*(.*)$`, "iu"),
    new RegExp(
      `^(\\d{1,3})(?:\\.|st|nd|rd|th|e|er|ère|ème|º|ª|-[йяе])\\s*(?:${word})(?![\\p{L}])\\s*(?:[:：–—-]\\s*)?(.*)$`,
      "iu",
    ),
  ];
}

/** `Phase: Shadow`. */
function named(words: readonly string[]): readonly RegExp[] {
  const word = alternatives(words);
  return [new RegExp(`^(?:${word})\s*[:：–—]\s*(\S.*)$`, "iu")];
}

const forms = {
  phase: numbered(phaseWords),
  step: numbered(stepWords),
  unit: numbered(unitWords),
  period: numbered(periodWords),
} as const;
const phaseNamed = [
  ...named(phaseWords),
  /^(.{2,60}?)(?:[ -]?(?:phase|fase|etappe)|[ -](?:stage|wave|étape|etapa|faza|etap|фаза|этап)|阶段|階段|フェーズ|단계)$/iu,
];
const stepNamed = named(stepWords);
const unitNamed = named(unitWords);
const container = new RegExp(`(?:^|[^\\p{L}])(?:${alternatives(containerWords)})(?![\\p{L}])`, "iu");
const cjkContainer = /阶段|階段|フェーズ|단계|步骤|手順/u;
const someOther = /^(?:next|this|each|every|all|current|per|after|nächste|diese|prochaine)\b/iu;
const leadingNumber =
  /^(?:§\s*)?(\d{1,3}(?:\.\d{1,3}){0,4}|[IVX]{1,5}|[A-Z]|[一二三四五六七八九十]{1,3})(?:[.):：、]\s*(?!\d)|\s+[-–—]\s+)(?=\S)|^(\d{1,3}(?:\.\d{1,3}){1,4})\s+(?=\S)/u;

const roles = roleWords.map(
  ([role, words]) =>
    [role, new RegExp(`(?:^|[^\\p{L}])(?:${alternatives(words)})|${cjk(words)}`, "iu")] as const,
);

/** Words of scripts without spaces count anywhere. */
function cjk(words: readonly string[]): string {
  const found = words.filter((word) => /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/u.test(word));
  return found.length === 0 ? "(?!)" : found.join("|");
}

const known = new Map<string, HeadingSense>();

/** Reads a heading, with marks of claims and markup already taken off. */
export function readHeading(text: string): HeadingSense {
  const cached = known.get(text);
  if (cached !== undefined) return cached;
  const sense = sense1(text.trim());
  // Plans repeat themselves (`Steps`, `Verification`); the bound keeps a document of a million headings small.
  if (known.size < 500) known.set(text, sense);
  return sense;
}

function sense1(text: string): HeadingSense {
  const short = text.length > 300 ? text.slice(0, 300) : text;
  const direct = byName(short);
  if (direct !== undefined) return direct;
  const found = leadingNumber.exec(short);
  const number = found?.[1] ?? found?.[2];
  const title = text.slice(found?.[0].length ?? 0).trim();
  const inner = number === undefined ? undefined : byName(title);
  const own = number === undefined ? {} : { number };
  if (inner !== undefined) return { ...own, ...inner };
  return {
    ...own,
    role: roleOf(title),
    title,
    named: false,
    container: isContainer(title),
    period: false,
  };
}

function byName(text: string): HeadingSense | undefined {
  for (const role of ["phase", "step", "unit", "period"] as const) {
    for (const form of forms[role]) {
      const found = form.exec(text);
      if (found === null) continue;
      const [, number = "", rest = ""] = found;
      const period = role === "period";
      return {
        role: role === "period" ? "timeline" : role,
        number: arabic(number),
        title: rest.trim() === "" ? text : rest.trim(),
        named: true,
        container: false,
        period,
      };
    }
  }
  if (someOther.test(text)) return undefined;
  for (const [role, patterns] of [
    ["phase", phaseNamed],
    ["step", stepNamed],
    ["unit", unitNamed],
  ] as const) {
    for (const form of patterns) {
      const title = form.exec(text)?.[1]?.trim();
      if (title === undefined || /^(?:the|die|la|le|el|il|de)$/i.test(title)) continue;
      return { role, title, named: true, container: false, period: false };
    }
  }
  return undefined;
}

/** What a title is about, by its words. */
export function roleOf(title: string): SectionRole {
  for (const [role, pattern] of roles) if (pattern.test(title)) return role;
  return "other";
}

const isContainer = (title: string): boolean => container.test(title) || cjkContainer.test(title);

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
