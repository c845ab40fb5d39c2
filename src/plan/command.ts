import { CutoverError, type Duration, faultPoint, type Json, type JsonObject } from "../core/index.ts";
import { type CommandInput, commandLine, commandProblems, type CommandWords } from "./command-input.ts";
import type { Step } from "./definition.ts";
import { parseDurationOrNaN } from "./durations.ts";
import { from as comesFrom } from "./origin.ts";
import { markPlace } from "./place.ts";
import { endLeftBehind, type GroupMark } from "./process-group.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";
import { isObject } from "./scope.ts";
import type { StepContext, StepKind } from "./step-kind.ts";

export interface CommandOptions {
  /** Program and arguments; no shell reads them. */
  readonly run: CommandWords;
  /** Undoes it, however far it came; may run more than once. Without it there is nothing to undo. */
  readonly rollback?: CommandWords;
  /** After a crash: did it take effect? Exit 0 yes, 1 no, anything else nobody knows. Without it, it runs again. */
  readonly verify?: CommandWords;
  /** Default: the folder the engine runs in. */
  readonly cwd?: string;
  /** Added to the engine's environment. Never recorded; a digest of it is part of the definition's hash. */
  readonly env?: Readonly<Record<string, string>>;
  readonly expect?: {
    /** Exit codes that count as success. Default [0]. */
    readonly exit?: readonly number[];
    /** Must be found in the kept output (32 KiB: start and end). */
    readonly output?: string | RegExp;
  };
  /** What it is for, in one line. Default: the command itself. */
  readonly summary?: string;
  readonly estimate?: Duration;
  readonly timeout?: Duration;
  readonly retries?: number;
  readonly after?: readonly string[];
  readonly unit?: string;
  /** It cannot be undone once begun: belongs in a forward-only phase. */
  readonly irreversible?: boolean;
  /** The run holds before its first start, until a person has read the command. Default false. */
  readonly review?: boolean;
  /** Line of the written plan that asks for it: `PLAN.md:31`. */
  readonly from?: string;
}

/**
 * A step that runs a program. Exit code and output become evidence; any exit code that is not expected fails the step.
 * On pause, rollback and timeout the program ends together with everything it started; what a crash of the engine
 * left running is ended before it starts again.
 *
 * ```ts
 * command("old-tests", { run: ["npm", "test"], cwd: "old", estimate: "2m" })
 * ```
 */
export function command(name: string, options: CommandOptions): Step {
  const { run, rollback, verify, cwd, env, expect, summary, estimate, timeout, retries, after, unit } =
    options;
  const pattern = expect?.output;
  const input = defined({
    run,
    rollback,
    verify,
    cwd,
    env,
    exit: expect?.exit,
    output: pattern instanceof RegExp ? { source: pattern.source, flags: pattern.flags } : pattern,
    summary,
    estimate: estimate === undefined ? undefined : readableOr(estimate),
    irreversible: options.irreversible === true ? true : undefined,
    // Anything but false is handed on, so that validation sees what is neither.
    review: options.review === false ? undefined : options.review,
  });
  const rest = defined({ timeout, retries, after, unit });
  const made = markPlace({ name, kind: kindFor(options), input, ...rest } as Step, command);
  return options.from === undefined ? made : comesFrom(options.from, made);
}

function kindFor(options: CommandOptions): StepKind {
  return {
    kind: "command",
    reversible: options.irreversible !== true,
    tidiesOnly: options.rollback === undefined,
    validate: commandProblems,
    summary: summaryOf,
    plan: (input) => {
      const { estimate, cwd } = read(input);
      return {
        summary: summaryOf(input),
        ...(typeof estimate === "number" ? { estimateMs: estimate } : {}),
        ...(cwd === undefined ? {} : { touches: [cwd] }),
      };
    },
    start: async (context) => {
      await askReview(context);
      await endOld(context);
      const { run, exit = [0], output } = read(context.input);
      const outcome = await carryOut(context, run, "command");
      faultPoint("plan.command.ended");
      const wrong = misses(outcome, exit, output);
      if (wrong !== undefined) throw failed(run, outcome, wrong);
      return { exit: outcome.exit, ms: Math.round(outcome.ms), outputBytes: outcome.outputBytes };
    },
    verify: async (context) => {
      if (asked(context))
        return { kind: "unknown", reason: reviewText(context.input), code: "CUTOVER_STEP_REVIEW" };
      await endOld(context);
      const { verify } = read(context.input);
      if (verify === undefined) return { kind: "not-done" };
      const { exit, signal } = await carryOut(context, verify, "verify");
      if (exit === 0) return { kind: "done", result: { exit: 0, verified: true } };
      if (exit === 1) return { kind: "not-done" };
      return {
        kind: "unknown",
        reason: `${commandLine(verify)} ended with ${exit ?? signal}, expected 0 or 1`,
      };
    },
    rollback: async (context) => {
      await endOld(context);
      const { rollback } = read(context.input);
      if (rollback === undefined) return;
      const outcome = await carryOut(context, rollback, "rollback");
      const wrong = misses(outcome, [0], undefined);
      if (wrong !== undefined) throw failed(rollback, outcome, wrong);
    },
  };
}

