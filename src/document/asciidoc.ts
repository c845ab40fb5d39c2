/**
 * AsciiDoc as Markdown, line for line, so that every place stays true: titles, nested lists, task lists, listings, tables
 * with a cell sigil on each line or several in a line, bold. Attributes, block titles and macros become blank; `blanked`
 * are their lines (from 1), which say how the page looks and nothing of the plan.
 */
export function fromAsciidoc(text: string): { readonly text: string; readonly blanked: readonly number[] } {
  const rows = text.split("\n");
  const out: string[] = [];
  const blanked: number[] = [];
  let language = "";
  let closing = "";
  let table: readonly string[] | undefined;
  rows.forEach((row, index) => {
    const blank = (): void => {
      out.push("");
      if (row.trim() !== "") blanked.push(index + 1);
    };
    if (closing !== "") {
      if (row.trimEnd() === closing) {
        out.push("```");
        closing = "";
      } else out.push(row);
      return;
    }
    if (table !== undefined) {
      if (row.startsWith("|===")) blanked.push(index + 1);
      out.push(table[index] ?? "");
      if (/^\|===\s*$/.test(row)) table = undefined;
      return;
    }
    if (/^\|===\s*$/.test(row)) {
      table = tableRows(rows, index);
      out.push(table[index] ?? "");
      return;
    }
    if (/^(?:-{4,}|\.{4,}|```)\s*\w*$/.test(row)) {
      closing = row.trimEnd();
      out.push(`\`\`\`${language}`);
      language = "";
      return;
    }
    const source = /^\[(?:source|listing)?(?:%\w+)?,\s*(\w+).*\]\s*$|^\[(mermaid)[^\]]*\]\s*$/.exec(row);
    if (source !== null) {
      language = source[1] ?? source[2] ?? "";
      blank();
      return;
    }
    if (/^\[[^\]]*\]\s*$|^:[\w!-]+:.*$|^(?:toc|image|include)::.*$|^\/\/.*$|^={4,}\s*$/.test(row)) {
      blank();
      return;
    }
    out.push(line(row));
  });
  return { text: out.join("\n"), blanked };
}

/** Fills a line of a table that holds nothing of its own: a blank one would end the table. */
const filler = "| |";

/**
 * Rows of the table that opens here, by their line. Cells stand one to a line or several; the first row, or all lines up
 * to the first blank one, is the head. A row stands on the line of its last cell.
 */
function tableRows(rows: readonly string[], open: number): readonly string[] {
  const close = rows.findIndex((row, at) => at > open && /^\|===\s*$/.test(row));
  const end = close === -1 ? rows.length : close;
  const made: string[] = [];
  const cellsOf = (row: string): readonly string[] =>
    row.startsWith("|")
      ? row
          .slice(1)
          .split(/(?<!\\)\|/)
          .map((cell) => cell.trim())
      : [];
  let first = open + 1;
  while (first < end && rows[first]?.trim() === "") first++;
  let last = first;
  while (last + 1 < end && rows[last + 1]?.trim() !== "" && cellsOf(rows[first] ?? "").length === 1) last++;
  const head = rows.slice(first, last + 1).flatMap(cellsOf);
  made[open] = written(head);
  made[open + 1] = `|${"---|".repeat(Math.max(head.length, 1))}`;
  let cells: string[] = [];
  for (let at = open + 2; at < end; at++) {
    const row = rows[at] ?? "";
    made[at] = filler;
    if (at <= last) continue;
    // Text without a sigil goes on with the cell above.
    if (!row.startsWith("|") && row.trim() !== "" && cells.length > 0)
      cells.push(`${cells.pop() ?? ""} ${row.trim()}`);
    else cells.push(...cellsOf(row));
    if (cells.length >= head.length && head.length > 0) made[at] = written(cells.splice(0, head.length));
  }
  return made;
}

const written = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll("|", String.raw`\|`)).join(" | ")} |`;

function line(row: string): string {
  const title = /^(={1,6})\s+(.*)$/.exec(row);
  if (title !== null) return `${"#".repeat(title[1]?.length ?? 1)} ${title[2] ?? ""}`;
  const named = /^\.([^\s.].*)$/.exec(row);
  if (named !== null) return `**${named[1] ?? ""}**`;
  const bullet = /^\s*(\*{1,5}|-)\s+(.*)$/.exec(row);
  if (bullet !== null)
    return `${"  ".repeat((bullet[1] ?? "*").length - 1)}- ${bold((bullet[2] ?? "").replace(/^\[\*\]/, "[x]"))}`;
  const numbered = /^\s*(\.{1,5})\s+(.*)$/.exec(row);
  if (numbered !== null)
    return `${"   ".repeat((numbered[1] ?? ".").length - 1)}1. ${bold(numbered[2] ?? "")}`;
  const term = /^(\S[^:]{0,60})::\s*(.*)$/.exec(row);
  if (term !== null) return `${term[1] ?? ""}: ${bold(term[2] ?? "")}`;
  return bold(row);
}

const bold = (text: string): string =>
  text.replace(/(?<![\w*])\*(?=[^\s*])([^*\n]{1,200}?)(?<=\S)\*(?![\w*])/g, "**$1**");
