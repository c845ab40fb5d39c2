import type { ParseArgsOptionsConfig } from "node:util";
import type { Clock } from "../core/index.ts";
import type { StoreAddress } from "./store-place.ts";
import type { Terminal } from "./terminal.ts";

/** What the user typed, read by the command's own options. */
export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  /** All values of an option that may be given more than once. */
  texts(name: string): readonly string[];
  flag(name: string): boolean;
}

/** What a command may use of the world. */
export interface CommandContext extends StoreAddress {
  readonly args: Arguments;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly cwd: string;
  /** Who acts: `--by` or `user@host`. */
  readonly by: string;
  /** Machine output wanted. */
  readonly json: boolean;
  readonly version: string;
  readonly pid: number;
  /** Aborts at the first Ctrl-C; the second ends the process. */
  readonly interrupted: AbortSignal;
}

/** One command of the command line: one file. */
export interface Command {
  /** After `cutover`, e.g. `plan [FILE]`. */
  readonly usage: string;
  /** What the help page says beyond the summary in `commands.ts`, one entry a paragraph. */
  readonly help: readonly string[];
  /** Its own options with what they mean; those of every command are added. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** At most so many words after the command. */
  readonly words: number;
  /** Resolves with the exit code. */
  run(context: CommandContext): Promise<number>;
}

export type OptionSpec = ParseArgsOptionsConfig[string] & {
  /** Shown in help, e.g. `NAME`; absent for flags. */
  readonly value?: string;
  readonly help: string;
};
