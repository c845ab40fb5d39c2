import type { Context } from "./draft.ts";
import { readFigures } from "./figures.ts";
import { doing, tellFigures } from "./passage.ts";
import type { Reading } from "./reading.ts";

/** A sentence of a text and where it begins. */
export interface Sentence {
  readonly text: string;
  readonly at: number;
}

/** Sentences of prose: `ca. 3`, `Fr. Müller` and `z. B.` stay whole. */
export function sentencesOf(text: string): readonly Sentence[] {
  const found: Sentence[] = [];
  let from = 0;
  for (const match of text.matchAll(sentenceEnd)) {
    if (short.test(text.slice(Math.max(from, match.index - 8), match.index))) continue;
    const end = match.index + match[0].length;
    found.push({ text: text.slice(from, end).trimEnd(), at: from });
    from = end;
  }
  if (from < text.length) found.push({ text: text.slice(from), at: from });
  return found;
}

const sentenceEnd = /(?:[.!?](?=\s+[\p{Lu}\p{Lo}"'`([])|[。！？])\s*/gu;
/** Words whose point ends no sentence, single letters among them; behind a number they are units. */
const short =
  /(?<!\d\s?)(?<![\p{L}\p{N}])(?:\p{L}|ca|min|max|approx|etc|vs|no|nr|mr|mrs|ms|dr|st|fr|hr|bzw|usw|inkl|exkl|evtl|ggf|bzgl|vgl|abs|art|sr|sra|srta|aprox|env|ex|cf|fig|vol|incl|resp|dept|тыс|см|стр)$/iu;

/** What a plan does by itself when a limit is passed; first words of `Abort if …`. */
const verb =
  /abort|roll(?:ing)?[ -]?back|revert|pause|stop|halt|freeze|suspend|throttle|page|alert|notify|go back|switch back|fall back|(?:sen[dt]|mov|flip|turn|brought|put)\p{L}*(?: \p{L}+){0,2} back|abbrech|abbruch|anhalten|pausier|zurück|aussetzen|benachrichtig|alarmier|arrêt|annul|reveni|suspend|alert|abort|paus|deten|parar|reverti|volver|avisar|annull|ferma|sospend|interromp|прерва|откат|останов|приостанов|回滚|回退|中止|暂停|停止|告警|报警|通知|切り戻|ロールバック|一時停止|롤백|중단/iu;
const condition =
  "if|when|whenever|once|as soon as|should|wenn|falls|sobald|si|dès que|lorsque|quand|cuando|se|quando|als|wanneer|jeśli|gdy|если|когда|при";
const first = new RegExp(
  `^\\s*(?:(?:note|warning|important|caution|hinweis|achtung)\\s*[:：]\\s*)?(?:${condition})\\s+(.+)$`,
  "isu",
);
const behind = new RegExp(`^(.{3,80}?)[,:]?\\s+(?:${condition})\\s+(.+)$`, "isu");
const signs =
  /^\s*(?:如果|若|当|一旦)?(.+?)(?:时|場合|たら|なら)?[，、,]?\s*(?:则|就|立即|马上|直ちに)?\s*(回滚|回退|中止|暂停|停止|告警|报警|通知[^。]*|切り戻[^。]*|ロールバック[^。]*|一時停止[^。]*)[。！]?\s*$/su;
const arrow = /^(.+?)\s*(?:→|⇒|->|=>)\s*(.+)$/su;

/** What a sentence says is to be done when a limit is passed; undefined when it says no such thing. */
export function actionOf(sentence: string): string | undefined {
  if (!/\d/.test(sentence) || sentence.length > 400) return undefined;
  const passes = (words: string): boolean =>
    readFigures(words).thresholds.some(({ comparison }) => comparison !== "within");
  const acts = (words: string): boolean => verb.test(words) && doing(words).does !== undefined;
  const pointed = arrow.exec(sentence);
  if (pointed !== null) {
    const [, left = "", right = ""] = pointed;
    return !/\d\s?[%％]\s*$/u.test(left) || passes(left)
      ? passes(left) && acts(right) && !arrow.test(right)
        ? right.trim()
        : undefined
      : undefined;
  }
  const leading = first.exec(sentence)?.[1];
  if (leading !== undefined) {
    // The last part that says what to do: `If A, or B, roll back`.
    const parts = leading.split(/,\s+|，|\s+(?:then|dann|alors|entonces)\s+/iu);
    const at = parts.findIndex((part, index) => index > 0 && acts(part) && !passes(part));
    if (at > 0 && passes(parts.slice(0, at).join(", ")))
      return parts
        .slice(at)
        .join(", ")
        .replace(/[.!]\s*$/u, "")
        .trim();
    return undefined;
  }
  const trailing = behind.exec(sentence);
  if (trailing !== null) {
    const [, action = "", limit = ""] = trailing;
    // An order, or what "must" happen; a report of what once happened begins with its subject.
    const said = action.replace(/^\s*(?:[\p{L}]+:\s*)/u, "");
    const orders = said.search(verb);
    const bound = /\b(?:must|shall|will|is to be|muss|wird|doit|debe)\b/iu.test(said);
    const past = /^\p{L}+ed(?!\p{L})/iu.test(said.slice(Math.max(orders, 0)));
    if (orders >= 0 && (bound || (orders < 14 && !past)) && acts(said) && passes(limit)) return said.trim();
  }
  const sign = signs.exec(sentence);
  if (sign !== null && passes(sign[1] ?? "")) return (sign[2] ?? "").trim();
  return undefined;
}

/** Adds the trigger that a sentence names: its limits, and what happens when one is passed. False when it names none. */
export function tellCondition(
  reading: Reading,
  sentence: string,
  line: number,
  endLine: number,
  context: Context,
): boolean {
  const action = actionOf(sentence);
  if (action === undefined) return false;
  const { thresholds } = tellFigures(reading, context, sentence, line, { sense: "limit", action });
  const said = {
    text: sentence.trim(),
    line,
    endLine,
    sureness: "likely",
    why: "a limit and what is done beyond it",
  } as const;
  reading.draft.add("triggers", "trigger", said, context, {
    mode: "unknown",
    thresholds: thresholds.map(({ key }) => key),
    action,
    does: doing(action).does ?? "rollback",
  });
  return true;
}
