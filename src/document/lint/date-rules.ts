import type { Inventory } from "../inventory.ts";
import type { CalendarFinding } from "../figure-finding.ts";
import type { LintFacts } from "./facts.ts";
import { lineOf, quoted, type Tell } from "./finding.ts";

/** Dates that are over, that go backwards, or that overlap where one thing follows another. */
export function checkDates(inventory: Inventory, facts: LintFacts, tell: Tell): void {
  const dated = inventory.calendar.filter((entry) => entry.start !== undefined);
  for (const entry of dated)
    if (entry.end !== undefined && entry.end <= (entry.start ?? ""))
      tell("date-order", entry, {
        expected: "an end after the start",
        found: `${entry.start} to ${entry.end}`,
        remedy: "swap them or correct one",
        severity: "error",
      });
  if (facts.today !== undefined) past(inventory, dated, facts.today, tell);
  follows(dated, tell);
  phases(inventory, dated, tell);
}

const lastDay = ({ start = "", end }: CalendarFinding): string => end ?? start;

function past(inventory: Inventory, dated: readonly CalendarFinding[], today: string, tell: Tell): void {
  const done = new Set(
    [...inventory.phases, ...inventory.units].flatMap(({ claim, key }) =>
      claim?.state === "done" ? [key] : [],
    ),
  );
  // Where a plan looks back ("inventory taken 2025-07-22") a date is no promise: only dates of phases, steps and timetables are.
  const promised = dated.filter(
    (entry) =>
      entry.claim?.state !== "done" &&
      !done.has(entry.within.phase ?? "") &&
      !done.has(entry.within.unit ?? "") &&
      (entry.group !== undefined ||
        entry.end !== undefined ||
        entry.within.phase !== undefined ||
        entry.within.step !== undefined),
  );
  // The end of a stretch is the first day after it.
  const over = promised.filter((entry) =>
    entry.end === undefined ? lastDay(entry) < today : entry.end <= today,
  );
  const [first, ...rest] = over;
  if (first === undefined) return;
  const all = over.length === promised.length && over.length > 1;
  if (all) {
    const last = over.map(lastDay).toSorted().at(-1) ?? "";
    tell("date-past", first, {
      expected: `dates after today, ${today}`,
      found: `all ${over.length} are over, the last one since ${last}`,
      remedy: "move the plan, or mark what is done and link what shows it",
      also: rest.map((entry) => lineOf(entry.place, `${entry.title}: ${entry.start}`)),
    });
    return;
  }
  for (const entry of over)
    tell("date-past", entry, {
      expected: `a date after today, ${today}, for what is not said to be done`,
      found: `${quoted(entry.title)} until ${lastDay(entry)}`,
      remedy: "move it, or mark it done and link what shows it",
    });
}

/** An entry that follows another (`after a1`) does not begin before that one has ended. */
function follows(dated: readonly CalendarFinding[], tell: Tell): void {
  const byKey = new Map(dated.map((entry) => [entry.key, entry]));
  for (const entry of dated)
    for (const key of entry.after) {
      const before = byKey.get(key);
      if (before?.end === undefined || (entry.start ?? "") >= before.end) continue;
      tell("date-order", entry, {
        expected: `a start on ${before.end} or later, after ${quoted(before.title)}`,
        found: entry.start ?? "",
        remedy: "move one of them",
        severity: "error",
        also: [lineOf(before.place, before.title)],
      });
    }
}

/** Phases in their order: one that begins before the one before it is an error, one that overlaps it a warning. */
function phases(inventory: Inventory, dated: readonly CalendarFinding[], tell: Tell): void {
  const spans = inventory.phases.flatMap((phase) => {
    const own = dated.filter(({ within, end }) => within.phase === phase.key && end !== undefined);
    const starts = own.map(({ start }) => start ?? "").toSorted();
    const ends = own.map(lastDay).toSorted();
    const entry = own.find(({ start }) => start === starts[0]);
    return entry === undefined ? [] : [{ phase, entry, start: starts[0] ?? "", end: ends.at(-1) ?? "" }];
  });
  for (const [at, span] of spans.entries()) {
    const before = spans[at - 1];
    if (before === undefined) continue;
    const parallel = /parallel|overlap|gleichzeitig|überlapp|solap|simultan|одновременн|並行|并行/iu.test(
      span.entry.text,
    );
    if (span.start >= before.end || parallel) continue;
    const backwards = span.start < before.start;
    tell("date-order", span.entry, {
      expected: `a start on ${before.end} or later, after ${quoted(before.phase.title)}`,
      found: `${span.start}${backwards ? ", before that one begins" : ""}`,
      remedy: "move one of them, or say that they run side by side",
      severity: backwards ? "error" : "warning",
      also: [lineOf(before.entry.place, before.phase.title)],
    });
  }
  positions(inventory, tell);
}

/** `Days 2-3`, `Weeks 4-6` of units one after another: no day twice, none backwards. */
function positions(inventory: Inventory, tell: Tell): void {
  const owners = [...inventory.units, ...inventory.phases];
  const spans = inventory.durations.filter(
    ({ sort, place }) =>
      sort === "span" &&
      owners.some((owner) =>
        [owner.place, ...owner.also].some(({ line, file }) => line === place.line && file === place.file),
      ),
  );
  for (const span of spans)
    if (span.high < span.low)
      tell("date-order", span, {
        expected: "the later one behind the earlier one",
        found: span.written,
        remedy: "swap them",
        severity: "error",
      });
  for (const [at, span] of spans.entries()) {
    const before = spans[at - 1];
    if (before === undefined || before.unit !== span.unit || before.within.phase !== span.within.phase)
      continue;
    if (span.low > before.high || span.high < before.low) continue;
    // One shared day may be a morning and an afternoon.
    if (span.low === before.high && span.high > before.high) continue;
    const same = span.low === before.low && span.high === before.high;
    if (same && before.text === span.text) continue;
    tell("date-order", span, {
      expected: `to begin after ${before.written} of line ${before.place.line}`,
      found: span.written,
      remedy: "correct the days, or say that they run side by side",
      also: [lineOf(before.place, before.written)],
    });
  }
}
