import { formatDuration } from "../../core/index.ts";
import { count, loudUnits, unitCounts, unitFaces, type UnitView } from "../../report/index.ts";
import { fit, type Line, span } from "./line.ts";
import { flow, pad, textWidth } from "./text-width.ts";

/** Up to so many units are all listed; of more, only those in trouble or in motion, so many of them. */
const mostUnits = 8;

/**
 * How the units of a migration stand: counts, a line a wave, then the units that a person wants to see. Nothing when
 * there is only one unit: its phases tell the same.
 */
export function unitBlock(units: readonly UnitView[], columns: number): readonly Line[] {
  if (units.length < 2) return [];
  const label = ` ${count(units.length)} units  `;
  const lines: Line[] = flow(countTexts(units), columns - textWidth(label)).map((row, index) => [
    span(index === 0 ? label : " ".repeat(textWidth(label)), "bold"),
    span(row),
  ]);
  lines.push(...waveLines(units, columns));
  const wanted = units.length <= mostUnits ? units : loudUnits(units);
  const listed = wanted.slice(0, mostUnits);
  const nameWidth = Math.min(22, Math.max(6, ...listed.map((unit) => textWidth(unit.name))));
  const stepWidth = Math.max(0, ...listed.map((unit) => stepText(unit).length));
  lines.push(...listed.map((unit) => unitLine(unit, nameWidth, stepWidth)));
  if (wanted.length > listed.length)
    lines.push([span(`     … ${count(wanted.length - listed.length)} more like these`, "dim")]);
  return lines.map((line) => fit(line, columns));
}

const countTexts = (units: readonly UnitView[]): readonly string[] =>
  unitCounts(units).map((each) => `${each.face.mark} ${count(each.count)} ${each.face.word}`);

function waveLines(units: readonly UnitView[], columns: number): readonly Line[] {
  const waves = new Map<string, UnitView[]>();
  for (const unit of units)
    if (unit.wave !== null) waves.set(unit.wave, [...(waves.get(unit.wave) ?? []), unit]);
  const nameWidth = Math.min(22, Math.max(0, ...[...waves.keys()].map(textWidth)));
  return [...waves].flatMap(([name, members]) => {
    const start = `   wave ${pad(name, nameWidth)}   `;
    return flow(countTexts(members), columns - textWidth(start)).map((row, index): Line => [
      span(index === 0 ? start : " ".repeat(textWidth(start)), "dim"),
      span(row),
    ]);
  });
}

const stepText = (unit: UnitView): string => `${count(unit.stepsDone)} of ${count(unit.stepsTotal)}`;

function unitLine(unit: UnitView, nameWidth: number, stepWidth: number): Line {
  const face = unitFaces[unit.state];
  const effort = unit.effortMs === null ? "" : `effort ~${formatDuration(unit.effortMs)}`;
  const rest = unit.state === "pending" ? [unit.priority ?? "", effort] : [unit.line];
  return [
    span("     "),
    span(face.mark, face.tone),
    span(` ${pad(unit.name, nameWidth)} `, face.tone === "quiet" ? "dim" : "plain"),
    span(` ${pad(stepText(unit), stepWidth, "left")}   `, "dim"),
    span([face.word, ...rest.filter((part) => part !== "")].join(" · "), face.tone),
  ];
}
