import { readFigures } from "../figures.ts";
import type { DurationFinding } from "../figure-finding.ts";
import type { Inventory } from "../inventory.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";
import { addsUp, type Length, sumText } from "./lengths.ts";

/** Sums of time: what one line adds up, what efforts and phases add up to, what one stretch is said to last. */
export function checkSums(inventory: Inventory, tell: Tell): void {
  for (const total of inventory.totals) equation(total, tell);
  const durations = new Map(inventory.durations.map((duration) => [duration.key, duration]));
  const efforts = inventory.efforts.flatMap((effort) => durations.get(effort.duration) ?? []);
  const stated = inventory.totals.flatMap((total) => {
    const length = totalOf(total.text);
    return length === undefined ? [] : [{ total, length }];
  });
  for (const { total, length } of stated) {
    const same = efforts.filter(({ within }) => within.phase === total.within.phase);
    if (same.length >= 2) compare(same, { total, length }, "efforts", tell);
    else if (total.within.phase === undefined && total.within.unit === undefined)
      compare(phaseLengths(inventory, durations), { total, length }, "phases", tell);
  }
  stretches(inventory, durations, tell);
}

interface Stated {
  readonly total: Inventory["totals"][number];
  readonly length: Length;
}

function compare(
  parts: readonly DurationFinding[],
  { total, length }: Stated,
  what: string,
  tell: Tell,
): void {
  if (parts.length < 2 || addsUp(parts, length)) return;
  const lines = `${parts[0]?.place.line ?? 0}–${parts.at(-1)?.place.line ?? 0}`;
  tell("sum-mismatch", total, {
    expected: `${sumText(parts)}, the sum of ${parts.length} ${what} on lines ${lines}`,
    found: quoted(total.text),
    remedy: "correct the total or the parts",
    also: parts.map((part) => lineOf(part.place, part.written)),
  });
}

/** One length a phase, and only when every phase has one. */
function phaseLengths(
  inventory: Inventory,
  durations: ReadonlyMap<string, DurationFinding>,
): readonly DurationFinding[] {
  const lengths = inventory.phases.map(({ durations: own }) =>
    own.map((key) => durations.get(key)).find((duration) => duration?.sort === "length"),
  );
  return lengths.every((length) => length !== undefined) ? lengths : [];
}

/** The first length of a total, without its buffer: `22 days` of `22 days (4.5 weeks) + 1 week buffer`. */
function totalOf(text: string): Length | undefined {
  const [sum = ""] = text.split("=");
  return readFigures(sum).durations.find(({ sort }) => sort === "length");
}

/** `22 days (4.5 weeks) + 1 week buffer = 5 weeks`: each summand may be written twice, and every writing must fit. */
function equation(total: Inventory["totals"][number], tell: Tell): void {
  const sides = total.text.split("=");
  if (sides.length !== 2) return;
  const result = readFigures(sides[1] ?? "").durations.find(({ sort }) => sort === "length");
  const summands = (sides[0] ?? "").split("+").map((text) => {
    const bracket = /\(([^)]*)\)/.exec(text);
    const outside = lengthIn(bracket === null ? text : text.replace(bracket[0], " "));
    const inside = bracket === null ? undefined : lengthIn(bracket[1] ?? "");
    return { outside: outside ?? inside, inside: outside === undefined ? undefined : inside };
  });
  for (const { outside, inside } of summands)
    if (outside !== undefined && inside !== undefined && !addsUp([outside], { ...inside, approximate: true }))
      tell("sum-mismatch", total, {
        expected: `one length, written in two units`,
        found: `${sumText([outside])} and ${sumText([inside])}`,
        remedy: "correct one of them",
      });
  if (result === undefined || summands.some(({ outside }) => outside === undefined)) return;
  const readings = [
    summands.flatMap(({ outside }) => outside ?? []),
    summands.flatMap(({ outside, inside }) => inside ?? outside ?? []),
  ];
  const wrong = readings.filter((parts) => !addsUp(parts, result)).at(-1);
  if (wrong === undefined) return;
  tell("sum-mismatch", total, {
    expected: `${sumText([result])}, as the line says`,
    found: `${sumText(wrong)}`,
    remedy: "correct the result, or say what was left out",
  });
}

const lengthIn = (text: string): Length | undefined =>
  readFigures(text).durations.find(({ sort }) => sort === "length");

/** Every length that is given for one phase or unit must be the same, and spans (`Days 2-3`, `Week 3`) must fit into it. */
function stretches(inventory: Inventory, durations: ReadonlyMap<string, DurationFinding>, tell: Tell): void {
  for (const phase of inventory.phases) {
    const own = phase.durations.flatMap((key) => durations.get(key) ?? []);
    const [first, ...others] = own.filter(({ sort, role }) => sort === "length" && role === "phase");
    if (first === undefined) continue;
    for (const other of others)
      if (!addsUp([first], other))
        tell("duration-conflict", other, {
          expected: `${first.written}, as line ${first.place.line} says of ${quoted(phase.title)}`,
          found: other.written,
          remedy: "decide which one holds and write it once",
          also: [lineOf(first.place, first.written)],
        });
    const spans = inventory.durations.filter(
      ({ sort, unit, within }) => sort === "span" && unit === "week" && within.phase === phase.key,
    );
    const last = spans.toSorted((a, b) => b.high - a.high)[0];
    const start = Math.min(...spans.map(({ low }) => low));
    if (last === undefined || start !== 1 || first.unit !== "week" || last.high === first.high) continue;
    tell("duration-conflict", last, {
      expected: `${first.high} weeks, as line ${first.place.line} says of ${quoted(phase.title)}`,
      found: `a plan up to ${last.written}`,
      remedy: "correct the length or the weeks",
      also: [lineOf(first.place, first.written)],
    });
  }
  for (const unit of inventory.units) {
    const effort = inventory.efforts.find(({ of }) => of === unit.key);
    const length = effort === undefined ? undefined : durations.get(effort.duration);
    const span = inventory.durations.find(
      ({ sort, within, place }) =>
        sort === "span" &&
        within.unit === unit.key &&
        within.step === undefined &&
        [unit.place, ...unit.also].some(({ line }) => line === place.line),
    );
    if (
      length === undefined ||
      span === undefined ||
      span.unit !== (length.unit === "workday" ? "day" : length.unit)
    )
      continue;
    const counted = span.high - span.low + 1;
    if (counted === length.high || counted === length.low) continue;
    tell("duration-conflict", span, {
      expected: `${length.written}, as line ${length.place.line} says of ${quoted(unit.name)}`,
      found: `${span.written}: ${counted}`,
      remedy: "correct the effort or the days",
      also: [lineOf(length.place, length.written)],
    });
  }
}
