import { tellArrows } from "./arrows.ts";
import { splitClaim, statusOf } from "./claims.ts";
import { datesIn } from "./dates.ts";
import { dependenciesOf, matchName, namesIn } from "./dependencies.ts";
import { put } from "./draft.ts";
import { readHeading } from "./heading.ts";
import { isForwardOnly } from "./tell-field.ts";
import { tellFigures } from "./passage.ts";
import { type RowReader, cell, filled, figures, byName, said } from "./table-row.ts";

/** A row that adds up the others is no phase. */
const sum =
  /^\W*(?:total|sum|overall|gesamt|summe|totale|totaal|razem|suma|итого|всего|合计|总计|合計|합계)\W*$/iu;

export const phase: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const text = cell(row, at.get("phase") ?? 0);
  if (sum.test(text)) {
    other(reading, row, columns, context);
    return;
  }
  const task = at.get("step") === (at.get("phase") ?? 0) ? "" : cell(row, at.get("step"));
  const split = splitClaim(text);
  const sense = readHeading(split.title);
  const bare = /^#?(\d{1,3}[a-z]?|[IVX]{1,5}|[A-H])\.?$/.exec(split.title)?.[1];
  const counted = /^#?(\d{1,3})\.?$/.exec(cell(row, at.get("order")))?.[1];
  const number = sense.number ?? bare ?? counted;
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
    ...(claim === undefined || filled(task) ? {} : { claim }),
    defines: false,
  } as const;
  const found = reading.phase(told, context);
  const inner = { ...context, phase: found };
  if (filled(task)) {
    taskOfPhase(reading, row, columns, inner);
    return;
  }
  reading.draft.add("rows", "row", said(row, "row of a table of phases"), inner, {
    table: context.section?.title ?? "",
    cells: byName(row, columns),
  });
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

/** A sheet with a line for each task names the phase again in each: what else it says, it says of the task. */
const taskOfPhase: RowReader = (reading, row, columns, context) => {
  const { at } = columns;
  const accepted = cell(row, at.get("criterion"));
  const back = cell(row, at.get("rollback"));
  const apart = [at.get("criterion"), at.get("rollback")].map((index) => index ?? -1);
  const rest = row.cells.map((one, index) => (apart.includes(index) ? { ...one, plain: "" } : one));
  step(reading, { ...row, cells: rest }, columns, context);
  const { phase: found } = context;
  if (filled(accepted)) {
    const { thresholds } = tellFigures(reading, context, accepted, row.line, { sense: "goal" });
    const told = { ...said(row, "what a table asks of a task"), text: accepted };
    reading.draft.add("criteria", "criterion", told, context, {
      thresholds: thresholds.map(({ key }) => key),
    });
  }
  if (filled(back) && found !== undefined) {
    tellFigures(reading, context, back, row.line);
    const { wayBack } = found;
    // Back through the tasks: the last one first.
    if (!isForwardOnly(back))
      found.wayBack = {
        text: wayBack === undefined ? back : `${back}; ${wayBack.text}`,
        forwardOnly: false,
      };
  }
};

const dayAfter = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);

export const unit: RowReader = (reading, row, columns, context) => {
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

export const role: RowReader = (reading, row, { at }, context) => {
  const name = cell(row, at.get("person") ?? at.get("owner") ?? at.get("role") ?? 0);
  const duty = cell(
    row,
    at.has("person") || at.has("owner") ? (at.get("role") ?? (at.get("person") === 0 ? 1 : 0)) : 1,
  );
  figures(reading, row, context);
  reading.draft.add("roles", "role", said(row, "row of a table of people"), context, {
    name,
    ...(filled(duty) ? { duty } : {}),
  });
};

export const step: RowReader = (reading, row, { at, names }, context) => {
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

export const other: RowReader = (reading, row, columns, context) => {
  figures(reading, row, context);
  for (const { plain } of row.cells) tellArrows(reading, context, plain.trim(), row.line);
  reading.draft.add("rows", "row", said(row, "row of a table"), context, {
    table: context.section?.title ?? "",
    cells: byName(row, columns),
  });
};
