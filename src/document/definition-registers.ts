import { call, type Code, type CodeItem, list, object, words } from "./definition-code.ts";
import { conditionOf } from "./definition-measures.ts";
import { type DefinitionSource, durationText } from "./definition-source.ts";
import { claimedStep, commandItem, stepItem, type StepItem } from "./definition-steps.ts";
import { Names, slug, unprovenCode } from "./definition-words.ts";
import { readComparisons } from "./comparisons.ts";
import { readDurations } from "./figures.ts";
import { lowered } from "./lower.ts";
import type { ThresholdFinding, TriggerFinding } from "./figure-finding.ts";
import type { Level } from "./finding.ts";
import type { CheckFinding, CommandFinding, MappingFinding, StepFinding } from "./work-finding.ts";

export function draftRisks(source: DefinitionSource): readonly CodeItem[] {
  return source.inventory.risks.map((risk) => {
    const { probability, impact, level, owner, mitigation } = risk;
    const rated = probability !== undefined && impact !== undefined;
    const notes = [
      ...(rated
        ? []
        : [level === undefined ? "The plan does not rate it in full." : `Rated "${level}" as a whole.`]),
      ...([probability, impact].includes("critical") ? ['"Critical" counts as high here.'] : []),
      ...(owner === undefined ? [] : [`Owner: ${owner}.`]),
      source.mark(risk.place, risk.text),
    ];
    source.told.add(risk.place.line);
    return {
      notes,
      code: object({
        risk: words(risk.risk.trim() === "" ? `line ${risk.place.line}` : risk.risk),
        probability: words(levelOf(probability ?? level)),
        impact: words(levelOf(impact ?? level)),
        mitigation: words(
          mitigation === undefined || mitigation.trim() === "" ? "none written down" : mitigation,
        ),
      }),
    };
  });
}

const levelOf = (level: Level | undefined): string => (level === "critical" ? "high" : (level ?? "medium"));

/** A way back that the plan tells outside of its phases, by the heading it stands under. */
export interface Procedure {
  readonly title: string;
  readonly line: number;
  /** Title of the heading above its own. */
  readonly under: string | undefined;
  readonly parts: readonly (StepFinding | CommandFinding | CheckFinding)[];
}

/** Procedures of the plan, each run by a person; those of the way back also when a rollback is stuck. */
export function draftContingencies(
  source: DefinitionSource,
  waysBack: readonly Procedure[],
): readonly CodeItem[] {
  const names = new Names();
  const items: { line: number; item: CodeItem }[] = [];
  for (const contingency of source.inventory.contingencies) {
    const { place } = contingency;
    const steps = new Names();
    const told = contingency.steps.length > 0 ? contingency.steps : [{ text: contingency.text, place }];
    const parts = told.map((step) =>
      claimedStep(source, { words: step.text, place: step.place }, { names: steps }),
    );
    const name = names.take(slug(contingency.name), slug(contingency.text), `contingency-${place.line}`);
    source.told.add(place.line);
    items.push({
      line: place.line,
      item: procedure(name, "manual", source.mark(place, contingency.text), parts),
    });
  }
  for (const order of source.inventory.orders) {
    if (order.way !== "rollback" || order.items.length === 0) continue;
    const steps = new Names();
    const parts = order.items.map(({ text: said, place }) =>
      claimedStep(source, { words: said, place }, { names: steps }),
    );
    const name = names.take(slug(order.title), `order-${order.place.line}`);
    items.push({
      line: order.place.line,
      item: procedure(name, "manual", source.mark(order.place, order.title), parts),
    });
  }
  for (const [index, { title, line, parts }] of waysBack.entries()) {
    const steps = new Names();
    const written = parts.flatMap((part): StepItem[] => {
      if (part.kind === "check")
        return [claimedStep(source, { words: part.text, place: part.place }, { names: steps })];
      if (part.kind === "step") return [stepItem(source, part, { names: steps })];
      const item = commandItem(source, part, { names: steps });
      return item === undefined ? [] : [item];
    });
    if (written.length === 0) continue;
    const name = names.take(slug(title), `way-back-${line}`);
    const mark = `${source.name}:${line} ${title}`;
    items.push({ line, item: procedure(name, index === 0 ? "rollback-stuck" : "manual", mark, written) });
  }
  return items.toSorted((a, b) => a.line - b.line).map(({ item }) => item);
}

