// The new processors: what they let grow may be a dream or a pattern. They refuse what a memory must not be.
import type { Grow } from "../engine/processors.ts";

export const version = 2;

export const grow: Grow = ({ layer, number, weight }) => {
  if (!(weight >= 0 && weight <= 1)) throw new RangeError(`expected a weight from 0 to 1, found ${weight}`);
  const next = {
    sensory: "working",
    working: "episodic",
    episodic: "semantic",
    semantic: "core",
    core: undefined,
  } as const;
  const to = next[layer];
  if (to === undefined || number % 4 !== 0) return undefined;
  const grown = number / 4;
  if (to === "episodic") return { layer: to, number: grown, kind: grown % 3 === 0 ? "dream" : "plain" };
  if (to === "semantic") return { layer: to, number: grown, kind: grown % 2 === 0 ? "pattern" : "plain" };
  return { layer: to, number: grown, kind: "plain" };
};
