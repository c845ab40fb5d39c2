import { parseArgs } from "node:util";
import { asError, CutoverError, nearest, visible } from "../core/index.ts";
import type { Arguments, Command, OptionSpec } from "./command.ts";

/** Options that every command takes. */
export const everyCommand: Readonly<Record<string, OptionSpec>> = {
  store: {
    type: "string",
    value: "WHERE",
    help: "folder, sqlite:FILE or postgres://… (default CUTOVER_STORE or .cutover)",
  },
  by: { type: "string", value: "NAME", help: "who acts (default user@host)" },
  json: { type: "boolean", help: "machine output on stdout" },
  help: { type: "boolean", short: "h", help: "this page" },
};

/**
 * The words after a command, read strictly.
 * @throws CUTOVER_CLI_USAGE for an unknown option, a missing value or too many words.
 */
export function readArguments(name: string, command: Command, argv: readonly string[]): Arguments {
  const options = { ...everyCommand, ...command.options };
  const { values, positionals } = parse(name, command, options, argv);
  if (positionals.length > command.words) {
    const most =
      command.words === 0 ? "no word" : command.words === 1 ? "one word" : `${command.words} words`;
    const extra = positionals.slice(command.words).map((word) => JSON.stringify(visible(word.slice(0, 60))));
    throw usage(name, command, `expected ${most} after cutover ${name}, found also ${extra.join(", ")}`);
  }
  return {
    positionals,
    text: (option) => {
      const value = values[option];
      if (value === "") throw usage(name, command, `expected a value for --${option}, found an empty one`);
      return typeof value === "string" ? value : undefined;
    },
    texts: (option) => {
      const given = values[option];
      const all = Array.isArray(given) ? given.map(String) : [];
      if (all.includes(""))
        throw usage(name, command, `expected a value for --${option}, found an empty one`);
      return all;
    },
    flag: (option) => values[option] === true,
  };
}

function parse(
  name: string,
  command: Command,
  options: Readonly<Record<string, OptionSpec>>,
  argv: readonly string[],
): { values: Readonly<Record<string, unknown>>; positionals: readonly string[] } {
  try {
    const config = Object.fromEntries(
      Object.entries(options).map(([option, { type, short, multiple }]) => [
        option,
        { type, ...(short === undefined ? {} : { short }), ...(multiple === undefined ? {} : { multiple }) },
      ]),
    );
    return parseArgs({ args: [...argv], options: config, allowPositionals: true, strict: true });
  } catch (cause) {
    throw usage(name, command, misread(name, Object.keys(options), asError(cause)));
  }
}

/** What Node found wrong, in our words; its other sentences explain how to pass a word that begins with a dash. */
function misread(name: string, options: readonly string[], { message, code }: NodeJS.ErrnoException): string {
  const [, typed = ""] = /'(?:-\w, )?--?([^'\s]+)/.exec(message) ?? [];
  if (code === "ERR_PARSE_ARGS_UNKNOWN_OPTION") {
    const near = nearest(typed, options);
    const shown = /'([^']+)'/.exec(message)?.[1] ?? typed;
    return `expected an option of cutover ${name}, found ${shown}${near === undefined ? "" : `; did you mean --${near}?`}`;
  }
  if (message.includes("argument missing")) return `expected a value for --${typed}, found none`;
  if (message.includes("does not take an argument")) return `expected --${typed} without a value, found one`;
  return message.split(". ")[0] ?? "";
}

function usage(name: string, command: Command, message: string): CutoverError {
  return new CutoverError("CUTOVER_CLI_USAGE", {
    message,
    remedy: `usage: cutover ${command.usage}; see \`cutover help ${name}\``,
    details: { command: name },
  });
}
