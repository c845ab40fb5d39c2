import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CutoverError } from "cutover";
import { type Place, projectRoot } from "./cutover-command.ts";
import { type Fault, faults } from "../server/settings.ts";

export interface StartOptions extends Place {
  readonly fault: Fault | null;
  /** 0: any free port. */
  readonly port: number;
  /** Data folder of the old server; copied, never changed. */
  readonly data: string;
  /** Puts an unfinished run away and begins anew, instead of going on with it. */
  readonly fresh: boolean;
  readonly help: boolean;
}

const here = join(import.meta.dirname, "..");

export const usage: string = `usage: npm start -- [--fault ${faults.join("|")}] [--port N] [--data DIR] [--dir DIR] [--store DIR] [--fresh]`;

/** @throws CUTOVER_CLI_USAGE for anything that is not exactly one of the options */
export function readOptions(args: readonly string[]): StartOptions {
  const text = { type: "string" } as const;
  const yes = { type: "boolean" } as const;
  let values: {
    fault?: string;
    port?: string;
    data?: string;
    dir?: string;
    store?: string;
    fresh?: boolean;
    help?: boolean;
  };
  try {
    const options = {
      fault: text,
      port: text,
      data: text,
      dir: text,
      store: text,
      fresh: yes,
      help: yes,
    } as const;
    ({ values } = parseArgs({ args: [...args], options, strict: true }));
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
  const {
    fault,
    port = "0",
    data = join(here, "data"),
    dir = join(here, "work/current"),
    store = join(projectRoot, ".cutover"),
    fresh = false,
    help = false,
  } = values;
  if (fault !== undefined && !(faults as readonly string[]).includes(fault))
    throw wrong(`expected --fault to be one of ${faults.join(", ")}, found "${fault}"`);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw wrong(`expected --port to be a number from 0 to 65535, found "${port}"`);
  const kind = (fault as Fault | undefined) ?? null;
  return {
    fault: kind,
    port: Number(port),
    data: resolve(data),
    dir: resolve(dir),
    store: resolve(store),
    fresh,
    help,
  };
}

const wrong = (message: string): CutoverError =>
  new CutoverError("CUTOVER_CLI_USAGE", { message, remedy: usage });
