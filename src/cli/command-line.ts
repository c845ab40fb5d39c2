import { hostname, userInfo } from "node:os";
import { CutoverError, errorCatalog, nearest, personProblem, systemClock } from "../core/index.ts";
import { commands } from "./commands.ts";
import { everyCommand, readArguments } from "./parse-arguments.ts";
import { endAtOnce } from "./end-at-once.ts";
import { printError, toCutoverError } from "./print-error.ts";
import { storeAddress } from "./store-place.ts";
import { processTerminal } from "./terminal.ts";
import { showCursor } from "./live-screen.ts";
import { packageVersion } from "./version.ts";

/** Runs one command line and resolves with its exit code. Errors end here, printed, as exit codes. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  quietKnownWarnings();
  const terminal = processTerminal();
  const json = argv.includes("--json");
  let storeFlag = "";
  let undivert = (): void => {};
  const { name, rest } = commandName(argv);
  try {
    const entry = commands[name];
    if (entry === undefined) throw unknownCommand(name);
    const { command } = await entry.load();
    const args = readArguments(name, command, rest);
    if (args.flag("help")) {
      const { commandPage } = await import("./help-pages.ts");
      for (const line of commandPage(name, command, entry.summary, terminal.columns())) terminal.line(line);
      return 0;
    }
    const address = storeAddress(args.text("store"), process.env["CUTOVER_STORE"], process.cwd());
    storeFlag = address.storeFlag;
    // What a definition or its steps print must not stand among the answers that a program reads.
    if (args.flag("json")) undivert = terminal.divert();
    return await command.run({
      ...address,
      args,
      terminal,
      clock: systemClock,
      cwd: process.cwd(),
      by: typedName(args.text("by")) ?? whoAmI(),
      json: args.flag("json"),
      version: packageVersion(),
      pid: process.pid,
      interrupted: interruptSignal(name, rest, args.positionals),
    });
  } catch (thrown) {
    const error = namingCommand(toCutoverError(thrown), name);
    if (json) terminal.json({ error: error.toJSON(), exit: error.exitCode });
    else
      printError(terminal, error, {
        cwd: process.cwd(),
        trace: process.env["CUTOVER_TRACE"] !== undefined,
        storeFlag,
      });
    return error.exitCode;
  } finally {
    undivert();
  }
}

/** The remedy that every wrong use has, for this command: what is printed is there to be typed. */
function namingCommand(error: CutoverError, name: string): CutoverError {
  const { message, details, place } = error;
  if (error.code !== "CUTOVER_CLI_USAGE" || error.remedy !== errorCatalog.CUTOVER_CLI_USAGE.remedy)
    return error;
  return new CutoverError(error.code, {
    message,
    details,
    ...(place === undefined ? {} : { place }),
    remedy: `see \`cutover help ${name}\``,
    cause: error,
  });
}

/** The first word that is no option, and the second where a command has parts; `--help` and `--version` are commands too. */
function commandName(argv: readonly string[]): { readonly name: string; readonly rest: readonly string[] } {
  const [first, ...others] = argv;
  if (first === undefined || first === "--help" || first === "-h") return { name: "help", rest: others };
  if (first === "--version" || first === "-v") return { name: "version", rest: others };
  // Options may stand before the command: `cutover --store x status`.
  const { word, rest } = takeWord(argv);
  if (word === undefined) return { name: "help", rest: argv };
  const parts = Object.keys(commands).filter((name) => name.startsWith(`${word} `));
  const second = parts.length === 0 ? undefined : takeWord(rest);
  // `cutover queue help`, as `cutover help queue` and `cutover queue --help`.
  if (second?.word === "help") return { name: word, rest: ["--help"] };
  return second?.word === undefined
    ? { name: word, rest }
    : { name: `${word} ${second.word}`, rest: second.rest };
}

function takeWord(argv: readonly string[]): { readonly word?: string; readonly rest: readonly string[] } {
  const at = argv.findIndex((word, index) => !word.startsWith("-") && !takesValue(argv[index - 1]));
  const word = argv[at];
  return word === undefined ? { rest: argv } : { word, rest: [...argv.slice(0, at), ...argv.slice(at + 1)] };
}

const takesValue = (word: string | undefined): boolean =>
  word === "--queue" || (word?.startsWith("--") === true && everyCommand[word.slice(2)]?.type === "string");

function unknownCommand(name: string): CutoverError {
  const near = nearest(name, Object.keys(commands));
  return new CutoverError("CUTOVER_CLI_UNKNOWN_COMMAND", {
    message: `expected a command, found ${JSON.stringify(name.slice(0, 60))}`,
    details: { found: name.slice(0, 60), nearest: near ?? null },
    ...(near === undefined ? {} : { remedy: `did you mean \`cutover ${near}\`? see \`cutover help\`` }),
  });
}

/** @throws CUTOVER_CLI_USAGE for a name that is none, before any command does anything under it. */
function typedName(name: string | undefined): string | undefined {
  const problem = name === undefined ? undefined : personProblem(name);
  if (problem === undefined) return name;
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected --by to be ${problem}, found ${JSON.stringify(name)}`,
    remedy: "write the name as people read it; it is kept in the record",
  });
}

function whoAmI(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // No entry for this user id, as in many containers.
    return `uid-${process.getuid?.() ?? 0}@${hostname()}`;
  }
}

/** Commands that end in their own way when they are told to; some only with the option that lets them do much. */
const interruptible: ReadonlySet<string> = new Set([
  "run",
  "resume",
  "watch",
  "rollback",
  "worker",
  "serve",
  "queue stats",
  "queue cancel --all",
  "queue retry --failed",
  "queue prune",
  "simulate",
  "data digest",
  "data diff",
  "data copy",
  "data backup",
  "data restore",
]);

/** Of these only as they are typed here: `audit rebuild` blocks, and nothing is lost when a signal ends it. */
const interruptibleAlone: ReadonlySet<string> = new Set(["audit", "audit verify"]);

/** First signal: asks the command to stop cleanly. Second: ends at once, as a crash would; resume copes with both. */
function interruptSignal(name: string, rest: readonly string[], positionals: readonly string[]): AbortSignal {
  const controller = new AbortController();
  const alone = interruptibleAlone.has([name, ...positionals].join(" "));
  const among = [name, ...rest.map((word) => `${name} ${word}`)].some((words) => interruptible.has(words));
  if (!alone && !among) return controller.signal;
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      if (process.stdout.isTTY) process.stdout.write(showCursor);
      endAtOnce(130);
    }
    controller.abort(
      new CutoverError("CUTOVER_INTERRUPTED", {
        message: "expected to run to its end, found an interruption",
        ...(alone ? { remedy: "begin it again; nothing was changed" } : {}),
      }),
    );
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  return controller.signal;
}

/** SQLite and type stripping are what this tool is built on; that Node calls them experimental helps nobody here. */
function quietKnownWarnings(): void {
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    const text = typeof warning === "string" ? warning : warning.message;
    if (/SQLite is an experimental|Type Stripping is an experimental/.test(text)) return;
    if (text.includes("MODULE_TYPELESS_PACKAGE_JSON") || /Module type of .* is not specified/.test(text))
      return;
    emit(warning, ...rest);
  };
}
