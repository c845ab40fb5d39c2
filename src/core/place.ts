import { fileURLToPath } from "node:url";

/**
 * Where in the user's file a part of a definition was written. Kept beside the value and not in it: a definition
 * moved by one line is still the same definition and must keep its hash.
 */
const stacks = new WeakMap<object, { stack?: string }>();

/**
 * Remembers the line that called `caller` as the place of `value`. Every builder of steps and phases calls it
 * with itself as `caller`; the stack becomes text only when an error needs it.
 */
export function markPlace<T extends object>(value: T, caller: (...args: never[]) => unknown): T {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, caller);
  Error.stackTraceLimit = limit;
  stacks.set(value, holder);
  return value;
}

/** Gives `copy` the place of `original`. */
export function keepPlace<T extends object>(copy: T, original: object): T {
  const holder = stacks.get(original);
  if (holder !== undefined) stacks.set(copy, holder);
  return copy;
}

/** `file:line` where the value was built, or undefined when its builder did not mark it. */
export function placeOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const frame = stacks
    .get(value)
    ?.stack?.split("\n")
    .find((line) => /^\s*at /.test(line));
  const found = /\(?([^()\s][^()]*):(\d+):\d+\)?\s*$/.exec(frame?.replace(/^\s*at (async )?/, "") ?? "");
  if (found === null) return undefined;
  const [, file = "", line = ""] = found;
  return `${file.startsWith("file:") ? fileURLToPath(file) : file}:${line}`;
}
