import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CutoverError } from "cutover";
import type { Place } from "./cutover-command.ts";

export interface StartOptions extends Place {
  /** The sign-off is refused after the cutover: everything goes back. */
  readonly back: boolean;
  readonly records: number;
  readonly rate: number;
  /** Puts an unfinished run away and begins anew, instead of going on with it. */
  readonly fresh: boolean;
  readonly help: boolean;
}

const work = join(import.meta.dirname, "../work");

export const usage = `usage: node examples/storage/start.ts [--back] [--full] [--records N] [--rate N] [--dir DIR] [--store DIR] [--fresh]`;

/** @throws CUTOVER_CLI_USAGE for anything that is not exactly one of the options */
export function readOptions(args: readonly string[]): StartOptions {
  const text = { type: "string" } as const;
  const yes = { type: "boolean" } as const;
  let values: Partial<Record<"records" | "rate" | "dir" | "store", string>> &
    Partial<Record<"back" | "full" | "fresh" | "help", boolean>>;
  try {
    const options = {
      back: yes,
      full: yes,
      records: text,
      rate: text,
      dir: text,
      store: text,
      fresh: yes,
      help: yes,
    };
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
  const { back = false, full = false, fresh = false, help = false } = values;
  if (full && values.records !== undefined) throw wrong("expected --full or --records, found both");
  return {
    back,
    fresh,
    help,
    records: full ? 1_000_000 : count("--records", values.records ?? "100000", 1_000, 10_000_000),
    rate: count("--rate", values.rate ?? "200", 4, 5_000),
    dir: resolve(values.dir ?? join(work, "current")),
    store: resolve(values.store ?? join(work, "cutover")),
  };
}

function count(name: string, found: string, least: number, most: number): number {
  if (/^\d{1,9}$/.test(found) && Number(found) >= least && Number(found) <= most) return Number(found);
  throw wrong(`expected ${name} to be a number from ${least} to ${most}, found "${found}"`);
}

const wrong = (message: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", { message, remedy: usage });
