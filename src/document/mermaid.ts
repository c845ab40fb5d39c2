/** Pictures of Mermaid as data. Rows count from 0 in the block. */
export interface GanttTask {
  readonly title: string;
  readonly row: number;
  readonly section?: string;
  readonly id?: string;
  readonly start?: string;
  /** The first day after it. */
  readonly end?: string;
  readonly days?: number;
  /** Duration as written: `14d`. */
  readonly written?: string;
  readonly after: readonly string[];
  readonly tags: readonly string[];
}

export interface Gantt {
  readonly kind: "gantt";
  readonly title: string;
  readonly tasks: readonly GanttTask[];
  /** Rows with `section`, `title`, `dateFormat` and the like. */
  readonly settings: readonly number[];
  readonly sections: readonly { readonly name: string; readonly row: number }[];
  readonly unread: readonly number[];
}

export interface Graph {
  readonly kind: "graph";
  readonly title: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly label: string;
    readonly row: number;
    readonly group?: string;
  }[];
  readonly edges: readonly {
    readonly from: string;
    readonly to: string;
    readonly label?: string;
    readonly row: number;
  }[];
  readonly settings: readonly number[];
  readonly unread: readonly number[];
}

export interface UnknownPicture {
  readonly kind: "unknown";
  readonly name: string;
}

export function readMermaid(rows: readonly string[]): Gantt | Graph | UnknownPicture {
  const at = rows.findIndex((row) => row.trim() !== "" && !/^\s*(?:%%|---|title:|config:)/.test(row));
  const head = /^\s*([\w-]+)/.exec(rows[at] ?? "")?.[1] ?? "";
  if (head === "gantt") return readGantt(rows, at);
  if (head === "graph" || head === "flowchart") return readGraph(rows, at);
  return { kind: "unknown", name: head };
}

function readGantt(rows: readonly string[], head: number): Gantt {
  let title = "";
  let format = "YYYY-MM-DD";
  let section: string | undefined;
  const tasks: GanttTask[] = [];
  const settings: number[] = [head];
  const sections: { name: string; row: number }[] = [];
  const unread: number[] = [];
  rows.forEach((raw, row) => {
    const line = raw.replace(/%%.*$/, "").trim();
    if (row <= head || line === "") return;
    const setting =
      /^(title|dateFormat|axisFormat|excludes|includes|todayMarker|tickInterval|weekday|inclusiveEndDates|section)\b\s*(.*)$/.exec(
        line,
      );
    if (setting !== null) {
      const [, name, value = ""] = setting;
      settings.push(row);
      if (name === "title") title = value;
      if (name === "dateFormat") format = value;
      if (name === "section") sections.push({ name: (section = value), row });
      return;
    }
    const colon = line.lastIndexOf(" :") === -1 ? line.indexOf(":") : line.lastIndexOf(" :") + 1;
    if (colon < 1) {
      unread.push(row);
      return;
    }
    const previous = tasks.at(-1);
    tasks.push(
      task(line.slice(0, colon).trim(), line.slice(colon + 1), row, section, format, tasks, previous),
    );
  });
  return { kind: "gantt", title, tasks, settings, sections, unread };
}

function task(
  title: string,
  rest: string,
  row: number,
  section: string | undefined,
  format: string,
  earlier: readonly GanttTask[],
  previous: GanttTask | undefined,
): GanttTask {
  const parts = rest
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  const tags: string[] = [];
  while (/^(?:done|active|crit|milestone|vert)$/.test(parts[0] ?? "")) tags.push(parts.shift() ?? "");
  const isTime = (part: string | undefined): boolean =>
    part !== undefined &&
    (dateOf(part, format) !== undefined || /^(?:after|until)\s|^\d+(?:\.\d+)?(?:ms|[smhdwMy])$/.test(part));
  const id = parts.length === 3 || (parts.length > 1 && !isTime(parts[0])) ? parts.shift() : undefined;
  const [first = "", second] = parts;
  const only = second === undefined;
  const after = /^after\s+(.*)$/.exec(first)?.[1]?.split(/\s+/) ?? [];
  const known = after
    .map((each) => earlier.find((task) => task.id === each)?.end)
    .filter((end) => end !== undefined);
  const start =
    dateOf(first, format) ??
    known.toSorted().at(-1) ??
    (only || after.length === 0 ? previous?.end : undefined);
  const last = only ? first : second;
  const days = daysOf(last);
  const end =
    dateOf(last, format) ?? (start === undefined || days === undefined ? undefined : addDays(start, days));
  const given = dateOf(first, format) !== undefined || after.length > 0 || previous === undefined;
  return {
    title,
    row,
    tags,
    after: given ? after : previous?.id === undefined ? [] : [previous.id],
    ...(section === undefined ? {} : { section }),
    ...(id === undefined ? {} : { id }),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
    ...(days === undefined ? {} : { days, written: last }),
  };
}

function daysOf(text: string): number | undefined {
  const found = /^(\d+(?:\.\d+)?)(ms|[smhdwMy])$/.exec(text);
  if (found === null) return undefined;
  const factor: Readonly<Record<string, number>> = {
    ms: 1 / 86_400_000,
    s: 1 / 86_400,
    m: 1 / 1_440,
    h: 1 / 24,
    d: 1,
    w: 7,
    M: 30,
    y: 365,
  };
  return Number(found[1]) * (factor[found[2] ?? ""] ?? 1);
}

