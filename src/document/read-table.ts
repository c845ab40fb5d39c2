import { aboutOf as subjectOf, readComparisons } from "./comparisons.ts";
import { nothing, tellArrows, tellMapping } from "./arrows.ts";
import type { Table } from "./block.ts";
import { splitClaim, statusOf } from "./claims.ts";
import { datesIn, tellDates } from "./dates.ts";
import { dependenciesOf, matchName, namesIn } from "./dependencies.ts";
import { type Context, put } from "./draft.ts";
import { type Field, fieldOf } from "./field-words.ts";
import { readHeading } from "./heading.ts";
import { type Inline, readInline } from "./inline.ts";
import { doing, ownThreshold, tellFigures, tellLinks } from "./passage.ts";
import { tellMentioned } from "./read-commands.ts";
import { levelOf } from "./read-item.ts";
import type { Reading } from "./reading.ts";
import { isForwardOnly } from "./tell-field.ts";
import type { MappingFinding } from "./work-finding.ts";

interface Columns {
  readonly names: readonly string[];
  readonly at: ReadonlyMap<Field, number>;
}

interface Row {
  readonly line: number;
  readonly cells: readonly Inline[];
  readonly text: string;
  readonly index: number;
}

type RowReader = (reading: Reading, row: Row, columns: Columns, context: Context) => void;

/** Reads a table by the words of its head; each row becomes what the head says, or a row kept whole. */
export function readTable(reading: Reading, table: Table, context: Context): void {
  const { draft } = reading;
  draft.form(table.line, table.line + 1);
  const names = table.header.map((cell) => readInline(cell).plain.trim());
  const at = new Map<Field, number>();
  names.forEach((name, index) => {
    const field = fieldOf(name);
    if (field !== undefined && !at.has(field)) at.set(field, index);
  });
  const columns: Columns = { names, at };
  const reader = readerFor(columns, context, table);
  if (table.rows.length === 0) draft.leave(table.line, table.endLine, "a table without rows", context);
  table.rows.forEach(({ line, cells }, index) => {
    const inlines = cells.map(readInline);
    const text = inlines.map(({ plain }) => plain.trim()).join(" | ");
    if (text.replace(/[\s|]/g, "") === "") {
      draft.form(line);
      return;
    }
    const row = { line, cells: inlines, text, index };
    for (const cell of inlines) tellLinks(reading, context, cell, line);
    reader(reading, row, columns, context);
    for (const cell of inlines) tellMentioned(reading, cell.codes, line, context);
  });
}

function readerFor({ at, names }: Columns, context: Context, table: Table): RowReader {
  if (at.has("risk") && (at.has("mitigation") || at.has("probability") || at.has("impact"))) return risk;
  if (at.has("threshold") && (at.has("metric") || names.length > 1)) return threshold;
  if (at.has("old") && at.has("new")) return mapping;
  if (context.role === "mapping" && names.length >= 2) return mapping;
  if (context.role === "risks" && names.length >= 2) return risk;
  if (
    context.role === "thresholds" &&
    names.length >= 2 &&
    table.rows.some(({ cells }) => /[<>≤≥]/.test(cells.slice(1).join(" ")))
  )
    return threshold;
  if (at.get("phase") !== undefined && (at.get("phase") === 0 || phaseLike(table, at.get("phase") ?? 0)))
    return phase;
  if (
    table.rows.length > 1 &&
    table.rows.every(({ cells }) => readHeading(readInline(cells[0] ?? "").plain.trim()).role === "phase")
  )
    return phase;
  if (
    at.has("share") &&
    table.rows.length > 1 &&
    table.rows.every(({ cells }) => /\d\s?[%％]/.test(cells[at.get("share") ?? 0] ?? ""))
  )
    return share;
  if (
    at.has("unit") &&
    (at.has("effort") ||
      at.has("depends") ||
      at.has("order") ||
      at.has("status") ||
      at.has("priority") ||
      at.has("duration") ||
      at.get("unit") === 0)
  )
    return unit;
  if (at.has("person") || (at.has("role") && context.role === "roles")) return role;
  if (at.has("criterion") || context.role === "criteria") return criterion;
  if (at.has("step")) return step;
  if (context.role === "rollback" || context.role === "checklist") return step;
  return other;
}

