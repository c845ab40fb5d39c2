import { type Span, span } from "./line.ts";

/** `███████░░░░░` of `columns`; `fraction` 0 … 1. A part that is begun never looks empty, nor an open one full. */
export function bar(fraction: number, columns: number): readonly Span[] {
  const exact = Math.round(Math.min(1, Math.max(0, fraction)) * columns);
  const full = fraction > 0 && fraction < 1 ? Math.min(columns - 1, Math.max(1, exact)) : exact;
  return [span("█".repeat(full), "new"), span("░".repeat(columns - full), "dim")];
}
