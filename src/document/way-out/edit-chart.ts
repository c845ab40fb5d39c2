import type { CalendarFinding } from "../figure-finding.ts";
import { isShown, type LineState } from "./record.ts";

const day = (at: number): string => new Date(at).toISOString().slice(0, 10);

/**
 * A task of a Gantt chart as planned, with the mark that the record gives it, and below it the task as it really was: from
 * its first to its last day, or until `now`. Marks of the plan (`done`, `active`, `crit`) are taken out first.
 */
export function editTask(
  line: string,
  entry: CalendarFinding,
  state: LineState | undefined,
  now: number,
): readonly string[] {
  const parts = /^(\s*)(.*?)(\s*):(.*)$/s.exec(line);
  if (parts === null) return [line];
  const [, indent = "", title = "", gap = "", rest = ""] = parts;
  const fields = rest.split(",").map((field) => field.trim());
  const marks = new Set(["done", "active", "crit"]);
  const kept = fields.filter((field) => !marks.has(field));
  const mark =
    state === undefined
      ? ""
      : isShown(state)
        ? "done"
        : state.state === "failed" || state.state === "back"
          ? "crit"
          : state.state === "running" || state.state === "holds"
            ? "active"
            : "";
  const planned = `${indent}${title}${gap}:${[mark, ...kept].filter((field) => field !== "").join(", ")}`;
  if (state === undefined || state.startedAt === null || entry.milestone) return [planned];
  const from = day(state.startedAt);
  const days = Math.max(1, Math.ceil(((state.endedAt ?? now) - Date.parse(from)) / 86_400_000));
  return [
    planned,
    `${indent}${title.trim()} (actual)${gap}:${mark === "" ? "" : `${mark}, `}${from}, ${days}d`,
  ];
}
