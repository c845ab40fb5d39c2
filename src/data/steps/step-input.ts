import { type Duration, type Json, type JsonObject, nameOneOf, parseDuration } from "../../core/index.ts";
import type { Step, StepProblem } from "../../plan/index.ts";

/** What every step of this room takes besides its own options. */
export interface DataStepPlacement {
  /** Name in its phase. Default: the kind. */
  readonly name?: string;
  /** Steps of the same phase that come before. Default: the step listed before. */
  readonly after?: readonly string[];
  readonly unit?: string;
  /** How long it takes, for `cutover plan`. Default: a guess from rows and bytes. */
  readonly estimate?: Duration;
  /** Limit of one attempt. Default 7 d: a large store takes its time, and a move that stands still says so. */
  readonly timeout?: Duration;
  /**
   * Attempts after one that failed, each after a longer wait (5 s, 10 s, … 5 min); they go on where the one before came to. Default 0:
   * the run is taken back, and what was copied is removed.
   */
  readonly retries?: number;
}

const placements: Readonly<Record<keyof DataStepPlacement, true>> = {
  name: true,
  after: true,
  unit: true,
  estimate: true,
  timeout: true,
  retries: true,
};

export const attemptLimitMs: number = 7 * 86_400_000;

/** Members of the step that say where it stands. */
export function placement(
  kind: string,
  options: DataStepPlacement,
): Pick<Step, "name" | "after" | "unit" | "timeout" | "retries"> {
  const { name = kind, after, unit, timeout, retries } = options;
  return {
    name,
    ...(after === undefined ? {} : { after }),
    ...(unit === undefined ? {} : { unit }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(retries === undefined ? {} : { retries }),
  };
}

/** Options as plain JavaScript may leave them: what is no object holds none, and `Problems.options` refuses it. */
export const optionsOf = <T extends object>(options: T | undefined): Partial<T> =>
  typeof options === "object" && options !== null && !Array.isArray(options) ? options : {};

/** Without members that are undefined, so that what was left out is not in the hash. */
export function given(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined));
}

/** What was given, short enough for a message. */
function shown(found: unknown): string {
  if (found === undefined) return "nothing";
  if (typeof found === "function") return "a function";
  const text = JSON.stringify(found) ?? typeof found;
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Collects what is wrong with what a builder was given; the builder itself never throws. */
export class Problems {
  readonly list: StepProblem[] = [];

  add(place: string, expected: string, found: unknown, remedy: string): void {
    this.list.push({
      message: `expected "${place}" to be ${expected}, found ${shown(found)}`,
      remedy,
      place,
    });
  }

  /** Refuses options that nothing reads, naming the one that was meant. */
  options(options: unknown, known: Readonly<Record<string, true>>): void {
    if (options === undefined) return;
    if (typeof options !== "object" || options === null || Array.isArray(options)) {
      this.add("options", "an object", options, "write { … }, or leave it out");
      return;
    }
    const names = [...Object.keys(known), ...Object.keys(placements)];
    for (const name of Object.keys(options))
      if (!names.includes(name))
        this.list.push({
          message: `the step knows no "${name}"`,
          remedy: nameOneOf(name, names, `remove "${name}": it would do nothing`),
          place: name,
        });
    const { estimate } = options as DataStepPlacement;
    if (estimate !== undefined && durationMs(estimate) === undefined)
      this.add("estimate", "a duration", estimate, 'write a number with a unit, for example "10m"');
  }

  /** A list of names, each once; `""` is the one collection of a key-value store. */
  names(place: string, found: unknown): void {
    if (found === undefined) return;
    const list = Array.isArray(found) ? (found as readonly unknown[]) : [];
    const good = list.length > 0 && list.every((name) => typeof name === "string");
    if (good && new Set(list).size === list.length) return;
    this.add(place, "a list of names of collections, each once", found, 'write for example ["orders"]');
  }

  flag(place: string, found: unknown): void {
    if (found === undefined || typeof found === "boolean") return;
    this.add(place, "true or false", found, `write ${place}: true, or leave it out`);
  }

  count(place: string, found: unknown): void {
    if (found === undefined || (Number.isSafeInteger(found) && (found as number) >= 0)) return;
    this.add(place, "a whole number from 0", found, "write how many");
  }

  folder(place: string, found: unknown): void {
    if (typeof found === "string" && found !== "") return;
    this.add(place, "the path of a folder", found, 'write for example "backups/before"');
  }
}

/** Undefined when it cannot be read. */
export function durationMs(value: Duration): number | undefined {
  try {
    return parseDuration(value);
  } catch {
    return undefined;
  }
}
