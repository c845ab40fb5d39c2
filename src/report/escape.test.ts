import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { visible } from "../core/index.ts";
import { codeSpan, escapeHtml, escapeMarkdown } from "./escape.ts";
import { html } from "./markup.ts";

describe("text of a record in a page", () => {
  test("no text opens a tag or leaves an attribute in HTML", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']/);
      }),
    );
  });

  test("a template escapes what is put in, and keeps what it made itself", () => {
    const inner = html`<b>${"<script>"}</b>`;
    expect(html`<p title="${'" onclick="x'}">${inner}${null}${[inner, "&"]}</p>`.text).toBe(
      '<p title="&quot; onclick=&quot;x"><b>&lt;script&gt;</b><b>&lt;script&gt;</b>&amp;</p>',
    );
  });

  test("no text breaks out of a Markdown table cell or line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeMarkdown(text)).not.toMatch(/[\n\r]|(^|[^\\])(\\\\)*\|/);
      }),
    );
    expect(escapeMarkdown("[x](http://y) *b* <i>")).toBe("\\[x\\](http://y) \\*b\\* \\<i\\>");
  });

  test("a code span holds backticks of any length", () => {
    expect(codeSpan("a``b")).toBe("```a``b```");
    expect(codeSpan("`x`")).toBe("`` `x` ``");
    expect(codeSpan("")).toBe("");
  });

  test("control characters and direction marks cannot move a cursor or turn a line round", () => {
    expect(visible("a\u001b[2Jb\u202ec\nd")).toBe("a\ufffd[2Jb\ufffdc d");
  });
});