const phaseLike = (table: Table, column: number): boolean =>
  table.rows.some(({ cells }) => readHeading(readInline(cells[column] ?? "").plain.trim()).role === "phase");

const cell = (row: Row, index: number | undefined): string =>
  index === undefined ? "" : (row.cells[index]?.plain.trim() ?? "");
const filled = (text: string): boolean => !nothing.test(text);

/** Figures and dates of all cells but those that a reader told itself. */
function figures(
  reading: Reading,
  row: Row,
  context: Context,
  options: Parameters<typeof tellFigures>[4] = {},
  but: readonly (number | undefined)[] = [],
): ReturnType<typeof tellFigures>["durations"] {
  const durations = row.cells.flatMap(({ plain }, index) => {
    if (but.includes(index)) return [];
    tellDates(reading, context, plain, row.line, row.cells[0]?.plain ?? plain);
    return tellFigures(reading, context, plain, row.line, options).durations;
  });
  reading.draft.tell(row.line);
  return durations;
}

const byName = (row: Row, { names }: Columns): Record<string, string> =>
  Object.fromEntries(
    row.cells.map(({ plain }, index) => [
      names[index] === undefined || names[index] === "" ? `${index + 1}` : (names[index] ?? ""),
      plain.trim(),
    ]),
  );

const said = (row: Row, why: string): { text: string; line: number; sureness: "certain"; why: string } => ({
  text: row.text,
  line: row.line,
  sureness: "certain",
  why,
});

const risk: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const text = cell(row, at.get("risk") ?? 0);
  const probability = levelOf(cell(row, at.get("probability")));
  const impact = levelOf(cell(row, at.get("impact")));
  const mitigation = cell(row, at.get("mitigation"));
  const owner = cell(row, at.get("owner"));
  figures(reading, row, context);
  reading.draft.add("risks", "risk", said(row, "row of a table of risks"), context, {
    risk: text,
    ...(probability === undefined ? {} : { probability }),
    ...(impact === undefined ? {} : { impact }),
    ...(filled(mitigation) ? { mitigation } : {}),
    ...(filled(owner) ? { owner } : {}),
  });
  if (filled(owner))
    reading.draft.add("roles", "role", { ...said(row, "owner of a risk"), text: owner }, context, {
      name: owner,
      duty: `owner of "${text}"`,
    });
};