const procedure = (
  name: string,
  on: "manual" | "rollback-stuck",
  mark: string,
  steps: readonly StepItem[],
): CodeItem => ({
  notes: [mark],
  code: object({ name: words(name), on: words(on), steps: list(steps) }),
});

export function draftTriggers(
  source: DefinitionSource,
  around: { readonly units: boolean; readonly scheduleEnd: boolean },
): readonly CodeItem[] {
  const names = new Set<string>();
  const surroundings = { ...around, duration: (threshold: ThresholdFinding) => limitIn(source, threshold) };
  const named = new Set(source.inventory.triggers.flatMap((trigger) => trigger.thresholds));
  const alone = source.inventory.thresholds.filter(
    (threshold) => threshold.does !== undefined && !named.has(threshold.key),
  );
  return [
    ...source.inventory.triggers.map((trigger) => triggerItem(trigger)),
    ...alone.map(({ key, text: said, place, does = "alert" }) =>
      triggerItem({ text: said, place, does, thresholds: [key], mode: "automatic" }),
    ),
  ];

  function triggerItem(
    trigger: Pick<TriggerFinding, "text" | "place" | "thresholds" | "does" | "mode">,
  ): CodeItem {
    // Cells of a table read as one sentence.
    const said =
      trigger.text.trim() === "" ? `line ${trigger.place.line}` : trigger.text.replaceAll(" | ", " · ");
    let name = said;
    for (let number = 2; names.has(name); number += 1) name = `${said} (${number})`;
    names.add(name);
    source.told.add(trigger.place.line);
    const [key, ...more] = trigger.thresholds;
    const threshold = more.length > 0 ? undefined : source.find(key, "threshold");
    const condition = threshold === undefined ? undefined : conditionOf(threshold, surroundings);
    const byHand = condition === undefined && (trigger.mode === "manual" || key === undefined);
    const first = byHand
      ? call("manual", words(name))
      : call("when", condition ?? unprovenCode(said, { from: source.at(trigger.place), by: ["metric"] }));
    const lasts = byHand ? undefined : lastsIn(said);
    const options = object({
      name: byHand ? undefined : words(name),
      for: lasts === undefined ? undefined : words(lasts),
      from: words(source.at(trigger.place)),
    });
    const notes = byHand && trigger.mode !== "manual" ? ["No figure shows it: a person fires it."] : [];
    return { notes, code: { type: "chain", first, method: "then", args: [words(trigger.does), options] } };
  }
}

/** The length of time in a threshold's line. */
function limitIn(source: DefinitionSource, threshold: ThresholdFinding): string | undefined {
  const same = source.inventory.durations.filter(
    ({ place, sort, low }) =>
      place.line === threshold.place.line && sort === "length" && low === threshold.number,
  );
  return same.length === 1 ? source.duration(same[0]?.key) : undefined;
}

const lasting =
  /(?:(?<!\p{L})(?:for|während|pendant|durante|per|gedurende|przez|в течение|länger als|longer than|plus de|más de|più di|over any|over a)|持续|连续|間)\s*(?:more than|at least|mehr als|mindestens|plus de|más de|più di|au moins|al menos)?\s*$/iu;

/** How long a limit has to be passed before it counts: `above 1 % for 5 minutes`, where the plan says it of one limit. */
function lastsIn(said: string): string | undefined {
  const found = readDurations(said).filter(
    ({ at, sort }) => sort === "length" && lasting.test(said.slice(0, at)),
  );
  const [only, ...more] = found;
  if (
    only === undefined ||
    more.length > 0 ||
    /(?<!\p{L})(?:and|or|und|oder|et|ou|y|o|или)(?!\p{L}).*\d/iu.test(said)
  )
    return undefined;
  const others = readComparisons(said, lowered(said)).filter(
    ({ at, written }) => at >= only.at + only.written.length || only.at >= at + written.length,
  );
  return others.length === 1 ? durationText(only) : undefined;
}

/** A constant of the written file. */
export interface Constant extends CodeItem {
  readonly name: string;
}

