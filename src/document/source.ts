import { CutoverError, sha256 } from "../core/index.ts";

/** A plan of a thousand pages has 4 MB. */
export const largest: number = 8 * 1024 * 1024;

/** A document as text, before it is read. */
export interface Source {
  readonly file: string;
  readonly text: string;
  readonly hash: string;
  readonly format: "markdown" | "text" | "asciidoc";
}

const otherFormats: Readonly<Record<string, string>> = {
  rst: "reStructuredText",
  org: "Org mode",
  html: "HTML",
  htm: "HTML",
  xml: "XML",
  tex: "LaTeX",
  rtf: "RTF",
  doc: "Word",
  docx: "Word",
  odt: "OpenDocument",
  pdf: "PDF",
  xls: "Excel",
  xlsx: "Excel",
  pptx: "PowerPoint",
  ipynb: "a Jupyter notebook",
  wiki: "MediaWiki",
};

/** What a file begins with when its name says nothing. */
const beginnings: readonly (readonly [RegExp, string])[] = [
  [/^%PDF-/, "PDF"],
  [/^\{\\rtf/, "RTF"],
  [/^\s*(?:<!doctype html|<html[\s>])/i, "HTML"],
  [/^\s*<\?xml/, "XML"],
  [/^\\documentclass/m, "LaTeX"],
  [/^#\+(?:title|author|startup):/im, "Org mode"],
];

/**
 * Checks bytes or a text before anything is read from it: size, encoding, format.
 * @throws CUTOVER_DOCUMENT_TOO_LARGE, CUTOVER_DOCUMENT_FORMAT, CUTOVER_DOCUMENT_ENCODING, CUTOVER_DOCUMENT_EMPTY, each
 *   with the line where there is one.
 */
export function readSource(input: string | Uint8Array, file: string): Source {
  const size = typeof input === "string" ? Buffer.byteLength(input) : input.byteLength;
  if (size > largest) {
    throw new CutoverError("CUTOVER_DOCUMENT_TOO_LARGE", {
      message: `expected a plan of at most ${largest / 1024 / 1024} MiB, found ${(size / 1024 / 1024).toFixed(1)} MiB`,
      place: file,
      details: { bytes: size, most: largest },
    });
  }
  const hash = sha256(input);
  const raw = typeof input === "string" ? input : decode(input, file);
  const text = raw.replace(/^\ufeff/, "").replace(/\r\n?/g, "\n");
  refuseOtherFormats(text, file);
  const nul = text.indexOf("\0");
  if (nul !== -1) binary(file, lineOf(text, nul), "a NUL character");
  if (text.trim() === "") {
    throw new CutoverError("CUTOVER_DOCUMENT_EMPTY", {
      message: "expected a plan, found only blank lines",
      place: `${file}:1`,
    });
  }
  return { file, text, hash, format: formatOf(text, file) };
}

function decode(bytes: Uint8Array, file: string): string {
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    encoding(file, 1, "UTF-16");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const text = new TextDecoder("utf-8").decode(bytes);
    refuseOtherFormats(text, file);
    const nul = text.indexOf("\0");
    if (nul !== -1) binary(file, lineOf(text, nul), "a NUL byte");
    encoding(file, lineOf(text, text.indexOf("\ufffd")), "bytes that are not UTF-8");
  }
}

function encoding(file: string, line: number, found: string): never {
  throw new CutoverError("CUTOVER_DOCUMENT_ENCODING", {
    message: `expected text in UTF-8, found ${found} on line ${line}`,
    place: `${file}:${line}`,
    details: { line },
    ...(found === "UTF-16" ? { remedy: "convert it: `iconv -f UTF-16 -t UTF-8`" } : {}),
  });
}

function binary(file: string, line: number, found: string): never {
  throw new CutoverError("CUTOVER_DOCUMENT_FORMAT", {
    message: `expected Markdown or plain text, found ${found} on line ${line}: this is no text`,
    place: `${file}:${line}`,
    details: { line },
  });
}

function refuseOtherFormats(text: string, file: string): void {
  const extension = /\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? "";
  const start = text.slice(0, 4_000);
  const found =
    (Object.hasOwn(otherFormats, extension) ? otherFormats[extension] : undefined) ??
    beginnings.find(([pattern]) => pattern.test(start))?.[1] ??
    (start.startsWith("PK\u0003\u0004") ? "a ZIP archive, such as Word or OpenDocument" : undefined) ??
    (looksLikeReStructuredText(start) ? "reStructuredText" : undefined);
  if (found === undefined) return;
  throw new CutoverError("CUTOVER_DOCUMENT_FORMAT", {
    message: `expected Markdown, AsciiDoc or plain text, found ${found}, which is not read`,
    place: file,
    details: { found },
    remedy: "export it as Markdown first, for example with `pandoc -t gfm`",
  });
}

/** Directives are its own; underlines alone are plain text too. */
const looksLikeReStructuredText = (text: string): boolean =>
  /^\.\. (?:code-block|contents|note|warning|toctree|list-table|csv-table|image)::/m.test(text);

function formatOf(text: string, file: string): Source["format"] {
  if (/\.(?:adoc|asciidoc|asc)$/i.test(file)) return "asciidoc";
  if (/\.(?:md|markdown|mdown|mkd|mdx)$/i.test(file)) return "markdown";
  if (/^={1,4} \S/m.test(text) && !/^#{1,4} \S/m.test(text)) return "asciidoc";
  return /^#{1,6} \S|^```|^\|.*\|\s*$|^\s*[-*] \[[ xX]\]|\*\*\S/m.test(text) ? "markdown" : "text";
}

const lineOf = (text: string, offset: number): number =>
  text.slice(0, Math.max(offset, 0)).split("\n").length;
