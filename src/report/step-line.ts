import type { Json } from "../core/index.ts";
import { formatDuration } from "../core/index.ts";
import type { StepRecord } from "../store/index.ts";
import { count, sharePercent } from "./figures.ts";
import { isObject } from "./graph.ts";
import type { LiveProgress, ProgressView } from "./run-view.ts";

/** Names a result may use for its own one line, in order of preference. */
const lineMembers = ["note", "summary", "line"];

/** A recorded result as one line: its own words when it has some, otherwise its plain members. */
export function resultLine(result: Json | null): string {
  if (result === null) return "";
  if (typeof result === "string") return result;
  if (Array.isArray(result)) return `${count(result.length)} entries`;
  if (!isObject(result)) return JSON.stringify(result);
  for (const member of lineMembers) {
    const own = result[member];
    if (typeof own === "string" && own !== "") return own;
  }
  return Object.entries(result)
    .filter(
      ([, value]) => typeof value === "number" || typeof value === "string" || typeof value === "boolean",
    )
    .slice(0, 6)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === "number" && Number.isInteger(value) ? count(value) : String(value as string | number | boolean)}`,
    )
    .join(" · ");
}

/** Progress as told by the running step; `done` and `total` make a fraction when both are there. */
export function progressView(progress: LiveProgress | undefined): ProgressView | null {
  if (progress === undefined) return null;
  const { done, total, share } = progress;
  return {
    done: done ?? null,
    total: total ?? null,
    unit: progress.unit ?? null,
    note: progress.note ?? null,
    share: share ?? null,
    fraction:
      done !== undefined && total !== undefined && total > 0 ? Math.min(1, Math.max(0, done / total)) : null,
  };
}

export function progressLine(progress: ProgressView): string {
  const parts: string[] = [];
  if (progress.share !== null) parts.push(sharePercent(progress.share));
  if (progress.done !== null) {
    const of = progress.total === null ? "" : ` of ${count(progress.total)}`;
    parts.push(`${count(progress.done)}${of}${progress.unit === null ? "" : ` ${progress.unit}`}`);
  }
  if (progress.note !== null) parts.push(progress.note);
  return parts.join(" · ");
}

/** What is true of a step now, in one line. */
export function stepLine(record: StepRecord | undefined, progress: ProgressView | null, at: number): string {
  if (record === undefined) return "";
  switch (record.state) {
    case "PENDING":
      return record.error === null ? "" : `tries again after: ${record.error.message}`;
    case "RUNNING":
      if (progress !== null) return progressLine(progress);
      return record.startedAt === null ? "" : `running for ${formatDuration(at - record.startedAt)}`;
    case "DONE":
      return resultLine(record.result);
    case "FAILED":
    case "UNKNOWN":
    case "ROLLBACK_FAILED":
      return record.error === null ? "" : `${record.error.code}: ${record.error.message}`;
    case "ROLLING_BACK":
      return "is being taken back";
    case "ROLLED_BACK":
      return "taken back";
  }
}
