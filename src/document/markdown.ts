import MarkdownIt from "markdown-it";
import { CutoverError } from "../core/index.ts";
import type { Block, Fence, Item, Paragraph, Table } from "./block.ts";
import { readName } from "./heading.ts";
import { looseItems } from "./loose-items.ts";

/** Lists count twice (list and item), so this is some 60 lists inside each other; plans have four. */
export const deepest = 120;

/** The part of a token that is used; markdown-it's own type names much more. */
interface Token {
  readonly type: string;
  readonly tag: string;
  readonly content: string;
  readonly info: string;
  readonly markup: string;
  readonly level: number;
  readonly map: readonly [number, number] | null;
}

/**
 * Blocks of a Markdown text (CommonMark with GFM tables) with their lines, chapter after chapter. Inline markup is left alone: what it hides
 * is taken off where a text is read, at a tenth of the cost of a tree.
 * @throws CUTOVER_DOCUMENT_NESTED beyond `deepest` levels; the parser would drop what is deeper without a word.
 */
export function* parseMarkdown(text: string, file: string): Generator<readonly Block[]> {
  const parser = new MarkdownIt("default", { html: true, maxNesting: deepest });
  parser.core.ruler.enableOnly(["normalize", "block"]);
  // A reference definition gives no token, and its line would be lost.
  parser.block.ruler.disable("reference");
  const front = frontMatter(text);
  if (front !== undefined) yield [front];
  const lines = text.split("\n");
  let from = front?.endLine ?? 0;
  while (from < lines.length) {
    const to = chapterEnd(lines, from);
    const chapter = lines.slice(from, to);
    const tokens: readonly Token[] = parser.parse(shielded(withHeadings(chapter).join("\n")), {});
    yield new Cursor(tokens, chapter, file, from).blocks(undefined);
    from = to;
  }
}

/** Characters of a chapter: the tokens of a whole book would take more memory than all that is read from it. */
const chapterSize = 48_000;

