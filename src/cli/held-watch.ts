import { parseDuration } from "../core/index.ts";
import type { RunView } from "../report/index.ts";
import type { Arguments, OptionSpec } from "./command.ts";

export const heldOptions: Readonly<Record<string, OptionSpec>> = {
  "until-held": {
    type: "boolean",
    help: "end with exit code 3 when it waits for a person; gates that hold have the patience of their phase (24 h) first",
  },
  "held-for": {
    type: "string",
    value: "TIME",
    help: "end with exit code 3 also when gates alone have held it for so long: 30s, 10m",
  },
};

export type HeldWatch = (view: RunView, time: { readonly since: number; readonly at: number }) => boolean;

/**
 * When a command that carries a run ends before it: asked with each view. `since`: from when on it is carried, by the clock
 * of its record; `at`: monotonic. Gates that hold gather evidence, some of it in memory, so only a time that somebody
 * named ends a run for them.
 * @throws CUTOVER_DURATION_INVALID for a time that is none.
 */
export function heldWatch(args: Arguments): HeldWatch {
  const text = args.text("held-for");
  const limitMs = text === undefined ? Number.POSITIVE_INFINITY : parseDuration(text);
  const asked = args.flag("until-held") || text !== undefined;
  let heldAt: number | undefined;
  return (view, { since, at }) => {
    if (!asked) return false;
    heldAt = isHeldByGates(view, since) ? (heldAt ?? at) : undefined;
    return (isHeld(view) && isLookedAt(view, since)) || (heldAt !== undefined && at - heldAt >= limitMs);
  };
}

/** Waits for a person, or for evidence that only a person can bring. */
function isHeld({ run, wanted }: RunView): boolean {
  return run.state === "HOLDING" || run.state === "PAUSED" || wanted.length > 0;
}

/** A run that is resumed still holds by its record: what it held for may be proven now, so its gates are judged first. */
function isLookedAt(view: RunView, since: number): boolean {
  return view.phases.every(({ state }) => state !== "GATING") || isHeldByGates(view, since);
}

/** Its steps are done, and a gate holds that was judged since then. */
const isHeldByGates = ({ phases }: RunView, since: number): boolean =>
  phases
    .find(({ state }) => state === "GATING")
    ?.verdicts.some(({ verdict, at }) => verdict === "hold" && at >= since) ?? false;
