import { html, Markup } from "./markup.ts";

/** Cells of so few characters stay on one line: `rollback`, `✔ moved`, `2 h 00 min`. */
const shortCell = 16;

const isShort = (cell: string | Markup): boolean =>
  (typeof cell === "string" ? cell : cell.text.replace(/<[^>]*>/g, "")).trim().length <= shortCell;

export function table(head: readonly string[], rows: readonly (readonly (string | Markup)[])[]): Markup {
  // On a phone the cells of a row with many words stand below one another, each behind what its column says; figures of two sides fit.
  const stacked = head.length > 3 && head[0] !== "";
  const cells = (row: readonly (string | Markup)[]): readonly Markup[] =>
    row.map(
      (cell, column) =>
        html`<td${isShort(cell) && new Markup(' class="short"')}${
          stacked && html` data-head="${head[column] ?? ""}"`
        }>${cell}</td>`,
    );
  return html`<div class="scroll${stacked && " stacked"}">
    <table>
      <tr class="head">
        ${head.map((cell) => html`<th>${cell}</th>`)}
      </tr>
      ${rows.map(
        (row) =>
          html`<tr>
            ${cells(row)}
          </tr>`,
      )}
    </table>
  </div>`;
}