/** The line before a heading, once enough is read, where nothing that was begun reaches over it. */
function chapterEnd(lines: readonly string[], from: number): number {
  let size = 0;
  let fence = "";
  let html = false;
  for (let at = from; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (size > chapterSize && fence === "" && !html && /^#{1,3} /.test(line)) return at;
    size += line.length + 1;
    const mark = /^\s*(`{3,}|~{3,})(.*)$/.exec(line);
    if (mark !== null) {
      const [, sign = "", info = ""] = mark;
      if (fence === "") fence = sign;
      else if (sign.startsWith(fence) && info.trim() === "") fence = "";
    } else if (fence === "" && line.includes("<")) {
      html = /<(?:pre|script|style|textarea)\b|<!--|<\?|<!\[CDATA/i.test(line) || html;
      if (/-->|<\/(?:pre|script|style|textarea)>|\?>|\]\]>/i.test(line)) html = false;
    } else if (html && /-->|<\/(?:pre|script|style|textarea)>|\?>|\]\]>/i.test(line)) html = false;
  }
  return lines.length;
}

/**
 * `Sprint 2: Data` right below an item is the next chapter to everybody but Markdown, which goes on with the item. Only the
 * parser sees the sign of a heading; the line keeps its words and its number.
 */
function withHeadings(lines: readonly string[]): readonly string[] {
  let fence = "";
  return lines.map((line, at) => {
    const mark = /^\s*(`{3,}|~{3,})/.exec(line)?.[1] ?? "";
    if (mark !== "") fence = fence === "" ? mark : mark.startsWith(fence) ? "" : fence;
    if (fence !== "" || line.length > 90 || !/^\p{L}[^|`<>]*\d/u.test(line) || /[.;,!?。]$/u.test(line))
      return line;
    if (!/^\s*(?:[-*+•]|\d{1,3}[.)])\s|^\s+\S/.test(lines[at - 1] ?? "")) return line;
    const { named, number, role, title } = readName(line);
    const heading =
      named && number !== undefined && (role === "phase" || role === "timeline") && title !== line;
    return heading ? `## ${line}` : line;
  });
}

const shield = "\ue002";

/** `- >10% slower` is a comparison to everybody but Markdown, which sees a quotation and drops the sign. */
function shielded(text: string): string {
  return text.replace(
    /^([ \t]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?))>(?==?[ \t]*[~≈]?\d)|^([ \t]*)>(?==?\d)/gm,
    `$1$2${shield}`,
  );
}

const restored = (content: string): string => content.replaceAll(shield, ">");

function frontMatter(text: string): Fence | undefined {
  const mark = /^(---|\+\+\+)[ \t]*\n/.exec(text)?.[1];
  if (mark === undefined) return undefined;
  const rows = text.split("\n", 200);
  const end = rows.findIndex((row, index) => index > 0 && row.trimEnd() === mark);
  if (end < 2 || !rows.slice(1, end).every((row) => /^\s*($|#|-\s|[\w".-]+\s*[:=]|\s)/.test(row)))
    return undefined;
  const language = mark === "---" ? "yaml" : "toml";
  return {
    type: "fence",
    language,
    rows: rows.slice(1, end),
    first: 2,
    line: 1,
    endLine: end + 1,
    fenced: true,
    closed: true,
  };
}

/** Loose items that follow the words of an item: `2) Check` and then `• Tell` on the next line. */
function behindFirst(paragraph: Paragraph): readonly Block[] {
  const [first = "", ...rows] = paragraph.rows;
  if (rows.length === 0) return [paragraph];
  const rest = looseItems({ ...paragraph, rows, line: paragraph.line + 1 });
  if (rest.every(({ type }) => type === "paragraph")) return [paragraph];
  return [{ ...paragraph, rows: [first], endLine: paragraph.line }, ...rest];
}

/** Walks the flat token list; each method leaves the cursor behind what it read. */
class Cursor {
  #at = 0;
  readonly #tokens: readonly Token[];
  readonly #lines: readonly string[];
  readonly #file: string;
  /** Lines of the document before these. */
  readonly #before: number;

  constructor(tokens: readonly Token[], lines: readonly string[], file: string, before: number) {
    this.#before = before;
    this.#tokens = tokens;
    this.#lines = lines;
    this.#file = file;
  }

  /** Blocks up to the closing token of this type, or to the end. */
  blocks(until: string | undefined, quoted = false, inItem = false): Block[] {
    const found: Block[] = [];
    for (let token = this.#next(); token !== undefined; token = this.#next()) {
      if (token.type === until) return found;
      const lines = this.#span(token);
      switch (token.type) {
        case "heading_open":
          found.push({ type: "heading", level: Number(token.tag.slice(1)), raw: this.#inline(), ...lines });
          break;
        case "paragraph_open": {
          const rows = this.#inline().split("\n");
          const paragraph = { type: "paragraph", rows, quoted, ...lines } as const;
          // The words of an item have their mark already: `1. ✅ done` is one item.
          found.push(...(inItem ? behindFirst(paragraph) : looseItems(paragraph)));
          break;
        }
        case "bullet_list_open":
        case "ordered_list_open":
          found.push({
            type: "list",
            ordered: token.type.startsWith("o"),
            items: this.#items(token),
            ...lines,
          });
          break;
        case "blockquote_open":
          found.push(...this.blocks("blockquote_close", true));
          break;
        case "table_open":
          found.push(this.#table(lines));
          break;
        case "fence":
        case "code_block":
          found.push(this.#fence(token, lines));
          break;
        case "html_block":
          found.push({ type: "markup", ...lines });
          break;
        case "hr":
          found.push({ type: "rule", ...lines });
          break;
        default:
          break;
      }
    }
    return found;
  }

  #span({ map }: Token): { line: number; endLine: number } {
    const [start, end] = map ?? [0, 0];
    return { line: this.#before + start + 1, endLine: this.#before + end };
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at++];
    if (token !== undefined && token.level >= deepest - 1) {
      const { line } = this.#span(token);
      throw new CutoverError("CUTOVER_DOCUMENT_NESTED", {
        message: `expected at most ${deepest / 2} lists or quotes inside each other, found more`,
        place: `${this.#file}:${line}`,
        details: { line, most: deepest / 2 },
      });
    }
    return token;
  }

  /** Text of the inline token that follows, and past the closing one. */
  #inline(): string {
    const token = this.#next();
    this.#next();
    return restored(token?.content ?? "");
  }

  #items(list: Token): Item[] {
    const items: Item[] = [];
    const close = list.type.replace("open", "close");
    for (let token = this.#next(); token !== undefined && token.type !== close; token = this.#next()) {
      const number = token.info === "" ? {} : { number: token.info };
      items.push({
        ...this.#span(token),
        ...number,
        blocks: this.blocks("list_item_close", false, true),
      });
    }
    return items;
  }

  #table(lines: { line: number; endLine: number }): Table {
    let header: readonly string[] = [];
    const rows: { line: number; cells: string[] }[] = [];
    let cells: string[] = [];
    for (let token = this.#next(); token !== undefined; token = this.#next()) {
      if (token.type === "table_close") break;
      if (token.type === "tr_open") rows.push({ line: this.#span(token).line, cells: (cells = []) });
      if (token.type === "inline") cells.push(restored(token.content));
      if (token.type === "thead_close") {
        header = cells;
        rows.length = 0;
      }
    }
    return { type: "table", header, rows, ...lines };
  }

  #fence(token: Token, { line, endLine }: { line: number; endLine: number }): Fence {
    const fenced = token.type === "fence";
    const rows = restored(token.content).replace(/\n$/, "").split("\n");
    const language = /^[^\s{,:]*/.exec(token.info.trim().replace(/^\{\.?|\}$/g, ""))?.[0] ?? "";
    const last = this.#lines[endLine - this.#before - 1] ?? "";
    const closed = !fenced || (endLine > line && last.replace(/^[\s>]*/, "").startsWith(token.markup));
    const first = fenced ? line + 1 : line;
    return { type: "fence", language: language.toLowerCase(), rows, first, line, endLine, fenced, closed };
  }
}
