import type { Fence } from "./block.ts";
import type { Context } from "./draft.ts";
import { type Gantt, type Graph, readMermaid } from "./mermaid.ts";
import { tellFigures } from "./passage.ts";
import { readHeading, roleOf } from "./heading.ts";
import type { Reading } from "./reading.ts";

/** Gantt charts and graphs of Mermaid; of other pictures it is said that they are not read. */
export function readPicture(reading: Reading, block: Fence, context: Context): void {
  const picture = readMermaid(block.rows);
  if (picture.kind === "gantt") gantt(reading, block, picture, context);
  else if (picture.kind === "graph") graph(reading, block, picture, context);
  else
    reading.draft.leave(
      block.first,
      block.endLine,
      `Mermaid "${picture.name}" is not read: only gantt, graph and flowchart are`,
      context,
    );
}

function gantt(
  reading: Reading,
  block: Fence,
  { tasks, settings, sections, unread }: Gantt,
  context: Context,
): void {
  const { draft } = reading;
  for (const row of settings) draft.form(block.first + row);
  const phases = new Map<string, ReturnType<Reading["phase"]>>();
  for (const { name, row } of sections) {
    const sense = readHeading(name);
    const line = block.first + row;
    draft.add(
      "notes",
      "note",
      { text: name, line, sureness: "certain", why: "section of a Gantt chart" },
      context,
      { role: "point" },
    );
    if (!sense.named || sense.role !== "phase") continue;
    const number = sense.number === undefined ? {} : { number: sense.number };
    phases.set(
      name,
      reading.phase(
        {
          title: sense.title,
          ...number,
          text: name,
          line,
          sureness: "likely",
          why: "section of a Gantt chart",
          defines: false,
        },
        context,
      ),
    );
  }
  const keys = new Map<string, string>();
  const made = tasks.map((task) => {
    const line = block.first + task.row;
    const sense = readHeading(task.title);
    const number = sense.number === undefined ? {} : { number: sense.number };
    const phase =
      (task.section === undefined ? undefined : phases.get(task.section)) ??
      (sense.named && sense.role === "phase"
        ? reading.phase(
            {
              title: sense.title,
              ...number,
              text: task.title,
              line,
              sureness: "likely",
              why: "task of a Gantt chart",
              defines: false,
            },
            context,
          )
        : undefined);
    const inner = phase === undefined ? context : { ...context, phase };
    const claim = task.tags.includes("done")
      ? "done"
      : task.tags.includes("active")
        ? "in-progress"
        : undefined;
    const said = {
      text: (draft.lines[line - 1] ?? "").trim(),
      line,
      sureness: "certain",
      why: "task of a Gantt chart",
    } as const;
    const entry = draft.add("calendar", "calendar", said, inner, {
      title: task.title,
      ...(task.start === undefined ? {} : { start: task.start }),
      ...(task.end === undefined ? {} : { end: task.end }),
      ...(task.days === undefined ? {} : { days: task.days }),
      ...(task.section === undefined ? {} : { group: task.section }),
      after: [],
      milestone: task.tags.includes("milestone"),
      ...(claim === undefined ? {} : { claim: { state: claim, text: claim === "done" ? "done" : "active" } }),
    });
    if (task.id !== undefined) keys.set(task.id, entry.key);
    if (phase !== undefined) (phase.calendar as string[]).push(entry.key);
    if (task.written !== undefined) {
      const { durations } = tellFigures(reading, inner, task.written, line, { role: "phase" });
      if (phase !== undefined) for (const { key } of durations) (phase.durations as string[]).push(key);
    }
    return entry;
  });
  tasks.forEach((task, at) => {
    const entry = made[at];
    for (const id of task.after) {
      const key = keys.get(id);
      if (key !== undefined && entry !== undefined) (entry.after as string[]).push(key);
      else
        reading.defect(
          `task "${task.title}" comes after "${id}", which the chart does not have`,
          { line: block.first + task.row, text: task.title },
          context,
        );
    }
  });
  for (const row of unread)
    draft.leave(block.first + row, block.first + row, "a line of a Gantt chart that is not read", context);
}

/** Nodes in the order of their arrows; circles stay in the edges, where the lint finds them. */
function graph(
  reading: Reading,
  block: Fence,
  { nodes, edges, settings, unread, title }: Graph,
  context: Context,
): void {
  const { draft } = reading;
  for (const row of settings) {
    const line = block.first + row;
    const text = (block.rows[row] ?? "").trim();
    if (text.startsWith("subgraph"))
      draft.add("notes", "note", { text, line, sureness: "certain", why: "title of a picture" }, context, {
        role: "point",
      });
    else draft.form(line);
  }
  const order = sorted(
    nodes.map(({ id }) => id),
    edges,
  );
  const way = context.way === "rollback" || roleOf(title) === "rollback" ? "rollback" : "forward";
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const positions = new Map(order.map((id, at) => [id, at]));
  const before = new Map<string, number[]>();
  for (const { from, to } of edges) before.set(to, [...(before.get(to) ?? []), positions.get(from) ?? 0]);
  const items = order.map((id) => {
    const node = byId.get(id);
    const label = node?.label ?? id;
    const sense = readHeading(label.replace(/\s*(?:rollback|roll back)\s*$/i, ""));
    const number = sense.number === undefined ? {} : { number: sense.number };
    const phase =
      sense.named && sense.role === "phase"
        ? reading.findPhase({ title: sense.title, ...number })
        : undefined;
    const line = block.first + (node?.row ?? 0);
    tellFigures(reading, context, label, line);
    return {
      ...(phase === undefined ? {} : { finding: phase.key }),
      text: label,
      after: before.get(id) ?? [],
      dependsOn: [],
      place: draft.place(line),
    };
  });
  for (const { row } of [...nodes, ...edges]) draft.tell(block.first + row);
  for (const { label, row } of edges)
    if (label !== undefined) tellFigures(reading, context, label, block.first + row);
  const line = block.first + (nodes[0]?.row ?? 0);
  const endLine =
    block.first +
    Math.max(0, ...nodes.slice(-1).map(({ row }) => row), ...edges.slice(-1).map(({ row }) => row));
  if (items.length > 0) {
    const text = title === "" ? (context.section?.title ?? "picture") : title;
    draft.add(
      "orders",
      "order",
      { text, line, endLine, sureness: "certain", why: "a graph of Mermaid" },
      context,
      {
        title: text,
        from: "picture",
        way,
        items,
      },
    );
  }
  for (const row of unread)
    draft.leave(block.first + row, block.first + row, "a line of a graph that is not read", context);
}

function sorted(
  ids: readonly string[],
  edges: readonly { readonly from: string; readonly to: string }[],
): readonly string[] {
  const waiting = new Map(ids.map((id) => [id, 0]));
  const next = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { from, to } of edges) {
    waiting.set(to, (waiting.get(to) ?? 0) + 1);
    next.get(from)?.push(to);
  }
  const ready = ids.filter((id) => waiting.get(id) === 0);
  const done = new Set<string>();
  for (let at = 0; at < ready.length; at++) {
    const id = ready[at] ?? "";
    if (done.has(id)) continue;
    done.add(id);
    for (const to of next.get(id) ?? []) {
      const left = (waiting.get(to) ?? 0) - 1;
      waiting.set(to, left);
      if (left === 0) ready.push(to);
    }
  }
  return [...done, ...ids.filter((id) => !done.has(id))];
}
