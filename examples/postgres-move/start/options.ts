import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CutoverError } from "cutover";
import type { Place } from "./cutover-command.ts";

export interface StartOptions extends Place {
  /** Goes back after the cutover, with what was written in between. */
  readonly back: boolean;
  /** One order has a state that nobody mapped: refused before anything moves. */
  readonly strange: boolean;
  /** Orders in the old shop before the move. */
  readonly orders: number;
  /** Puts an unfinished run away and begins anew, instead of going on with it. */
  readonly fresh: boolean;
  readonly help: boolean;
}

export const usage: string =
  "usage: node examples/postgres-move/start.ts [--back] [--strange] [--orders N] [--dir DIR] [--store DIR] [--fresh]";

/** @throws CUTOVER_CLI_USAGE for anything that is not exactly one of the options */
export function readOptions(args: readonly string[]): StartOptions {
  const text = { type: "string" } as const;
  const yes = { type: "boolean" } as const;
  let values: {
    back?: boolean;
    strange?: boolean;
    orders?: string;
    dir?: string;
    store?: string;
    fresh?: boolean;
    help?: boolean;
  };
  try {
    const options = {
      back: yes,
      strange: yes,
      orders: text,
      dir: text,
      store: text,
      fresh: yes,
      help: yes,
    } as const;
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
  const { back = false, strange = false, orders = "3000", fresh = false, help = false } = values;
  const { dir = join(import.meta.dirname, "../work/current"), store = join(dir, "cutover") } = values;
  if (!/^[1-9]\d{0,6}$/.test(orders))
    throw wrong(`expected --orders to be a number from 1 to 9999999, found "${orders}"`);
  return {
    back,
    strange,
    orders: Number(orders),
    dir: resolve(dir),
    store: resolve(store),
    fresh,
    help,
  };
}

const wrong = (message: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", { message, remedy: usage });
