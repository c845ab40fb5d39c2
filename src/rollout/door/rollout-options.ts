import { CutoverError, nameOneOf, parseDuration } from "../../core/index.ts";
import type { RolloutOptions } from "./rollout.ts";

/** A member that is none of these would do nothing. */
const known: Readonly<
  Record<keyof RolloutOptions, "text" | "function" | "object" | "list" | "duration" | "percent">
> = {
  dir: "text",
  url: "text",
  token: "text",
  cache: "text",
  file: "text",
  name: "text",
  state: "list",
  link: "object",
  onError: "function",
  flush: "duration",
  clock: "object",
  random: "function",
  overhead: "percent",
};

const kinds = {
  text: {
    expected: "a text that is not empty",
    fits: (value: unknown) => typeof value === "string" && value !== "",
  },
  function: { expected: "a function", fits: (value: unknown) => typeof value === "function" },
  object: { expected: "an object", fits: (value: unknown) => typeof value === "object" && value !== null },
  list: { expected: "a list", fits: (value: unknown) => Array.isArray(value) },
  percent: {
    expected: "a percentage between 0.1 and 100",
    fits: (value: unknown) => typeof value === "number" && value >= 0.1 && value <= 100,
  },
  duration: { expected: "", fits: (value: unknown) => parseDuration(value as string) >= 0 },
} as const;

/**
 * @throws CUTOVER_ROLLOUT_INVALID for the first option of `createRollout` that makes no sense, CUTOVER_DURATION_INVALID
 */
export function checkRolloutOptions(options: unknown): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    refuse("options", "an object", options, "leave them out, or give { dir, name, onError, … }");
  for (const [name, value] of Object.entries(options as object)) {
    const kind = Object.hasOwn(known, name) ? known[name as keyof typeof known] : undefined;
    if (kind === undefined) {
      const shown = name.slice(0, 60);
      const remedy = nameOneOf(shown, Object.keys(known), "leave it out");
      refuse(shown, "left out: createRollout knows no such option", value, remedy);
      continue;
    }
    if (value === undefined || (name === "link" && value === null)) continue;
    if (!kinds[kind].fits(value)) refuse(name, kinds[kind].expected, value, "leave it out for its default");
  }
}

function refuse(option: string, expected: string, found: unknown, remedy: string): never {
  const text =
    typeof found === "string" ? JSON.stringify(found.slice(0, 60)) : found === null ? "null" : typeof found;
  throw new CutoverError("CUTOVER_ROLLOUT_INVALID", {
    message: `expected ${option} of createRollout to be ${expected}, found ${text}`,
    details: { option },
    place: `createRollout.${option}`,
    remedy,
  });
}
