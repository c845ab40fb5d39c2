import MarkdownIt from "markdown-it";
import { CutoverError } from "../core/index.ts";
import type { Block, Fence, Item, Paragraph, Table } from "./block.ts";
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
 * Blocks of a Markdown text (CommonMark with GFM tables), with their lines. Inline markup is left alone: what it hides
 * is taken off where a text is read, at a tenth of the cost of a tree.
 * @throws CUTOVER_DOCUMENT_NESTED beyond `deepest` levels; the parser would drop what is deeper without a word.
 */
export function parseMarkdown(text: string, file: string): readonly Block[] {
  const parser = new MarkdownIt("default", { html: true, maxNesting: deepest });
  parser.core.ruler.enableOnly(["normalize", "block"]);
  // A reference definition gives no token, and its line would be lost.
  parser.block.ruler.disable("reference");
  const front = frontMatter(text);
  const rest = front === undefined ? text : "\n".repeat(front.endLine) + afterLine(text, front.endLine);
  const tokens: readonly Token[] = parser.parse(shielded(rest), {});
  const cursor = new Cursor(tokens, rest.split("\n"), file);
  const blocks = cursor.blocks(undefined);
  return front === undefined ? blocks : [front, ...blocks];
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

function afterLine(text: string, line: number): string {
  let at = 0;
  for (let i = 0; i < line; i++) at = text.indexOf("\n", at) + 1 || text.length;
  return text.slice(at);
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

  constructor(tokens: readonly Token[], lines: readonly string[], file: string) {
    this.#tokens = tokens;
    this.#lines = lines;
    this.#file = file;
  }

  /** Blocks up to the closing token of this type, or to the end. */
  blocks(until: string | undefined, quoted = false, inItem = false): Block[] {
    const found: Block[] = [];
    for (let token = this.#next(); token !== undefined; token = this.#next()) {
      if (token.type === until) return found;
      const lines = { line: (token.map?.[0] ?? 0) + 1, endLine: token.map?.[1] ?? 0 };
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

  #next(): Token | undefined {
    const token = this.#tokens[this.#at++];
    if (token !== undefined && token.level >= deepest - 1) {
      const line = (token.map?.[0] ?? 0) + 1;
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
      const [start, end] = token.map ?? [0, 0];
      const number = token.info === "" ? {} : { number: token.info };
      items.push({
        line: start + 1,
        endLine: end,
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
      if (token.type === "tr_open") rows.push({ line: (token.map?.[0] ?? 0) + 1, cells: (cells = []) });
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
    const last = this.#lines[endLine - 1] ?? "";
    const closed = !fenced || (endLine > line && last.replace(/^[\s>]*/, "").startsWith(token.markup));
    const first = fenced ? line + 1 : line;
    return { type: "fence", language: language.toLowerCase(), rows, first, line, endLine, fenced, closed };
  }
}
