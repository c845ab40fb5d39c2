import { formatDuration, type Json, visible } from "../../core/index.ts";
import { noteOf, type QueueFinding } from "../../queue/index.ts";
import { plural, timestamp } from "../../report/index.ts";
import type { OrderEntry, OrderRecord } from "../../store/index.ts";
import { fit, type Line, lineWidth, type Span, span, type Tone } from "./line.ts";
import { orderFaces } from "./order-face.ts";
import { pad, textWidth, wrap } from "./text-width.ts";

/** Columns below which the end of a line says too little: it gets a line of its own. */
const leastText = 16;
/** The same for what is said of an event: a worker with its fence stays in one line. */
const leastReason = 36;

/** An order's id, kind, state, attempt, and what it does or waits for now: in one line where there is room, else in two. */
export function orderTable(orders: readonly OrderRecord[], at: number, columns: number): readonly Line[] {
  // Where nothing is cut off, in a pipe, an id is copied from: two long ones may differ in their last letter.
  const most = (width: number): number => (Number.isFinite(columns) ? width : Number.POSITIVE_INFINITY);
  const idWidth = Math.min(most(40), Math.max(0, ...orders.map(({ id }) => textWidth(id))));
  const kindWidth = Math.min(most(20), Math.max(0, ...orders.map(({ kind }) => textWidth(kind))));
  const inOne = columns - (3 + idWidth + 2 + kindWidth + 2 + 13 + 8) >= leastText;
  return orders.flatMap((order) => {
    const face = orderFaces[order.state];
    const name = [
      span(` ${face.mark} `, face.tone),
      span(pad(order.id, idWidth), "bold"),
      span(`  ${inOne ? pad(order.kind, kindWidth) : order.kind}  `),
    ];
    const now = span(standing(order, at));
    if (!inOne)
      return [name, [span(`   ${face.word}`, face.tone), span(`  ${attemptText(order)}  `, "dim"), now]].map(
        (line) => fit(line, columns),
      );
    const state = span(pad(face.word, 13), face.tone);
    return [fit([...name, state, span(` ${pad(attemptText(order), 5, "left")}  `, "dim"), now], columns)];
  });
}

/** `2/4`: which attempt of how many. */
const attemptText = ({ attempt, maxRetries }: OrderRecord): string => `${attempt}/${maxRetries + 1}`;

/** What there is to say about an order in its state, in a few words. */
export function standing(order: OrderRecord, at: number): string {
  const ago = (then: number | null): string =>
    then === null ? "" : `${formatDuration(Math.max(0, at - then))} ago`;
  const since = (then: number | null): string =>
    then === null ? "" : `for ${formatDuration(Math.max(0, at - then))}`;
  const reason = order.error === null ? "" : `${order.error.code}: ${order.error.message}`;
  switch (order.state) {
    case "PENDING":
      return `${waitText(order, at)}${order.cancelRequested ? " · cancel asked" : ""}`;
    case "PREPARING":
    case "RUNNING":
      return [since(order.startedAt), order.worker ?? "", order.cancelRequested ? "cancel asked" : ""]
        .filter((part) => part !== "")
        .join(" · ");
    case "WAITING_RETRY":
      return [
        order.runAt > at ? `again in ${formatDuration(order.runAt - at)}` : waitText(order, at),
        ...(reason === "" ? [] : [reason]),
      ].join(" · ");
    case "COMPLETED":
      return ago(order.endedAt);
    case "FAILED":
    case "CANCELLED":
      return [ago(order.endedAt), reason].filter((part) => part !== "").join(" · ");
  }
}

function waitText(order: OrderRecord, at: number): string {
  const waited = formatDuration(Math.max(0, at - order.runAt));
  const worker = `a worker${order.tags.length === 0 ? "" : ` with ${order.tags.join(" + ")}`}`;
  switch (order.waits) {
    case "time":
    case null:
      if (order.runAt > at) return `not before ${formatDuration(order.runAt - at)} from now`;
      // Due, which only the next claim writes down; or it waits for the time that the rate of its limit allows.
      return `waits ${waited} for ${order.limitKey === null ? "" : `limit ${order.limitKey} or `}${worker}`;
    case "limit":
      return `waits ${waited} for others of limit ${order.limitKey ?? ""}`;
    case "orders":
      return `waits for ${plural(order.blockedBy, "order")}`;
    case "room":
      return `waits ${waited}${order.tags.length === 0 ? "" : ` for ${worker}`}`;
  }
}

/** One order with all that happened to it. Nothing is cut: what is too long for a line goes on in the next one. */
export function orderPage(
  {
    order,
    history,
    findings,
  }: {
    readonly order: OrderRecord;
    readonly history: readonly OrderEntry[];
    /** What keeps it from being started. */
    readonly findings: readonly QueueFinding[];
  },
  at: number,
  columns: number,
): readonly Line[] {
  const face = orderFaces[order.state];
  const state = [span(`${face.mark} ${face.word}`, face.tone), span(`  ${order.kind}  `, "bold")];
  const name = [span(order.id), span(`   queue ${order.queue}`, "dim")];
  const title: Line[] =
    lineWidth([...state, ...name]) <= columns ? [[...state, ...name]] : [state, [span("  "), ...name]];
  const hindrances = findings.map(({ level, message }): Fact => [
    "in the way",
    message,
    level === "critical" ? "bad" : "wait",
  ]);
  const [now, ...others] = facts(order, history, at);
  const about = [...(now === undefined ? [] : [now]), ...hindrances, ...others].flatMap(
    ([label, text, tone]) => goingOn([span(`  ${pad(label, 12)}`, "dim")], text, tone ?? "plain", columns),
  );
  const events = eventLines(history, columns);
  return [...title, ...about, ...(events.length > 0 ? [[]] : []), ...events];
}

