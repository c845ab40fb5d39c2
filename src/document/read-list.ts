import type { Item, List, Paragraph } from "./block.ts";
import { splitClaim } from "./claims.ts";
import { dependenciesOf, matchName } from "./dependencies.ts";
import { type Context, type Growing, put } from "./draft.ts";
import { readInline } from "./inline.ts";
import { tellFigures } from "./passage.ts";
import { type ItemText, nameOf } from "./item-text.ts";
import { holdsDeletion } from "./read-commands.ts";
import { readItem } from "./read-item.ts";
import type { Reading } from "./reading.ts";
import type { UnitFinding } from "./work-finding.ts";

export function readList(reading: Reading, list: List, context: Context): void {
  const read = list.items.map((item, index) => textOf(item, index + 1, list.ordered));
  const deleting = read.some(({ inline, rest }) => holdsDeletion(inline.codes, rest));
  const items = read.map((item) => ({ ...item, deleting }));
  if (readRamp(reading, items, context)) return readRests(reading, items, context);
  if (readOrder(reading, items, list, context)) return;
  for (const item of items) {
    const inner = readItem(reading, item, context);
    if (item.rest.length > 0) reading.below(item.rest, inner);
  }
}

function readRests(reading: Reading, items: readonly ItemText[], context: Context): void {
  for (const { rest } of items) if (rest.length > 0) reading.below(rest, context);
}

function textOf(item: Item, position: number, ordered: boolean): Omit<ItemText, "deleting"> {
  const [first, ...rest] = item.blocks;
  const own: Paragraph | undefined = first?.type === "paragraph" ? first : undefined;
  const heading = first?.type === "heading" ? first.raw : undefined;
  const inline = readInline(own?.rows.join("\n") ?? heading ?? "");
  const has = own !== undefined || heading !== undefined;
  return {
    inline,
    text: inline.plain.replace(/\s+/g, " ").trim(),
    line: has ? (first?.line ?? item.line) : item.line,
    endLine: has ? (first?.endLine ?? item.line) : item.line,
    ...(item.number === undefined ? {} : { number: item.number }),
    position,
    ordered,
    rest: has ? rest : item.blocks,
  };
}

/** Items that begin with rising percentages. */
function readRamp(reading: Reading, items: readonly ItemText[], context: Context): boolean {
  const shares = items.map(({ text }) =>
    /^(?:\S+\s+)?[~≈]?(\d{1,3}(?:[.,]\d+)?)\s?[%％](?:\s|$|[-–—:：,(→])/u.exec(text),
  );
  if (items.length < 2 || shares.some((share) => share === null)) return false;
  const percents = shares.map((share) => Number((share?.[1] ?? "").replace(",", ".")));
  if (percents.some((percent, at) => percent > 100 || (at > 0 && percent <= (percents[at - 1] ?? 0))))
    return false;
  const [first] = items;
  if (first === undefined) return false;
  const stages = items.map((item, at) => {
    const { durations } = tellFigures(reading, context, item.inline.plain, item.line, { role: "hold" });
    reading.draft.tell(item.line, item.endLine);
    const hold = durations[0]?.key;
    return {
      percent: percents[at] ?? 0,
      text: item.text,
      ...(hold === undefined ? {} : { hold }),
      place: reading.draft.place(item.line, item.endLine),
    };
  });
  const text = items.map((item) => item.text).join("; ");
  const said = {
    text,
    line: first.line,
    endLine: items.at(-1)?.endLine ?? first.line,
    sureness: "certain",
    why: "a list of rising percentages",
  } as const;
  reading.draft.add("ramps", "ramp", said, context, { stages });
  return true;
}

/** A list under "order", or one whose items say what they depend on. */
function readOrder(reading: Reading, items: readonly ItemText[], list: List, context: Context): boolean {
  const wants = items.map(({ inline }) => dependenciesOf(inline.plain));
  const told = wants.filter((want) => want !== undefined).length;
  const [first] = items;
  if (first === undefined || items.length < 2 || context.role === "rollback") return false;
  const isOrder = list.ordered && context.role === "order";
  if (!isOrder && (told < 2 || told < items.length / 2)) return false;
  const title = context.section?.title ?? "";
  const steps =
    told === 0 &&
    !items.some(({ text }) => /\(\s*[~≈]?\d+(?:[.,]\d+)?\s*\p{L}+\s*\)/u.test(text)) &&
    !/module|package|crate|component|dependenc|service|system|modul|paket|dienst|abhängig|dépend|paquet|paquete|servic|módulo|modulo|пакет|модул|зависим|包|模块|モジュール|依存/iu.test(
      title,
    );
  const names = items.map((item) => nameOf(item));
  const found = items.map(
    (item, at): Growing<UnitFinding> | Growing<{ key: string; after: readonly string[] }> => {
      const { claim } = splitClaim(item.text);
      const own = {
        title: names[at] ?? item.text,
        text: item.text,
        line: item.line,
        endLine: item.endLine,
        sureness: "likely",
        why: "item of an ordered list",
        defines: true,
        ...(claim === undefined ? {} : { claim }),
      } as const;
      const role = steps ? "step" : "effort";
      if (steps) {
        const step = reading.step({ ...own, order: item.position }, context);
        tellFigures(reading, { ...context, step }, item.inline.plain, item.line, { role });
        return step;
      }
      const unit = reading.unit({ ...own, order: item.position }, context);
      const { durations } = tellFigures(reading, { ...context, unit }, item.inline.plain, item.line, {
        role,
      });
      const length = durations.find(({ sort }) => sort === "length");
      if (length !== undefined) {
        length.role = "effort";
        const said = {
          text: item.text,
          line: item.line,
          sureness: "likely",
          why: "a length of time behind a unit",
        } as const;
        unit.effort ??= reading.draft.add(
          "efforts",
          "effort",
          said,
          { ...context, unit },
          { of: unit.key, duration: length.key },
        ).key;
      }
      return unit;
    },
  );
  const after = wants.map((want, at): readonly number[] => {
    if (want === undefined) return [];
    if (want.all) return found.map((_, index) => index).slice(0, at);
    return want.names.map((name) => matchName(name, names)).filter((index) => index !== -1 && index !== at);
  });
  after.forEach((positions, at) => {
    const one = found[at];
    for (const position of positions) {
      const other = found[position];
      if (one !== undefined && other !== undefined) put(one.after, other.key);
    }
    if (one !== undefined && "dependsOn" in one)
      for (const name of wants[at]?.names ?? []) put(one.dependsOn, name);
  });
  const endLine = items.at(-1)?.endLine ?? first.line;
  const said = {
    text: title === "" ? names.join(", ") : title,
    line: first.line,
    endLine: first.line,
    sureness: list.ordered ? "certain" : "likely",
    why: "a list in order",
  } as const;
  reading.draft.add("orders", "order", said, context, {
    title,
    from: "list",
    way: context.way,
    items: items.map((item, at) => ({
      finding: found[at]?.key ?? "",
      text: item.text,
      after: after[at] ?? [],
      dependsOn: wants[at]?.names ?? [],
      place: reading.draft.place(item.line, item.endLine),
    })),
  });
  reading.draft.tell(first.line, Math.min(endLine, first.line));
  items.forEach(({ rest }, at) => {
    const one = found[at];
    if (rest.length === 0 || one === undefined) return;
    const inner = "dependsOn" in one ? { ...context, unit: one, role: "unit" as const } : context;
    reading.below(rest, inner);
  });
  return true;
}
