import type { Block, Item, Paragraph } from "./block.ts";

/** Marks of items that Markdown does not know: `•`, `☐`, `[ ]`, `1、`, `①`, `1.2`, `a)`, `（1）`, `第1步`-like ones stay text. */
const mark =
  /^\s*(?:([-*+•·●○◦▪▸►‣–—])\s+|(?=(?:[☐☑☒✅❌✔✓✗✘🔲⬜🟩]|\[[ xX✓✔]?\])\s*\S)|((?:\d{1,3}|[一二三四五六七八九十]{1,3})[、．])\s*|((?:\d{1,3}|[a-z]|[ivx]{1,4})\)|\d{1,2}(?:\.\d{1,2})+\.?(?=\s+\p{L}))\s+|([①-⑳])\s*|([（(](?:\d{1,2}|[一二三四五六七八九十]{1,2})[)）])\s*)/u;

/**
 * A paragraph whose lines are items in all but notation, as a list; else the paragraph as it is. Lines before the first
 * mark stay a paragraph; a line without a mark continues the item above.
 */
export function looseItems(paragraph: Paragraph): readonly Block[] {
  const first = paragraph.rows.findIndex((row) => mark.test(row));
  if (first === -1) return [paragraph];
  const items: Item[] = [];
  let ordered = false;
  for (let at = first; at < paragraph.rows.length;) {
    let end = at + 1;
    while (end < paragraph.rows.length && !mark.test(paragraph.rows[end] ?? "")) end++;
    const found = mark.exec(paragraph.rows[at] ?? "");
    const number = (found?.[2] ?? found?.[3] ?? found?.[4] ?? found?.[5])?.replace(/[()（）、．]|\.$/g, "");
    ordered ||= number !== undefined;
    const rows = paragraph.rows.slice(at, end);
    rows[0] = (rows[0] ?? "").slice(found?.[0].length ?? 0);
    const lines = { line: paragraph.line + at, endLine: paragraph.line + end - 1 };
    const block: Paragraph = { type: "paragraph", rows, quoted: paragraph.quoted, ...lines };
    items.push({ ...lines, ...(number === undefined ? {} : { number }), blocks: [block] });
    at = end;
  }
  const list: Block = {
    type: "list",
    ordered,
    items,
    line: paragraph.line + first,
    endLine: paragraph.endLine,
  };
  if (first === 0) return [list];
  const endLine = paragraph.line + first - 1;
  return [{ ...paragraph, rows: paragraph.rows.slice(0, first), endLine }, list];
}