/** An unreadable duration stays as it is, so that validation can show it. */
const readableOr = (estimate: Duration): Duration => {
  const ms = parseDurationOrNaN(estimate);
  return Number.isNaN(ms) ? String(estimate) : ms;
};

const read = (input: Json): CommandInput => input as unknown as CommandInput;

const summaryOf = (input: Json): string => {
  const { summary, run } = read(input);
  return summary ?? `run ${commandLine(run)}`;
};

/** Holds before the first start; the second one follows a person's word that it has not run yet. */
async function askReview(context: StepContext): Promise<void> {
  const { review, run, cwd } = read(context.input);
  if (review !== true || context.checkpoint() !== undefined) return;
  await context.saveCheckpoint({ review: "asked" });
  faultPoint("plan.command.review-asked");
  throw new CutoverError("CUTOVER_STEP_REVIEW", {
    message: reviewText(context.input),
    details: { command: [...run], ...(cwd === undefined ? {} : { cwd }) },
  });
}

function asked(context: StepContext): boolean {
  const saved = context.checkpoint();
  return isObject(saved) && saved["review"] === "asked";
}

function reviewText(input: Json): string {
  const { run, rollback, cwd } = read(input);
  const back = rollback === undefined ? "" : `, taken back by \`${commandLine(rollback)}\`,`;
  return `it waits for a person to read \`${commandLine(run)}\`${cwd === undefined ? "" : ` in ${cwd}`}${back} before it runs`;
}

async function carryOut(context: StepContext, words: CommandWords, role: string): Promise<CommandOutcome> {
  const [file, ...args] = words;
  const { cwd, env } = read(context.input);
  const outcome = await runCommand({
    file,
    args,
    cwd,
    env,
    clock: context.clock,
    signal: context.signal,
    started: async (mark) => {
      faultPoint("plan.command.spawned");
      await context.saveCheckpoint({ ...mark });
    },
  });
  const { stdout: _, ...facts } = outcome;
  await context.evidence(role, { command: [...words], cwd, ...facts, ms: Math.round(outcome.ms) });
  return outcome;
}

/** Ends what an earlier attempt left running when its engine was killed. */
async function endOld(context: StepContext): Promise<void> {
  const saved = context.checkpoint();
  if (!isObject(saved) || typeof saved["pid"] !== "number" || typeof saved["started"] !== "string") return;
  const mark: GroupMark = { pid: saved["pid"], started: saved["started"] };
  if (await endLeftBehind(mark, context.clock))
    context.log.warn("ended a command that an earlier attempt left running", { ...mark });
}

function misses(
  outcome: CommandOutcome,
  exits: readonly number[],
  output: CommandInput["output"],
): string | undefined {
  if (outcome.signal !== null) return `was ended by ${outcome.signal}`;
  if (!exits.includes(outcome.exit ?? -1))
    return `ended with exit code ${outcome.exit}, expected ${exits.join(" or ")}`;
  if (output === undefined) return undefined;
  if (typeof output === "string")
    return outcome.output.includes(output) ? undefined : `did not write ${JSON.stringify(output)}`;
  const { source, flags } = output;
  return new RegExp(source, flags).test(outcome.output) ? undefined : `did not write /${source}/${flags}`;
}

function failed(words: CommandWords, outcome: CommandOutcome, wrong: string): CutoverError {
  const { exit, signal, output } = outcome;
  return new CutoverError("CUTOVER_STEP_FAILED", {
    message: `${commandLine(words)} ${wrong}`,
    details: { command: [...words], exit, signal, output: output.slice(-2_000) },
  });
}

/** Without members that are undefined, so that what was left out is not in the hash. */
const defined = (members: Record<string, unknown>): JsonObject =>
  Object.fromEntries(Object.entries(members).filter(([, member]) => member !== undefined)) as JsonObject;
