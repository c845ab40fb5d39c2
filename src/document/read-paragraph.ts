import type { Paragraph } from "./block.ts";
import { splitClaim } from "./claims.ts";
import { sentencesOf, tellCondition } from "./conditions.ts";
import type { Context } from "./draft.ts";
import { readName } from "./heading.ts";
import { type Inline, readInline } from "./inline.ts";
import { tellArrows } from "./arrows.ts";
import { tellFigures, tellLinks } from "./passage.ts";
import { tellDates } from "./dates.ts";
import { tellField } from "./tell-field.ts";
import { isTriggerSection, tellTrigger } from "./tell-trigger.ts";
import type { Reading } from "./reading.ts";

/** `**Owner:** Ana **Effort:** 3 days` are two things on one line. */
const labelled = /(?=\*\*[^*\n]{2,40}[:：]\*\*\s)/u;

/** Wrapped prose is one text; short lines stand each for itself. */
export function readParagraph(reading: Reading, block: Paragraph, inline: Inline, context: Context): void {
  tellLinks(reading, context, inline, block.line);
  // A text of hundreds of lines is read line by line: what joins lines is a sentence.
  const wrapped =
    block.rows.length > 1 &&
    block.rows.length < 200 &&
    block.rows.slice(0, -1).every((row) => row.trim().length > 55 && !/[:：]\s*$|^\s*\*\*/u.test(row));
  if (wrapped) {
    readText(reading, inline.plain, block.line, block.endLine, context, block.quoted);
    return;
  }
  block.rows.forEach((row, index) => {
    const labels = row.split(labelled).filter((part) => part.trim() !== "");
    for (const part of labels.length > 1 ? labels : [row]) {
      const { plain } = block.rows.length === 1 && labels.length < 2 ? inline : readInline(part);
      readText(reading, plain, block.line + index, block.line + index, context, block.quoted);
    }
  });
}

function readText(
  reading: Reading,
  plain: string,
  line: number,
  endLine: number,
  context: Context,
  quoted: boolean,
): void {
  const { draft } = reading;
  const text = plain.trim();
  if (/^[-=_*~\s.·•|+]*$/u.test(text)) {
    draft.form(line, endLine);
    return;
  }
  const head = splitClaim(text);
  const sense = readName(head.title);
  if (sense.named && sense.number !== undefined && sense.role === "phase" && text.length < 140) {
    const { number } = sense;
    const bracket = /^(.*?)\s*[(（]([^()（）]{2,60})[)）]\s*$/u.exec(sense.title);
    const title = bracket?.[1] ?? sense.title;
    const said = {
      title,
      number,
      text,
      line,
      endLine,
      sureness: "likely",
      why: "a line that begins with a phase",
    } as const;
    const phase = reading.phase(
      { ...said, ...(head.claim === undefined ? {} : { claim: head.claim }), defines: false },
      context,
    );
    tellFigures(reading, { ...context, phase }, plain, line, { role: "phase" });
    return;
  }
  const label = /^([^:：\n]{2,40})[:：]\s*(.+)$/su.exec(text);
  if (label !== null && tellField(reading, label[1] ?? "", label[2] ?? "", text, line, endLine, context))
    return;
  if (isTriggerSection(context) && /\d/.test(text) && tellTrigger(reading, text, line, endLine, context))
    return;
  tellSentences(reading, plain, line, endLine, context);
  tellDates(reading, context, text, line);
  const role = quoted ? "status" : context.role === "goal" ? "goal" : "prose";
  const said = { text, line, endLine, sureness: "certain", why: "prose" } as const;
  draft.add("notes", "note", said, context, { role });
}

/** Each sentence by itself: one names shares, the next a limit and what is done beyond it. */
function tellSentences(
  reading: Reading,
  plain: string,
  line: number,
  endLine: number,
  context: Context,
): void {
  for (const { text, at } of sentencesOf(plain)) {
    const begins = line + (plain.slice(0, at).split("\n").length - 1);
    const ends = Math.min(endLine, begins + text.split("\n").length - 1);
    if (tellCondition(reading, text, begins, ends, context)) continue;
    tellFigures(reading, context, text, begins);
    tellArrows(reading, context, text.trim(), begins);
  }
}