/** Measure, limit and action stand in cells of their own. A limit without a sign is one that must not be exceeded. */
const threshold: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const limitAt =
    at.get("threshold") ?? row.cells.findIndex(({ plain }, index) => index > 0 && /[<>≤≥]|\d/.test(plain));
  const metricAt = at.get("metric") ?? (limitAt === 0 ? 1 : 0);
  const measure = cell(row, metricAt);
  const limit = cell(row, limitAt);
  const actionAt =
    at.get("action") ??
    (at.size < columns.names.length
      ? columns.names.findIndex((name, index) => index > limitAt && fieldOf(name) === "note")
      : -1);
  const action = cell(row, actionAt === -1 ? undefined : actionAt);
  const compared = readComparisons(limit);
  const own = compared.length > 0 ? compared : /^[~≈]?\d/.test(limit) ? readComparisons(`> ${limit}`) : [];
  const guessed = compared.length === 0;
  const goal =
    context.role === "criteria" ||
    /target|goal|ziel|cible|objetivo|obiettivo|цель|目标|目標/iu.test(columns.names[limitAt] ?? "");
  figures(reading, row, context, {}, [limitAt]);
  const { durations, percents } = tellFigures(reading, context, limit.replace(/[<>≤≥]=?/g, " "), row.line, {
    role: "limit",
  });
  void durations;
  void percents;
  for (const found of own) {
    const digits = /(?<![\p{L}\p{N}])p(\d{2,4})(?!\p{L})/iu.exec(measure)?.[1];
    const named = {
      ...found,
      measure,
      about: subjectOf(measure),
      written: limit,
      ...(digits === undefined ? {} : { quantile: Number(`0.${digits}`) }),
    };
    const sense = goal && !guessed ? "goal" : "limit";
    const fact = ownThreshold(
      { ...named, forbidden: false },
      { sense, ...(filled(action) ? { action } : {}) },
    );
    const made = reading.draft.add(
      "thresholds",
      "threshold",
      { ...said(row, "row of a table of limits"), written: limit, sureness: guessed ? "guessed" : "certain" },
      context,
      fact,
    );
    if (filled(action)) {
      reading.draft.add(
        "triggers",
        "trigger",
        { ...said(row, "row of a table of limits"), written: limit },
        context,
        {
          mode: "unknown",
          thresholds: [made.key],
          action,
          does: doing(action).does ?? "alert",
        },
      );
    }
  }
  if (own.length === 0)
    reading.draft.add("rows", "row", said(row, "row of a table of limits without a number"), context, {
      table: context.section?.title ?? "",
      cells: byName(row, columns),
    });
};

/** Of several columns for a side, functions name the pair; what they stand in goes along. */
const mapping: RowReader = (reading, row, columns, context) => {
  const { names, at } = columns;
  const sides = (field: "old" | "new"): readonly number[] => {
    const own = names.flatMap((name, index) => (fieldOf(name) === field ? [index] : []));
    return own.length > 0 ? own : [field === "old" ? 0 : 1];
  };
  const isFunction = (index: number): boolean =>
    /function|method|symbol|funktion|fonction|función|função|funzione|functie|функци|函数|関数/iu.test(
      names[index] ?? "",
    );
  const pick = (list: readonly number[]): number => list.find(isFunction) ?? list[0] ?? 0;
  const [left, right] = [pick(sides("old")), pick(sides("new"))];
  const named = [names[left] ?? "", names[right] ?? ""].join(" ");
  const rest = row.cells.flatMap(({ plain }, index) =>
    index === left || index === right ? [] : [[names[index] ?? `${index + 1}`, plain.trim()] as const],
  );
  figures(reading, row, context);
  const about: MappingFinding["about"] | undefined = isFunction(left)
    ? "function"
    : /status|state|value|enum|zustand|wert|état|valeur|estado|valor|stato|valore|статус|состояни|значени|状态|值|状態|値/iu.test(
          named,
        )
      ? "value"
      : /file|path|datei|fichier|archivo|arquivo|файл|文件|ファイル/iu.test(named)
        ? "file"
        : /type|class|typ\b|klasse|тип|类型|型/iu.test(named)
          ? "type"
          : /setting|option|variable|config|einstellung|параметр|настройк|配置|設定/iu.test(named)
            ? "setting"
            : undefined;
  const told = tellMapping(
    reading,
    context,
    row.text,
    row.line,
    cell(row, left),
    cell(row, right),
    "row of a mapping table",
    {
      columns: Object.fromEntries(rest),
      group: context.section?.title ?? "",
      ...(about === undefined ? {} : { about }),
    },
  );
  void at;
  if (!told) other(reading, row, columns, context);
};

