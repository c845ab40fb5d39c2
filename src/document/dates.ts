import type { Context } from "./draft.ts";
import { addDays, realDay } from "./mermaid.ts";
import type { Reading } from "./reading.ts";

const months = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
const forms: readonly (readonly [RegExp, (found: RegExpMatchArray) => string])[] = [
  [/(?<![\d-])(\d{4})[-/](\d{2})[-/](\d{2})(?![\d])/g, ([, y = "", m = "", d = ""]) => `${y}-${m}-${d}`],
  [/(?<!\d)(\d{1,2})\.(\d{1,2})\.(\d{4})(?!\d)/g, ([, d = "", m = "", y = ""]) => `${y}-${two(m)}-${two(d)}`],
  [
    /(\d{4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日/g,
    ([, y = "", m = "", d = ""]) => `${y}-${two(m)}-${two(d)}`,
  ],
  [
    new RegExp(`(?<!\\d)(\\d{1,2})(?:st|nd|rd|th)?\\s+(${months})[a-z]*\\.?,?\\s+(\\d{4})`, "gi"),
    ([, d = "", m = "", y = ""]) => `${y}-${monthOf(m)}-${two(d)}`,
  ],
  [
    new RegExp(`\\b(${months})[a-z]*\\.?\\s+(\\d{1,2})(?:st|nd|rd|th)?,?\\s+(\\d{4})`, "gi"),
    ([, m = "", d = "", y = ""]) => `${y}-${monthOf(m)}-${two(d)}`,
  ],
];

const two = (text: string): string => text.padStart(2, "0");
const monthOf = (name: string): string =>
  two(String(months.split("|").indexOf(name.slice(0, 3).toLowerCase()) + 1));

/** Days of the calendar in a text, in its order. `03/04/2026` is left alone: nobody can tell which is the month. */
export function datesIn(
  text: string,
): readonly { readonly day: string; readonly written: string; readonly at: number }[] {
  if (!/\d{4}/.test(text)) return [];
  return forms
    .flatMap(([form, day]) =>
      [...text.matchAll(form)].map((found) => ({
        day: realDay(day(found)),
        written: found[0],
        at: found.index,
      })),
    )
    .flatMap(({ day, written, at }) => (day === undefined ? [] : [{ day, written, at }]))
    .toSorted((a, b) => a.at - b.at);
}

/** Adds what a text says of dates: two joined by a dash or "to" are a stretch, others single days. True when it has any. */
export function tellDates(
  reading: Reading,
  context: Context,
  text: string,
  line: number,
  title: string = text,
): boolean {
  const dates = datesIn(text);
  for (let at = 0; at < dates.length; at++) {
    const first = dates[at];
    const second = dates[at + 1];
    if (first === undefined) break;
    const between = second === undefined ? "" : text.slice(first.at + first.written.length, second.at);
    const stretch =
      second !== undefined &&
      /^\s*(?:[-–—→~〜～,]|->|to|until|through|bis|à|au|hasta|al?|até|tot|do|до|по|至|から)\s*(?:the\s+)?$/iu.test(
        between,
      );
    const said = { text, line, written: first.written, sureness: "certain", why: "a date" } as const;
    const entry = reading.draft.add("calendar", "calendar", said, context, {
      title: title.trim(),
      start: first.day,
      // A stretch in words includes its last day.
      ...(stretch ? { end: addDays(second.day, 1) } : {}),
      after: [],
      milestone: !stretch,
    });
    if (context.phase !== undefined) (context.phase.calendar as string[]).push(entry.key);
    if (stretch) at++;
  }
  return dates.length > 0;
}
