/** A text without its inline markup, and what the markup told. */
export interface Inline {
  readonly plain: string;
  /** Contents of `code` marks. */
  readonly codes: readonly string[];
  readonly links: readonly { readonly text: string; readonly target: string }[];
  /** The bold text it begins with, and what follows; absent when it does not begin so. */
  readonly lead?: { readonly bold: string; readonly rest: string };
}

const marked = /[`*_~[\]<\\&]/;

/** Takes off inline markup: one pass for each mark, no nesting beyond bold in links. Newlines stay. */
export function readInline(raw: string): Inline {
  if (!marked.test(raw)) return { plain: raw, codes: [], links: linksIn(raw) };
  const codes: string[] = [];
  const links: { text: string; target: string }[] = [];
  // Code is set aside first: what looks like markup inside it is not.
  const kept: string[] = [];
  const keep = (text: string): string => `\ue000${kept.push(text) - 1}\ue001`;
  let text = raw.replace(
    /(?<!`)(`{1,3})(?!`)([^`\n]{1,2000}?)\1(?!`)/g,
    (_, _marks: string, code: string) => {
      codes.push(code.trim());
      return keep(code.trim());
    },
  );
  text = text.replace(/\\([!-/:-@[-`{-~])/g, (_, char: string) => keep(char));
  text = text.replace(
    /!?\[([^[\]\n]{0,500})\]\(\s*<?([^()\s<>]{0,2000})>?(?:\s+"[^"\n]{0,300}")?\s*\)/g,
    (_, words: string, target: string) => {
      links.push({ text: words, target });
      return words;
    },
  );
  text = text.replace(/<((?:https?|mailto):[^\s<>]{1,2000})>/g, (_, target: string) => {
    links.push({ text: target, target });
    return keep(target);
  });
  text = text.replace(
    /<\/?(?:a|b|i|u|em|strong|code|kbd|sub|sup|span|br|del|ins|mark|small|details|summary|p|div|img|font|center)(?:\s[^<>\n]{0,500})?\/?>/gi,
    "",
  );
  const strong = /^\s*(?:\*\*|__)(?=\S)([^*\n]{1,300}?)(?:\*\*|__)/.exec(text);
  const open = (inner: string): string =>
    unmark(inner).replace(/\ue000(\d+)\ue001/g, (_, at: string) => kept[Number(at)] ?? "");
  const lead =
    strong === null
      ? {}
      : { lead: { bold: open(strong[1] ?? "").trim(), rest: open(text.slice(strong[0].length)) } };
  const plain = open(text);
  for (const link of linksIn(plain))
    if (!links.some(({ target }) => target === link.target)) links.push(link);
  return { plain, codes, links, ...lead };
}

/** Emphasis only where a word begins and ends, so that `a_b_c`, `data_*` and `2*3` stay as they are. */
function unmark(text: string): string {
  let plain = text.replace(
    /(?<![\p{L}\p{N}*])(\*{1,3})(?=[^\s*])([^*\n]{1,1000}?)(?<=\S)\1(?![\p{L}\p{N}*])/gu,
    "$2",
  );
  plain = plain.replace(/\*\*([^*\n]{1,1000})\*\*/g, "$1");
  plain = plain.replace(
    /(?<![\p{L}\p{N}_])(_{1,2})(?=[^\s_])([^\n]{1,1000}?)(?<=[^\s_])\1(?![\p{L}\p{N}_])/gu,
    "$2",
  );
  plain = plain.replace(/~~([^~\n]{1,1000})~~/g, "$1");
  return plain
    .replace(/&(lt|gt|amp|quot|nbsp|le|ge|rarr);/g, (_, name: string) => entities[name] ?? "")
    .replace(/[ \t]+$/gm, "");
}

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  nbsp: " ",
  le: "≤",
  ge: "≥",
  rarr: "→",
};

function linksIn(plain: string): { text: string; target: string }[] {
  if (!plain.includes("://")) return [];
  return [...plain.matchAll(/\bhttps?:\/\/[^\s<>()"'`]{1,2000}/g)].map(([url]) => {
    const target = url.replace(/[.,;:!?]+$/, "");
    return { text: target, target };
  });
}