/** `YYYY-MM-DD` of a date in the chart's format; undefined when it is none, or no day of the calendar. */
function dateOf(text: string, format: string): string | undefined {
  const parts: Record<string, string> = {};
  const names: string[] = [];
  const pattern = format
    .replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replace(/YYYY|YY|MM|DD|HH|mm|ss|M|D/g, (name) => {
      names.push(name);
      return name === "YYYY" ? String.raw`(\d{4})` : String.raw`(\d{1,2})`;
    });
  const found = new RegExp(`^${pattern}$`).exec(text);
  if (found === null) return /^\d{4}-\d{2}-\d{2}$/.test(text) ? realDay(text) : undefined;
  names.forEach((name, index) => (parts[name] = found[index + 1] ?? ""));
  const year = parts["YYYY"] ?? (parts["YY"] === undefined ? undefined : `20${parts["YY"]}`);
  if (year === undefined) return undefined;
  const two = (text: string | undefined): string => (text ?? "1").padStart(2, "0");
  return realDay(`${year}-${two(parts["MM"] ?? parts["M"])}-${two(parts["DD"] ?? parts["D"])}`);
}

export function realDay(text: string): string | undefined {
  const time = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== text ? undefined : text;
}

export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + Math.round(days) * 86_400_000).toISOString().slice(0, 10);
}

const nodeForm =
  /^([\p{L}\p{N}_.-]+?)(?=$|\s|[[({>]|:::)\s*(?:(\[\[|\[\(|\(\[|\(\(\(|\(\(|\{\{|\[\/|\[\\|\[|\(|\{|>)\s*"?([^\n]*?)"?\s*(?:\]\]|\)\]|\]\)|\)\)\)|\)\)|\}\}|\/\]|\\\]|\]|\)|\}))?(?::::?\w+)?$/u;
const arrow =
  /\s*(?:<?(?:--+|==+|-\.+-?)\s+([^->=|][^>|=]*?)\s+(?:--+>|==+>|\.+->|---+|===+)|(?:<|o|x)?(?:--+|==+|-\.+-|~~~)(?:>|o(?=\s)|x(?=\s))?(?:\|"?([^|]*?)"?\|)?)\s*/;

function readGraph(rows: readonly string[], head: number): Graph {
  const nodes = new Map<string, { id: string; label: string; row: number; group?: string }>();
  const edges: { from: string; to: string; label?: string; row: number }[] = [];
  const settings: number[] = [];
  const unread: number[] = [];
  const groups: string[] = [];
  let title = "";
  rows.forEach((raw, row) => {
    for (const part of raw.replace(/%%.*$/, "").split(";")) {
      const line = part.trim();
      if (line === "") continue;
      if (
        row <= head ||
        /^(?:end|direction\s|classDef\s|class\s|style\s|linkStyle\s|click\s)/.test(`${line} `)
      ) {
        settings.push(row);
        if (line === "end") groups.pop();
        continue;
      }
      const group = /^subgraph\s+(.*)$/.exec(line)?.[1];
      if (group !== undefined) {
        const name = /\[\s*"?(.*?)"?\s*\]\s*$/.exec(group)?.[1] ?? group.replace(/^"|"$/g, "");
        groups.push(name);
        title = title === "" ? name : title;
        settings.push(row);
        continue;
      }
      if (!statement(line, row, groups.at(-1), nodes, edges)) unread.push(row);
    }
  });
  return { kind: "graph", title, nodes: [...nodes.values()], edges, settings, unread };
}

/** `A[First] --> B & C -- text --> D`. False when a part is no node. */
function statement(
  line: string,
  row: number,
  group: string | undefined,
  nodes: Map<string, { id: string; label: string; row: number; group?: string }>,
  edges: { from: string; to: string; label?: string; row: number }[],
): boolean {
  const kept: string[] = [];
  // Labels may hold what looks like an arrow.
  const safe = line.replace(
    /"[^"]*"|\[[^\]]*\]|\([^)]*\)|\{[^}]*\}/g,
    (text) => `\ue000${kept.push(text) - 1}\ue001`,
  );
  const restore = (text: string): string => {
    let now = text;
    for (let i = 0; i < 5 && now.includes("\ue000"); i++)
      now = now.replace(/\ue000(\d+)\ue001/g, (_, at: string) => kept[Number(at)] ?? "");
    return now;
  };
  const pieces: { readonly ids: string[]; readonly label?: string }[] = [];
  let rest = safe;
  let label: string | undefined;
  for (let turn = 0; turn < 200; turn++) {
    const found = arrow.exec(rest);
    const piece = found === null ? rest : rest.slice(0, found.index);
    const ids: string[] = [];
    for (const each of piece.split("&")) {
      const node = nodeForm.exec(restore(each.trim()));
      if (node === null) return false;
      const [, id = "", shape, text = ""] = node;
      const before = nodes.get(id);
      if (before === undefined || (shape !== undefined && before.label === id)) {
        const label = shape === undefined ? id : text.replace(/<br\s*\/?>/gi, " ");
        nodes.set(id, { id, label, row: before?.row ?? row, ...(group === undefined ? {} : { group }) });
      }
      ids.push(id);
    }
    pieces.push({ ids, ...(label === undefined ? {} : { label }) });
    if (found === null) break;
    label = restore(found[1] ?? found[2] ?? "") || undefined;
    rest = rest.slice(found.index + found[0].length);
  }
  for (const [index, { ids, label }] of pieces.entries()) {
    for (const from of index === 0 ? [] : (pieces[index - 1]?.ids ?? []))
      for (const to of ids) edges.push({ from, to, row, ...(label === undefined ? {} : { label }) });
  }
  return true;
}