const phase: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const text = cell(row, at.get("phase") ?? 0);
  const split = splitClaim(text);
  const sense = readHeading(split.title);
  const bare = /^#?(\d{1,3}[a-z]?|[IVX]{1,5}|[A-H])\.?$/.exec(split.title)?.[1];
  const number = sense.number ?? bare;
  const naming =
    bare === undefined
      ? ""
      : cell(
          row,
          columns.names.findIndex(
            (name, index) =>
              index !== (at.get("phase") ?? 0) &&
              /name|title|titel|titre|nombre|título|nome|naam|nazwa|назван|名|description|beschreibung/iu.test(
                name,
              ),
          ),
        );
  const title = naming === "" ? (sense.named ? sense.title : split.title) : naming;
  const claim = statusOf(cell(row, at.get("status"))) ?? split.claim;
  const told = {
    title,
    ...(number === undefined ? {} : { number }),
    text: row.text,
    line: row.line,
    sureness: "likely",
    why: "row of a table of phases",
    ...(claim === undefined ? {} : { claim }),
    defines: false,
  } as const;
  const found = reading.phase(told, context);
  const inner = { ...context, phase: found };
  const goal = cell(row, at.get("goal") ?? at.get("milestone") ?? at.get("note"));
  if (filled(goal)) found.goal ??= goal;
  const scope = cell(row, at.get("scope") ?? at.get("unit"));
  if (filled(scope)) found.scope ??= scope;
  const back = cell(row, at.get("rollback"));
  if (filled(back)) found.wayBack ??= { text: back, forwardOnly: isForwardOnly(back) };
  const owner = cell(row, at.get("owner"));
  if (filled(owner))
    reading.draft.add("roles", "role", { ...said(row, "owner of a phase"), text: owner }, inner, {
      name: owner,
      duty: `owner of "${title}"`,
    });
  for (const name of namesIn(cell(row, at.get("depends"))).names) {
    const other = readHeading(name);
    const before = reading.findPhase({ title: other.title, number: other.number ?? name });
    if (before !== undefined && before !== found) put(found.after, before.key);
  }
  const dates = [at.get("start"), at.get("end")].map((index) => datesIn(cell(row, index))[0]?.day);
  const [start, last] = dates;
  if (start !== undefined || last !== undefined) {
    const entry = reading.draft.add("calendar", "calendar", said(row, "dates of a phase in a table"), inner, {
      title,
      ...(start === undefined ? {} : { start }),
      ...(last === undefined ? {} : { end: dayAfter(last) }),
      after: [],
      milestone: start === undefined,
    });
    (found.calendar as string[]).push(entry.key);
  }
  const timed = start === undefined && last === undefined ? [] : [at.get("start"), at.get("end")];
  for (const { key, role } of figures(reading, row, inner, { role: "phase" }, timed))
    if (role === "phase" || role === "position") (found.durations as string[]).push(key);
};

const dayAfter = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);

const share: RowReader = (reading, row, columns, context) => {
  const text = cell(row, columns.at.get("share"));
  const percent = Number((/(\d+(?:[.,]\d+)?)\s?[%％]/.exec(text)?.[1] ?? "0").replace(",", "."));
  const hold = figures(reading, row, context, { role: "hold" })[0];
  const last = reading.draft.lists.ramps.at(-1);
  const stage = {
    percent,
    text: row.text,
    ...(hold === undefined ? {} : { hold: hold.key }),
    place: reading.draft.place(row.line),
  };
  if (last !== undefined && row.index > 0 && last.within.section === context.section?.key)
    (last.stages as unknown[]).push(stage);
  else reading.draft.add("ramps", "ramp", said(row, "column of shares"), context, { stages: [stage] });
};

