import { aboutOf as subjectOf, readComparisons } from "./comparisons.ts";
import { tellMapping } from "./arrows.ts";
import { fieldOf } from "./field-words.ts";
import { doing, ownThreshold, tellFigures } from "./passage.ts";
import { levelOf } from "./read-item.ts";
import type { MappingFinding } from "./work-finding.ts";
import { type Columns, type RowReader, cell, filled, figures, byName, said } from "./table-row.ts";
import { other } from "./work-rows.ts";

export const risk: RowReader = (reading, row, columns, context) => {
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
export const threshold: RowReader = (reading, row, columns, context) => {
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
  tellFigures(reading, context, limit.replace(/[<>≤≥]=?/g, " "), row.line, {
    role: "limit",
  });
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

const worse =
  /no[- ]?go|abort|stop|fail|critical|\bred\b|kritisch|abbruch|\brot\b|rouge|arrêt|rojo|中止|危険|严重/iu;

/** Whether a table gives each measure a figure to reach and one that stops: `Metric | Go | No-go`. */
export const hasBounds = ({ names, at }: Columns): boolean =>
  at.has("metric") && names.some((name) => worse.test(name));

/** The figure to reach is a goal, the one that stops a limit with the action of its row. */
export const bounds: RowReader = (reading, row, columns, context) => {
  const { at, names } = columns;
  const measure = cell(row, at.get("metric"));
  const action = cell(row, at.get("action"));
  const told: (number | undefined)[] = [at.get("metric")];
  row.cells.forEach((_, index) => {
    const words = cell(row, index);
    if (index === at.get("metric") || index === at.get("action")) return;
    const compared = readComparisons(words);
    const exact = compared.length === 0 && /^\d+(?:[.,]\d+)?\s*%?$/.test(words);
    const [found] = exact ? readComparisons(`= ${words}`) : compared;
    if (found === undefined) {
      if (exact && !worse.test(names[index] ?? "")) {
        const text = `${measure} = ${words}`;
        reading.draft.add(
          "criteria",
          "criterion",
          { ...said(row, "row of a table of bounds"), text },
          context,
          { thresholds: [] },
        );
      }
      return;
    }
    const limit = worse.test(names[index] ?? "");
    told.push(index);
    const digits = /(?<![\p{L}\p{N}])p(\d{2,4})(?!\p{L})/iu.exec(measure)?.[1];
    const named = {
      ...found,
      measure,
      about: subjectOf(measure),
      written: words,
      forbidden: false,
      ...(digits === undefined ? {} : { quantile: Number(`0.${digits}`) }),
    };
    const acts = limit && filled(action);
    const text = `${measure} ${exact ? `= ${words}` : words}`;
    const base = { ...said(row, "row of a table of bounds"), text, written: words };
    tellFigures(reading, context, words.replace(/[<>≤≥]=?/g, " "), row.line, { role: "limit" });
    const made = reading.draft.add("thresholds", "threshold", base, context, {
      ...ownThreshold(named, { sense: limit ? "limit" : "goal", ...(acts ? { action } : {}) }),
    });
    if (!limit) reading.draft.add("criteria", "criterion", base, context, { thresholds: [made.key] });
    else if (acts)
      reading.draft.add("triggers", "trigger", base, context, {
        mode: "unknown",
        thresholds: [made.key],
        action,
        does: doing(action).does ?? "alert",
      });
  });
  figures(reading, row, context, {}, told);
};

/** Of several columns for a side, functions name the pair; what they stand in goes along. */
export const mapping: RowReader = (reading, row, columns, context) => {
  const { names } = columns;
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
  if (!told) other(reading, row, columns, context);
};

export const share: RowReader = (reading, row, columns, context) => {
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

export const criterion: RowReader = (reading, row, columns, context) => {
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
