import { visible } from "../../core/index.ts";
import { cut, textWidth } from "./text-width.ts";

export type Tone = "plain" | "bold" | "dim" | "good" | "bad" | "busy" | "wait" | "quiet" | "old" | "new";

export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** One line of a screen, laid out before it is coloured, so that widths are widths of text. */
export type Line = readonly Span[];

/** A piece of a line. Control characters in it are made visible: a record cannot move the cursor. */
export const span = (text: string, tone: Tone = "plain"): Span => ({ text: visible(text), tone });

export const lineWidth = (line: Line): number => line.reduce((sum, { text }) => sum + textWidth(text), 0);

/** The line cut to `columns`. */
export function fit(line: Line, columns: number): Line {
  if (lineWidth(line) <= columns) return line;
  const kept: Span[] = [];
  let left = columns;
  for (const { text, tone } of line) {
    const shown = cut(text, left);
    kept.push({ text: shown, tone });
    left -= textWidth(shown);
    if (shown !== text || left <= 0) break;
  }
  return kept;
}

/** `left` and `right` at the two ends of `columns`; the right one goes when both do not fit. */
export function ends(left: Line, right: Line, columns: number): Line {
  const space = columns - lineWidth(left) - lineWidth(right);
  return space < 2 ? fit(left, columns) : [...left, span(" ".repeat(space)), ...right];
}

const codes: Readonly<Record<Tone, string>> = {
  plain: "",
  bold: "1",
  dim: "2",
  good: "32",
  bad: "31",
  busy: "36",
  wait: "33",
  quiet: "2",
  old: "33",
  new: "36",
};

/** The line as text, with colours when the terminal takes them. */
export function paint(line: Line, colour: boolean): string {
  return line
    .map(({ text, tone }) => (colour && codes[tone] !== "" ? `\u001b[${codes[tone]}m${text}\u001b[0m` : text))
    .join("")
    .replace(/ +$/, "");
}