const unit: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const split = splitClaim(cell(row, at.get("unit")));
  const claim = statusOf(cell(row, at.get("status"))) ?? split.claim;
  const order = Number(cell(row, at.get("order"))) || row.index + 1;
  const priority = cell(row, at.get("priority"));
  const told = {
    title: split.title,
    text: row.text,
    line: row.line,
    sureness: "certain",
    why: "row of a table of units",
    ...(claim === undefined ? {} : { claim }),
    ...(filled(priority) ? { priority } : {}),
    order,
    defines: true,
  } as const;
  const found = reading.unit(told, context);
  const wanted = cell(row, at.get("depends"));
  for (const name of (dependenciesOf(wanted) ?? namesIn(wanted)).names) put(found.dependsOn, name);
  const names = reading.units.map(({ name }) => name);
  for (const name of found.dependsOn) {
    const other = reading.units[matchName(name, names)];
    if (other !== undefined && other !== found) put(found.after, other.key);
  }
  const inner = { ...context, unit: found };
  const [effort] = figures(reading, row, inner, { role: "effort" }).filter(({ sort }) => sort === "length");
  if (effort !== undefined)
    found.effort ??= reading.draft.add("efforts", "effort", said(row, "row of a table of units"), inner, {
      of: found.key,
      duration: effort.key,
    }).key;
};

const role: RowReader = (reading, row, { at }, context) => {
  const name = cell(row, at.get("person") ?? at.get("role") ?? 0);
  const duty = cell(row, at.has("person") ? (at.get("role") ?? (at.get("person") === 0 ? 1 : 0)) : 1);
  figures(reading, row, context);
  reading.draft.add("roles", "role", said(row, "row of a table of people"), context, {
    name,
    ...(filled(duty) ? { duty } : {}),
  });
};

const criterion: RowReader = (reading, row, columns, context) => {
  const name = cell(row, columns.at.get("criterion") ?? columns.at.get("metric") ?? 0);
  const targetAt = row.cells.findIndex(({ plain }, index) => index > 0 && /\d/.test(plain));
  const found = targetAt === -1 ? [] : readComparisons(`${name} ${cell(row, targetAt)}`);
  const keys = found.map(
    (each) =>
      reading.draft.add(
        "thresholds",
        "threshold",
        said(row, "row of a table of criteria"),
        context,
        ownThreshold({ ...each, measure: name, about: subjectOf(name) }, { sense: "goal" }),
      ).key,
  );
  figures(reading, row, context, { sense: "goal" }, found.length > 0 ? [targetAt] : []);
  if (found.length > 0)
    tellFigures(reading, context, cell(row, targetAt).replace(/[<>≤≥]=?/g, " "), row.line);
  reading.draft.add("criteria", "criterion", said(row, "row of a table of criteria"), context, {
    thresholds: keys,
  });
};

const step: RowReader = (reading, row, { at, names }, context) => {
  const index = at.get("step") ?? (/^#|^\d+$/.test(cell(row, 0)) ? 1 : 0);
  const text = cell(row, index);
  const split = splitClaim(text === "" ? row.text : text);
  const bare = /^\d{1,3}(?:\.\d+)?$/.exec(split.title) === null ? undefined : split.title;
  const naming =
    bare === undefined
      ? split.title
      : cell(
          row,
          names.findIndex((name, column) => column !== index && !/^\s*$/.test(name)),
        );
  const claim = statusOf(cell(row, at.get("status"))) ?? split.claim;
  const number = bare ?? cell(row, at.get("order"));
  const made = reading.step(
    {
      title: naming === "" ? split.title : naming,
      ...(filled(number) ? { number } : {}),
      text: row.text,
      line: row.line,
      order: row.index + 1,
      sureness: "certain",
      why: "row of a table of steps",
      ...(claim === undefined ? {} : { claim }),
      defines: true,
    },
    context,
  );
  const inner = { ...context, step: made };
  figures(reading, row, inner, { role: "step" });
  const owner = cell(row, at.get("owner"));
  if (filled(owner))
    reading.draft.add("roles", "role", { ...said(row, "owner of a step"), text: owner }, inner, {
      name: owner,
      duty: `owner of "${made.title}"`,
    });
};

const other: RowReader = (reading, row, columns, context) => {
  figures(reading, row, context);
  for (const { plain } of row.cells) tellArrows(reading, context, plain.trim(), row.line);
  reading.draft.add("rows", "row", said(row, "row of a table"), context, {
    table: context.section?.title ?? "",
    cells: byName(row, columns),
  });
};
