import { type RouteState, type Stage, stages } from "../core/index.ts";
import { durationOf, percentOf, refuse } from "./input.ts";

export type FaultKind = "error" | "latency" | "mismatch" | "crash";

/** What goes wrong on the new side, and from when on. */
export interface Fault {
  /** As it was written, e.g. `error:x2@live:50%`. */
  readonly text: string;
  readonly kind: FaultKind;
  /** `times` the figure of before, so much `more`, or `to` a rate of its own. A crash has none. */
  readonly size: { readonly by: "times" | "more" | "to"; readonly amount: number };
  /** From this stage on, and this share of a live route; undefined: from its first call on. */
  readonly from: { readonly stage: Stage; readonly share: number } | undefined;
  /** So long after that, milliseconds. */
  readonly afterMs: number;
}

const forms = "error:x2, error:5%, error:+1%, latency:+50%, latency:x3, mismatch:1% or crash";
const places = "@shadow, @live, @live:50%, @complete, with +30s for so long after it";
const placedStages = ["shadow", "live", "complete"];

/**
 * Reads `KIND[:SIZE][@STAGE[:SHARE%][+TIME]]`.
 * @throws CUTOVER_SIMULATION_INPUT
 */
export function readFault(text: string, place = "--fault"): Fault {
  const [what = "", where, ...rest] = text.trim().split("@");
  if (rest.length > 0) refuse(place, `one place after "@": ${places}`, text);
  const [kind = "", size, ...more] = what.trim().split(":");
  if (!isKind(kind) || more.length > 0) refuse(place, `a fault such as ${forms}`, text);
  return {
    text: text.trim(),
    kind,
    size: readSize(kind, size?.trim(), text, place),
    ...readPlace(where, text, place),
  };
}

const isKind = (kind: string): kind is FaultKind => ["error", "latency", "mismatch", "crash"].includes(kind);

function readSize(kind: FaultKind, size: string | undefined, text: string, place: string): Fault["size"] {
  if (kind === "crash") {
    if (size !== undefined) refuse(place, "no size for a crash: every call fails", text);
    return { by: "to", amount: 1 };
  }
  const given = size ?? refuse(place, `a size, such as ${forms}`, text);
  const times = /^[x×](\d+(?:\.\d+)?)$/.exec(given)?.[1];
  if (times !== undefined && kind !== "mismatch") {
    if (!(Number(times) > 1)) refuse(place, "a factor above 1", text);
    return { by: "times", amount: Number(times) };
  }
  const growth = /^\+(.*)$/.exec(given)?.[1];
  if (growth !== undefined && kind === "latency") {
    const part = /^(\d+(?:\.\d+)?)\s*%$/.exec(growth.trim())?.[1];
    if (part === undefined || !(Number(part) > 0))
      refuse(place, 'slower by a part, such as "latency:+50%"', text);
    return { by: "times", amount: 1 + Number(part) / 100 };
  }
  const rate = kind === "latency" ? undefined : percentOf(growth ?? given);
  if (rate === undefined || rate === 0 || (growth !== undefined && kind !== "error"))
    refuse(place, `a size, such as ${forms}`, text);
  return { by: growth === undefined ? "to" : "more", amount: rate };
}

function readPlace(where: string | undefined, text: string, place: string): Pick<Fault, "from" | "afterMs"> {
  if (where === undefined) return { from: undefined, afterMs: 0 };
  const [stretch = "", after, ...rest] = where.trim().split("+");
  const [stage = "", share, ...more] = stretch.trim().split(":");
  if (rest.length + more.length > 0 || !placedStages.includes(stage))
    refuse(place, `a place: ${places}`, text);
  const part = share === undefined ? 0 : percentOf(share);
  if (part === undefined || (share !== undefined && stage !== "live"))
    refuse(place, "a share in percent of stage live, such as @live:50%", text);
  const afterMs = after === undefined ? 0 : durationOf(after);
  if (afterMs === undefined) refuse(place, "a duration such as +30s", text);
  return { from: { stage: stage as Stage, share: part * 100 }, afterMs };
}

/** Whether a route has come to where the fault begins, its delay aside. */
export function reaches(
  { from, kind }: Fault,
  { stage, share }: Pick<RouteState, "stage" | "share">,
): boolean {
  const at = stages.indexOf(stage);
  // Shadow calls are not timed: a slow new side first shows, and first hurts, when it answers callers.
  const least = kind === "latency" ? "live" : "shadow";
  if (at < stages.indexOf(least) || (stage === "live" && share === 0)) return false;
  if (from === undefined) return true;
  return at > stages.indexOf(from.stage) || (at === stages.indexOf(from.stage) && share >= from.share);
}

/** Part of the new side's calls that fail while the fault is there. */
export function failingPart(fault: Fault | undefined, base: number): number {
  if (fault === undefined || (fault.kind !== "error" && fault.kind !== "crash")) return base;
  const { by, amount } = fault.size;
  return Math.min(1, Math.max(base, by === "to" ? amount : by === "more" ? base + amount : base * amount));
}