/** One constant for each table of old and new; what lacks a side is listed by name. */
export function draftMaps(source: DefinitionSource): readonly Constant[] {
  const groups = Map.groupBy(source.inventory.mappings, ({ group }) => group);
  const names = new Names("");
  const maps: Constant[] = [];
  for (const [group, pairs] of groups) {
    const base = camel(slug(group)) || "map";
    const whole = /map(ping)?$|matrix$/i.test(base) ? base : `${base}Map`;
    maps.push(
      ...draftMap(source, names.take(/^[a-z]/.test(whole) ? whole : `map${whole}`), group, pairs, names),
    );
  }
  return maps;
}

function draftMap(
  source: DefinitionSource,
  name: string,
  group: string,
  pairs: readonly MappingFinding[],
  names: Names,
): readonly Constant[] {
  const members = new Map<string, { readonly pair: MappingFinding; readonly notes: string[] }>();
  const lost = { old: [] as string[], new: [] as string[] };
  const [first] = pairs;
  for (const pair of pairs) {
    source.told.add(pair.place.line);
    if (pair.old === null || pair.new === null) {
      if (pair.new !== null) lost.new.push(pair.new);
      if (pair.old !== null) lost.old.push(pair.old);
      continue;
    }
    const there = members.get(pair.old);
    if (there === undefined) members.set(pair.old, { pair, notes: [] });
    else if (there.pair.new !== pair.new || Object.keys(pair.columns).length > 0)
      there.notes.push(`The plan says also: ${source.mark(pair.place, pair.text)}`);
  }
  const heading = first === undefined ? group : source.mark(first.place, group);
  // "__proto__" as a key would set a prototype; computed, it is a name like any other.
  const keyOf = (old: string): string => (old === "__proto__" ? '["__proto__"]' : old);
  const value = (pair: MappingFinding): Code => {
    const columns = Object.entries(pair.columns).filter(([, cell]) => typeof cell === "string");
    if (columns.length === 0) return words(pair.new ?? "");
    return object({
      new: words(pair.new ?? ""),
      ...Object.fromEntries(
        columns
          .filter(([key]) => key !== "__proto__" && key !== "new")
          .map(([key, cell]) => [key, words(cell as string)]),
      ),
    });
  };
  const map = {
    name,
    notes: [heading],
    code: {
      type: "object" as const,
      members: [...members].map(([old, { pair, notes }]) => ({ key: keyOf(old), notes, code: value(pair) })),
    },
  };
  const refused = [
    {
      side: "NoOld",
      missing: lost.new,
      says: "Without an old side: nothing becomes these, and what holds one on the way back is refused by name.",
    },
    {
      side: "NoNew",
      missing: lost.old,
      says: "Without a new side: what holds one of these is refused by name.",
    },
  ].flatMap(({ side, missing, says }) =>
    missing.length === 0
      ? []
      : [
          {
            name: names.take(`${name}${side}`),
            notes: [says, source.mark(first?.place ?? { file: "", line: 1, column: 1, endLine: 1 }, group)],
            code: list([...new Set(missing)].map(words)),
          },
        ],
  );
  return [...(members.size > 0 ? [map] : []), ...refused];
}

const camel = (name: string): string =>
  name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

export interface Schedule {
  readonly start?: string;
  readonly end?: string;
}

/** From the first date of the plan to the last; undefined without dates. */
export function scheduleOf(source: DefinitionSource): Schedule | undefined {
  const real = (day: string | undefined): day is string =>
    day !== undefined &&
    /^\d{4}-\d{2}-\d{2}$/.test(day) &&
    !Number.isNaN(Date.parse(day)) &&
    new Date(day).toISOString().startsWith(day);
  const starts = source.inventory.calendar.map(({ start }) => start).filter(real);
  const ends = source.inventory.calendar.map(({ end }) => end).filter(real);
  const start = starts.toSorted()[0];
  const last = [...ends, ...starts].toSorted().at(-1);
  if (start === undefined && last === undefined) return undefined;
  return {
    ...(start === undefined ? {} : { start }),
    ...(ends.length === 0 || last === undefined ? {} : { end: last }),
  };
}

export const scheduleCode = (schedule: Schedule): Code =>
  object({
    start: schedule.start === undefined ? undefined : words(schedule.start),
    end: schedule.end === undefined ? undefined : words(schedule.end),
  });
