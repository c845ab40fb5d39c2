// The processors before: each fourth memory of a layer grows into one of the next.
import type { Grow } from "../engine/processors.ts";

export const version = 1;

export const grow: Grow = ({ layer, number }) => {
  const next = {
    sensory: "working",
    working: "episodic",
    episodic: "semantic",
    semantic: "core",
    core: undefined,
  } as const;
  const to = next[layer];
  if (to === undefined || number % 4 !== 0) return undefined;
  return { layer: to, number: number / 4, kind: "plain" };
};
