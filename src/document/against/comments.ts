/** The program with its comments as blanks: offsets and lines stay what they were. */
export function withoutComments(text: string, language: string): string {
  const hash = language === "py" || language === "rb" || language === "graphql" || language === "gql";
  const dash = language === "sql";
  let out = "";
  let at = 0;
  const blank = (end: number): void => {
    out += text.slice(at, end).replace(/[^\n]/g, " ");
    at = end;
  };
  while (at < text.length) {
    const char = text[at];
    const two = text.slice(at, at + 2);
    if ((hash && char === "#") || (dash && two === "--") || (!hash && !dash && two === "//")) {
      const end = text.indexOf("\n", at);
      blank(end === -1 ? text.length : end);
    } else if (!hash && two === "/*") {
      const end = text.indexOf("*/", at + 2);
      blank(end === -1 ? text.length : end + 2);
    } else if (hash && (text.startsWith('"""', at) || text.startsWith("'''", at))) {
      const end = text.indexOf(text.slice(at, at + 3), at + 3);
      blank(end === -1 ? text.length : end + 3);
    } else if (char === '"' || char === "'" || char === "`") {
      const end = endOfText(text, at, char);
      out += text.slice(at, end);
      at = end;
    } else {
      out += char;
      at++;
    }
  }
  return out;
}

/** Behind the closing quote; a quote that never closes on its line (Rust's lifetimes, an apostrophe) is a letter. */
function endOfText(text: string, from: number, quote: string): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at++;
    else if (text[at] === quote) return at + 1;
    else if (text[at] === "\n" && quote !== "`") return from + 1;
  }
  return from + 1;
}
