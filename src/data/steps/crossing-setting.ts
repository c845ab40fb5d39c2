import { randomBytes } from "node:crypto";
import { asError, type Duration, type Json, type JsonObject } from "../../core/index.ts";
import type { StepContext } from "../../plan/index.ts";
import type { CrossingState } from "../cutover/arrows.ts";
import type { Crossing, CrossingEvent } from "../cutover/crossing-events.ts";
import type { BackCheck, BackMap, CrossingLimits, GoBackOptions } from "../cutover/crossing-options.ts";
import type { Switch } from "../cutover/switch.ts";
import { defaultCrossingLimits, type Ground, readGround } from "../cutover/ground.ts";
import { memorySwitch } from "../cutover/memory-switch.ts";
import { backProblem } from "../cutover/way-back.ts";
import type { DataStore } from "../connector.ts";
import type { CutoverLimits } from "./crossing-input.ts";
import { jobOf, type OpenedPair, type Pair } from "./pair.ts";
import { durationMs, type Problems } from "./step-input.ts";
import { count, RowProgress } from "./step-progress.ts";

const limitNames: Readonly<Record<keyof CutoverLimits, "duration" | "count">> = {
  pause: "duration",
  abort: "duration",
  lag: "duration",
  touched: "count",
  aside: "count",
};

export function limitProblems(found: Problems, limits: unknown): void {
  if (limits === undefined) return;
  if (typeof limits !== "object" || limits === null || Array.isArray(limits)) {
    found.add("limits", "an object", limits, 'write for example { pause: "5s" }');
    return;
  }
  for (const [name, value] of Object.entries(limits) as [string, unknown][]) {
    const place = `limits.${name}`;
    const sort = Object.hasOwn(limitNames, name) ? limitNames[name as keyof CutoverLimits] : undefined;
    if (sort === undefined)
      found.add(
        place,
        `one of ${Object.keys(limitNames).join(", ")}`,
        name,
        `remove "${name}": it would do nothing`,
      );
    else if (sort === "count") found.count(place, value);
    else checkDuration(found, place, value);
  }
  const { pauseMs, abortMs } = { ...defaultCrossingLimits, ...limitsOf(limits) };
  if (abortMs < pauseMs)
    found.add(
      "limits.abort",
      "at least as long as limits.pause",
      (limits as CutoverLimits).abort,
      "raise it",
    );
}

export function checkDuration(found: Problems, place: string, value: unknown): void {
  if (value === undefined || (durationMs(value as Duration) ?? 0) > 0) return;
  found.add(place, "a duration above 0", value, 'write a number with a unit, for example "5s"');
}

