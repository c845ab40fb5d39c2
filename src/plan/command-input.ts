import type { Json } from "../core/index.ts";
import { found, isObject } from "./scope.ts";
import type { StepProblem } from "./step-kind.ts";

/** Program and arguments. */
export type CommandWords = readonly [file: string, ...args: string[]];

/** A command step's input as it is recorded. */
export interface CommandInput {
  readonly run: CommandWords;
  readonly rollback?: CommandWords;
  readonly verify?: CommandWords;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly exit?: readonly number[];
  readonly output?: string | { readonly source: string; readonly flags: string };
  readonly summary?: string;
  readonly estimate?: number | string;
  readonly irreversible?: true;
  readonly review?: true;
}

/** For people and error messages; words with spaces or quotes stand in quotes. */
export const commandLine = (words: CommandWords): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");

/** Everything wrong with a command's input. */
export function commandProblems(input: Json): readonly StepProblem[] {
  if (!isObject(input))
    return [{ message: `expected options, found ${found(input)}`, remedy: "see command()" }];
  const problems: StepProblem[] = [];
  for (const key of ["run", "rollback", "verify"]) {
    const words = input[key];
    if (words === undefined && key !== "run") continue;
    if (!isWords(words))
      problems.push({
        message: `expected \`${key}\` to be a program and its arguments, found ${found(words)}`,
        remedy: `write ${key}: ["program", "argument", …]; for a shell, ["sh", "-c", "…"]`,
        place: key,
      });
  }
  if (input["cwd"] !== undefined && !isWord(input["cwd"]))
    problems.push({
      message: `expected \`cwd\` to be a folder, found ${found(input["cwd"])}`,
      remedy: "write its path, or leave it out",
      place: "cwd",
    });
  if (input["review"] !== undefined && input["review"] !== true)
    problems.push({
      message: `expected \`review\` to be true or false, found ${found(input["review"])}`,
      remedy: "write review: true, or leave it out",
      place: "review",
    });
  const { env, exit } = input;
  if (env !== undefined && !(isObject(env) && Object.values(env).every((text) => typeof text === "string")))
    problems.push({
      message: "expected `env` to hold texts only",
      remedy: 'write env: { NAME: "value" }',
      place: "env",
    });
  if (exit !== undefined && !(Array.isArray(exit) && exit.length > 0 && exit.every(isExitCode)))
    problems.push({
      message: `expected \`expect.exit\` to be a list of exit codes 0 … 255, found ${JSON.stringify(exit)}`,
      remedy: "write expect: { exit: [0] }",
      place: "expect.exit",
    });
  const { output } = input;
  if (output !== undefined && typeof output !== "string" && !isObject(output))
    problems.push({
      message: `expected \`expect.output\` to be a text or a regular expression, found ${found(output)}`,
      remedy: "write expect: { output: /passed/ }",
      place: "expect.output",
    });
  if (input["estimate"] !== undefined && typeof input["estimate"] !== "number")
    problems.push({
      message: `expected \`estimate\` to be a duration, found ${found(input["estimate"])}`,
      remedy: 'write a number with a unit: ms, s, m, h or d, for example "10m"',
      place: "estimate",
    });
  if (input["irreversible"] === true && input["rollback"] !== undefined)
    problems.push({
      message: "expected an irreversible command to have no rollback, found both",
      remedy: "remove `irreversible` or the rollback",
      place: "irreversible",
    });
  return problems;
}

const isExitCode = (code: unknown): boolean =>
  typeof code === "number" && Number.isInteger(code) && code >= 0 && code <= 255;

/** A text a program can be given: a NUL character would cut it off. */
const isWord = (word: unknown): boolean => typeof word === "string" && word !== "" && !word.includes("\0");

const isWords = (words: unknown): boolean =>
  Array.isArray(words) &&
  isWord(words[0]) &&
  words.every((word) => typeof word === "string" && !word.includes("\0"));
