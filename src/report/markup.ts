import { escapeHtml } from "./escape.ts";

/** HTML that is safe to send as it is. Only `html` makes it, so a plain text can never slip through unescaped. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = string | number | Markup | null | false | readonly Part[];

/** Tagged template: literals stay, values are escaped, lists are joined, `null` and `false` vanish. */
export function html(literals: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return new Markup(
    literals.reduce((text, literal, index) => text + render(parts[index - 1] ?? "") + literal),
  );
}

function render(part: Part): string {
  if (part === null || part === false) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "string" || typeof part === "number") return escapeHtml(String(part));
  return part.map(render).join("");
}
