import { CutoverError } from "../../core/index.ts";

const yes: ReadonlySet<string> = new Set(["true", "1", "yes", "on"]);
const no: ReadonlySet<string> = new Set(["false", "0", "no", "off"]);

/**
 * A flag as people write it in environments and files: `true`, `1`, `yes`, `on` and `false`, `0`, `no`, `off`, in
 * any case, as text, number or boolean. Nothing else is guessed at, so `"false"` can never come out as true.
 * @throws CUTOVER_FLAG_INVALID for anything else, an empty text included.
 */
export function parseFlag(value: unknown, name = "flag"): boolean {
  if (typeof value === "boolean") return value;
  const text =
    typeof value === "string" || typeof value === "number" ? String(value).trim().toLowerCase() : "";
  if (yes.has(text)) return true;
  if (no.has(text)) return false;
  throw new CutoverError("CUTOVER_FLAG_INVALID", {
    message: `expected ${name} to be one of true, false, 1, 0, yes, no, on, off, found ${shown(value)}`,
    details: { name, found: shown(value) },
    place: name,
  });
}

/**
 * A share in percent, 0 … 100, decimals and a trailing `%` allowed.
 * @throws CUTOVER_SHARE_INVALID for anything else; nothing is clamped or rounded.
 */
export function parseShare(value: unknown, name = "share"): number {
  const share =
    typeof value === "string" && /^\s*\d+(\.\d+)?\s*%?\s*$/.test(value) ? Number.parseFloat(value) : value;
  if (typeof share === "number" && share >= 0 && share <= 100) return share;
  throw new CutoverError("CUTOVER_SHARE_INVALID", {
    message: `expected ${name} to be a percentage from 0 to 100, found ${shown(value)}`,
    details: { name, found: shown(value) },
    place: name,
  });
}

/** Flags of a rollout that is steered by configuration. */
export interface RolloutFlags {
  /** May the new side be used at all? Default false. */
  readonly enabled: boolean;
  /** Does the new side see shadow calls? Default false. */
  readonly shadow: boolean;
  /** Percentage of keys the new side answers. Default 0. */
  readonly share: number;
}

/** Names of the three flags in a record such as an environment. */
export interface FlagNames {
  readonly enabled: string;
  readonly shadow: string;
  readonly share: string;
}

/**
 * Reads the three flags strictly; a missing one has its default, a malformed one is refused.
 * @throws CUTOVER_FLAG_INVALID, CUTOVER_SHARE_INVALID naming the flag.
 */
export function readFlags(from: Readonly<Record<string, unknown>>, names: FlagNames): RolloutFlags {
  const read = <T>(name: string, parse: (value: unknown, name: string) => T, missing: T): T =>
    from[name] === undefined ? missing : parse(from[name], name);
  return {
    enabled: read(names.enabled, parseFlag, false),
    shadow: read(names.shadow, parseFlag, false),
    share: read(names.share, parseShare, 0),
  };
}

/** The stage and share that flags ask for: off wins, then a share above 0, then shadow. */
export function stageOfFlags(flags: RolloutFlags): {
  readonly stage: "off" | "shadow" | "live";
  readonly share: number;
} {
  if (!flags.enabled) return { stage: "off", share: 0 };
  if (flags.share > 0) return { stage: "live", share: flags.share };
  return { stage: flags.shadow ? "shadow" : "off", share: 0 };
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}
