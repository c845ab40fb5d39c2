import type { DiffLine } from "../../document/index.ts";
import { type Line, span } from "./line.ts";

/** Lines around a change that are shown with it. */
const around = 2;

/** A difference as `diff` shows it: what changed with a little of what stands around it. */
export function differenceLines(lines: readonly DiffLine[]): readonly Line[] {
  const near = new Set<number>();
  for (const [index, { change }] of lines.entries())
    if (change !== "same") for (let by = -around; by <= around; by += 1) near.add(index + by);
  const shown: Line[] = [];
  let gap = false;
  for (const [index, { change, text, line }] of lines.entries()) {
    if (!near.has(index)) {
      gap = shown.length > 0;
      continue;
    }
    if (gap) shown.push([span("       …", "dim")]);
    gap = false;
    const number = String(line).padStart(6);
    if (change === "same") shown.push([span(`${number}   ${text}`, "dim")]);
    else if (change === "added") shown.push([span(`${number} + ${text}`, "good")]);
    else shown.push([span(`${number} - ${text}`, "bad")]);
  }
  return shown;
}