/** A text behind its beginning, going on under itself; where that leaves too little room, in lines of its own. */
function goingOn(
  begin: readonly Span[],
  text: string,
  tone: Tone,
  columns: number,
  least: number = leastText,
): readonly Line[] {
  const width = lineWidth(begin);
  const beside = columns - width >= least;
  const room = beside ? columns - width : columns - 6;
  const [head = "", ...rest] = wrap(visible(text), Math.max(1, room));
  const under = (line: string): Line => [span(" ".repeat(beside ? width : 6)), span(line, tone)];
  return beside
    ? [[...begin, span(head, tone)], ...rest.map(under)]
    : [begin, under(head), ...rest.map(under)];
}

type Fact = readonly [label: string, text: string, tone?: "bad" | "wait" | "plain"];

function facts(order: OrderRecord, history: readonly OrderEntry[], at: number): readonly Fact[] {
  const after = history[0]?.data["after"];
  const found: (Fact | undefined)[] = [
    // The error follows, with a line of its own.
    ["now", standing({ ...order, error: null }, at)],
    Array.isArray(after) && after.length > 0 ? ["after", after.join(", ")] : undefined,
    order.error === null
      ? undefined
      : ["error", `${order.error.code}: ${order.error.message}`, order.state === "FAILED" ? "bad" : "plain"],
    order.result === null ? undefined : ["result", shortJson(order.result)],
    order.progress === null ? undefined : ["progress", shortJson(order.progress)],
    ["payload", shortJson(order.payload)],
    ["submitted", timestamp(order.createdAt)],
    [
      "attempts",
      `${attemptText(order)}${order.crashes > 0 ? ` · took its worker down ${order.crashes}×` : ""}`,
    ],
    [
      "takes",
      [
        plural(order.slots, "slot"),
        `${Math.round(order.memory / 1024 / 1024)} MB`,
        `at most ${formatDuration(order.timeoutMs)}`,
        ...order.tags.map((tag) => `tag ${tag}`),
      ].join(" · "),
    ],
    order.usage === null
      ? undefined
      : [
          "took",
          `${formatDuration(order.usage.cpuMs)} processor time · ${Math.round(order.usage.maxRss / 1024 / 1024)} MB`,
        ],
    order.priority === 0 ? undefined : ["priority", String(order.priority)],
    order.tenant === "" ? undefined : ["tenant", order.tenant],
    order.uniqueKey === null ? undefined : ["key", order.uniqueKey],
    order.limitKey === null ? undefined : ["limit", order.limitKey],
    order.worker === null
      ? undefined
      : [
          order.state === "RUNNING" || order.state === "PREPARING" ? "worker" : "last worker",
          `${order.worker} · fence ${order.fence}`,
        ],
  ];
  return found.filter((fact) => fact !== undefined);
}

/** What happened, in columns as wide as the longest of each: nothing is cut, and the reason gets the rest. */
function eventLines(history: readonly OrderEntry[], columns: number): readonly Line[] {
  const gaps = history.map(
    ({ at }, index) => `+${formatDuration(Math.max(0, at - (history[index - 1]?.at ?? at)))}`,
  );
  const gapWidth = Math.max(0, ...gaps.map(textWidth));
  const eventWidth = Math.max(0, ...history.map(({ event }) => textWidth(event)));
  return history.flatMap((entry, index): readonly Line[] => {
    const face = entry.to === null ? undefined : orderFaces[entry.to];
    const time = span(`  ${timestamp(entry.at).slice(0, 19)}  `, "dim");
    const mark = span(`${face?.mark ?? "·"} `, face?.tone ?? "dim");
    const gap = gaps[index] ?? "";
    const event = span(`${pad(entry.event, eventWidth)} `);
    const begin = [time, span(`${pad(gap, gapWidth, "left")}  `, "dim"), mark, event];
    const fits = lineWidth(begin) <= columns;
    // On a narrow terminal the time since the entry before would push the event beyond the edge.
    const says = [fits ? "" : gap, entrySays(entry)].filter((part) => part !== "").join(" · ");
    const shown = fits ? begin : [time, mark, event];
    return says === "" ? [shown] : goingOn(shown, says, "dim", columns, leastReason);
  });
}

function entrySays(entry: OrderEntry): string {
  const error = entry.data["error"] as
    { readonly code?: string; readonly message?: string } | null | undefined;
  return [
    entry.attempt === null || entry.attempt === 0 ? "" : `attempt ${entry.attempt}`,
    entry.worker ?? "",
    // Before its first claim an order has none.
    entry.fence === null || entry.fence === 0 ? "" : `fence ${entry.fence}`,
    noteOf(entry) ?? "",
    error?.code === undefined ? "" : `${error.code}: ${error.message ?? ""}`,
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

const longestJson = 300;

function shortJson(value: Json): string {
  const text = JSON.stringify(value);
  return text.length <= longestJson ? text : `${text.slice(0, longestJson)}… (${text.length} characters)`;
}
