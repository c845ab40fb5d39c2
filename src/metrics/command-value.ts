import { systemClock } from "../core/index.ts";
import { type CommandWords, runCommand } from "../plan/index.ts";
import { createSource, type Source, type SourceOptions } from "./source.ts";
import { OptionProblems, shown } from "./source-options.ts";

export interface CommandValueOptions extends SourceOptions {
  /** Program and arguments; no shell reads them. For a side of a `mean` it finds `CUTOVER_FROM` and `CUTOVER_TO`, milliseconds. */
  readonly run: CommandWords;
  /** The figure in what the command wrote to standard output. Default: all of it is one number. */
  readonly parse?: (output: string) => number;
  readonly cwd?: string;
  /** Added to the environment. Never recorded. */
  readonly env?: Readonly<Record<string, string>>;
}

const names = ["run", "parse", "cwd", "env", "timeout", "cache"];

/** Standard output is kept whole up to here; a command that writes more is asked for one figure. */
const longestOutput = 32_768;

/**
 * A figure that a command writes: `commandValue({ run: ["redis-cli", "llen", "orders"] })`. It must end with 0. At the
 * deadline the command is ended together with everything it started.
 */
export function commandValue(options: CommandValueOptions): Source {
  const problems = new OptionProblems(options, names);
  const { run, parse = wholeNumber, cwd, env, timeout, cache } = options ?? ({} as CommandValueOptions);
  const given: unknown = run;
  const words = Array.isArray(given) ? (given as readonly unknown[]) : [];
  problems.expect(
    words.length > 0 && words[0] !== "" && words.every((word) => typeof word === "string"),
    "`run` to be a list of words, the program first",
    run,
  );
  problems.expect(typeof parse === "function", "`parse` to be a function", parse);
  if (cwd !== undefined) problems.text("cwd", cwd);
  if (env !== undefined)
    problems.expect(
      typeof env === "object" && env !== null && Object.values(env).every((word) => typeof word === "string"),
      "`env` to be an object of texts",
      "others",
    );
  return createSource({
    name: `command ${words.map(String).join(" ").slice(0, 80)}`,
    text: JSON.stringify(["command", run, cwd, Object.keys(env ?? {}), String(parse)]),
    problems: problems.list,
    timeoutMs: problems.duration("timeout", timeout, "5s"),
    cacheMs: problems.duration("cache", cache, "1s", 0),
    read: async ({ signal, window }) => {
      const stretch =
        window === undefined ? {} : { CUTOVER_FROM: String(window.from), CUTOVER_TO: String(window.to) };
      const {
        exit,
        signal: ended,
        output,
        stdout,
      } = await runCommand({
        file: run[0],
        args: run.slice(1),
        cwd,
        env: { ...env, ...stretch },
        clock: systemClock,
        signal,
        started: async () => {},
      });
      if (exit !== 0)
        throw new Error(`expected exit 0, found ${exit ?? ended ?? "none"}: ${output.trim().slice(-200)}`);
      if (stdout.bytes > longestOutput)
        throw new Error(`expected one figure, found ${stdout.bytes} bytes of output`);
      return parse(stdout.text());
    },
  });
}

function wholeNumber(output: string): number {
  const text = output.trim();
  const figure = text === "" ? Number.NaN : Number(text);
  if (!Number.isFinite(figure))
    throw new Error(`expected one number as output, found ${shown(text.slice(0, 60))}: give a \`parse\``);
  return figure;
}
