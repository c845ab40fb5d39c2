import { formatDuration, type Json, type JsonObject } from "../core/index.ts";
import { count, percent, sharePercent } from "./figures.ts";

/**
 * What an incident saw, in lines for people: both sides' counts, where the routes stood, and how long bad answers went
 * on. Lines whose figures are not there are left out, so any `seen` of any version can be read.
 */
export function incidentLines(seen: JsonObject, openedAt: number): readonly string[] {
  const lines: string[] = [];
  for (const side of ["old", "new"] as const) {
    const counts = member(seen, side);
    const calls = number(counts, "calls");
    if (calls === undefined) continue;
    const errors = number(counts, "errors") ?? 0;
    const rate = calls === 0 ? "" : ` (${percent(errors / calls)})`;
    lines.push(`${side} side: ${count(calls)} calls, ${count(errors)} errors${rate}`);
  }
  const failedOver = number(seen, "failedOver") ?? 0;
  if (failedOver > 0)
    lines.push(`${count(failedOver)} calls that failed on the new side were answered by the old one`);
  const routes = member(seen, "routes");
  for (const [route, state] of Object.entries(routes ?? {})) {
    if (!isObject(state)) continue;
    const { stage, share, epoch } = state;
    if (typeof stage !== "string" || typeof share !== "number" || typeof epoch !== "number") continue;
    lines.push(`${route} stood at ${stage} ${sharePercent(share)}, epoch ${epoch}`);
  }
  const firstBad = number(seen, "firstBadAt");
  if (firstBad !== undefined && firstBad <= openedAt)
    lines.push(`first bad interval ${formatDuration(openedAt - firstBad)} before the incident was opened`);
  return lines;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const member = (of: JsonObject | undefined, key: string): JsonObject | undefined => {
  const value = of?.[key];
  return isObject(value) ? value : undefined;
};

const number = (of: JsonObject | undefined, key: string): number | undefined => {
  const value = of?.[key];
  return typeof value === "number" ? value : undefined;
};