export function limitsOf(limits: CutoverLimits | undefined): Partial<CrossingLimits> {
  const { pause, abort, lag, touched, aside } = limits ?? {};
  const ms = (value: Duration | undefined): number | undefined =>
    value === undefined ? undefined : durationMs(value);
  const all = { pauseMs: ms(pause), abortMs: ms(abort), lagMs: ms(lag), touched, aside };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export function backProblems(found: Problems, pair: Pair, back: BackMap | undefined): void {
  const problem = backProblem(pair.map, back);
  if (problem !== undefined)
    found.add("back", `a way back through the map (${problem})`, back, "see docs/spec/data.md, section 8");
}

export function backText(back: BackMap | undefined): string {
  if (back === undefined || back === "originals") return String(back);
  if (typeof back === "function") return String(back);
  return [String(back?.map), String(back?.places)].join("\n");
}

/** What a crossing of these stores is given by a step. */
export function crossingOf(
  context: StepContext,
  given: {
    readonly pair: Pair;
    readonly back: BackMap | undefined;
    readonly oneWay: boolean;
    readonly limits: Partial<CrossingLimits>;
    readonly backup?: string | undefined;
    /** Of a way back. */
    readonly check?: BackCheck;
    readonly source: DataStore;
    readonly target: DataStore;
    readonly switch: Switch;
    readonly state: CrossingState | undefined;
    readonly save: (state: CrossingState) => Promise<void>;
  },
): GoBackOptions {
  const { pair, back, oneWay, limits, backup, check, source, target, state, save } = given;
  return {
    old: source,
    new: target,
    switch: given.switch,
    job: jobOf(context, pair),
    fence: context.fence,
    ...(pair.map === undefined ? {} : { map: pair.map }),
    ...(back === undefined ? {} : { back }),
    ...(oneWay ? { oneWay } : {}),
    ...(pair.collections === undefined ? {} : { collections: pair.collections }),
    ...(pair.into === undefined ? {} : { into: pair.into }),
    ...(backup === undefined ? {} : { backup }),
    ...(check === undefined ? {} : { check }),
    limits,
    ...(state === undefined ? {} : { state }),
    save: async (next) => {
      try {
        await save(next);
      } catch (error) {
        // It was saved; that the step has to stop is known by its signal.
        if (!context.signal.aborted || error !== asError(context.signal.reason)) throw error;
      }
    },
    onEvent: showCrossing(context),
    clock: context.clock,
    random: (length) => new Uint8Array(randomBytes(length)),
    signal: context.signal,
  };
}

/** The ground of a crossing that was made, for the stream that leads back: nothing is turned there. */
export async function groundOf(
  context: StepContext,
  given: {
    readonly pair: Pair;
    readonly back: BackMap | undefined;
    readonly asideLimit?: number | undefined;
  },
  { source, target }: Pick<OpenedPair, "source" | "target">,
): Promise<Ground> {
  const { pair, back, asideLimit } = given;
  return await readGround(
    crossingOf(context, {
      pair,
      back,
      oneWay: false,
      limits: asideLimit === undefined ? {} : { aside: asideLimit },
      source,
      target,
      switch: memorySwitch(),
      state: undefined,
      save: () => Promise.resolve(),
    }),
  );
}

function showCrossing(context: StepContext): (event: CrossingEvent) => void {
  const progress = new RowProgress(context);
  return (event) => {
    switch (event.type) {
      case "part":
        progress.part(event.words, event.rows);
        break;
      case "read":
        progress.add(event.rows, event.bytes);
        break;
      case "predicted":
        context.progress({ note: `a pause of about ${msText(event.pause.ms)} is to be expected` });
        break;
      case "arrow":
        context.log.info(`cutover: ${event.name}`, { ms: Math.round(event.ms * 10) / 10 });
        break;
    }
  };
}

export const msText = (ms: number): string => `${ms < 10 ? ms.toFixed(1) : count(ms)} ms`;

/** A crossing as result and evidence. */
export function crossingFacts(found: Crossing): JsonObject {
  const { standing, position, pauseMs, predicted, applied, looked, seed, digests, checked, aside } = found;
  const { compared, mended, settled } = found;
  const rounded =
    predicted && Object.fromEntries(Object.entries(predicted).map(([name, n]) => [name, round(n)]));
  const facts: Record<string, Json | undefined> = {
    side: standing.side,
    epoch: standing.epoch,
    position,
    pauseMs: pauseMs === undefined ? undefined : round(pauseMs),
    predicted: rounded,
    applied,
    looked,
    seed,
    digests: digests === undefined ? undefined : { old: { ...digests.old }, new: { ...digests.new } },
    checked,
    mended,
    aside,
    compared,
    settled,
  };
  return Object.fromEntries(Object.entries(facts).filter(([, fact]) => fact !== undefined)) as JsonObject;
}

const round = (n: number): number => Math.round(n * 10) / 10;

export function crossingNote(found: Crossing): string {
  const { standing, pauseMs, applied, checked, mended, compared, aside } = found;
  return [
    `the ${standing.side} side is in charge since epoch ${standing.epoch}`,
    pauseMs === undefined
      ? "how long writes were stopped is not known, as a process ended meanwhile"
      : `writes were stopped for ${msText(pauseMs)}`,
    ...(applied === undefined ? [] : [`${count(applied)} changes applied in it`]),
    ...(checked === undefined ? [] : [`${count(checked)} rows written since the cutover compared before it`]),
    ...(mended === undefined
      ? []
      : [`everything compared before it, ${count(mended)} rows of the old side mended`]),
    ...(compared === undefined ? [] : [`everything compared, ${count(compared)} rows written`]),
    ...(aside === undefined ? [] : [`${count(aside)} rows set aside on the old side`]),
  ].join(" · ");
}
