import { CutoverError, type Json, type JsonObject, nameOneOf, sleep, systemClock } from "../core/index.ts";
import { commandLine, commandProblems, type CommandWords } from "./command-input.ts";
import type { Check, CheckResult, Step } from "./definition.ts";
import { parseDurationOrNaN } from "./durations.ts";
import type { CustomGate, Verdict } from "./gate-spec.ts";
import { from as comesFrom } from "./origin.ts";
import { markPlace } from "./place.ts";
import { type CommandOutcome, runCommand } from "./run-command.ts";
import type { StepContext, StepKind } from "./step-kind.ts";

/** What shows a claim by a command: `commandCheck("all tests pass", { run: ["npm", "test"] })`. */
export interface ProofCommand {
  /** Program and arguments; no shell reads them. */
  readonly run: CommandWords;
  /** Default: the folder the engine runs in. */
  readonly cwd?: string;
  /** Exit codes that show the claim. Default [0]. */
  readonly exit?: readonly number[];
  /** After so long it has shown nothing and is ended. Default 10 minutes. */
  readonly timeout?: string | number;
  /** Line of the written plan that asks for it: `PLAN.md:31`. */
  readonly from?: string;
}

/** A look at data: answers yes or no, or with what it found. It changes nothing. */
export type DataProbe = (context: {
  readonly signal: AbortSignal;
  readonly runId: string;
}) => Promise<boolean | CheckResult> | boolean | CheckResult;

export interface ByHandOptions {
  /** What is to be done, in one line. Default: the step's name. */
  readonly summary?: string;
  readonly after?: readonly string[];
  readonly unit?: string;
  readonly from?: string;
}

/**
 * A check that a command answers: exit code 0 is yes, its output the evidence. It runs when the checklist is asked, so it
 * must look and change nothing.
 * @throws CUTOVER_PLAN_INVALID for options that cannot be used.
 */
export function commandCheck(name: string, options: ProofCommand): Check {
  readProof("commandCheck", options);
  const check: Check = {
    name,
    run: textual(async ({ signal }: { readonly signal: AbortSignal }): Promise<CheckResult> => {
      const facts = await ask(options, signal);
      return { ok: facts["problem"] === null, note: told(options, facts), facts };
    }, fingerprintOf(options)),
  };
  return placed(check, options.from);
}

/** A gate that a command answers: it passes on exit code 0, fails on any other; the output is stored before it is judged. */
export function commandGate(name: string, options: ProofCommand): CustomGate {
  readProof("commandGate", options);
  const { run } = options;
  const gate: CustomGate = {
    type: "custom",
    name,
    collect: textual(
      ({ signal }: { readonly signal: AbortSignal }) => ask(options, signal),
      fingerprintOf(options),
    ),
    judge: ({ problem, ms }): Verdict =>
      problem === null
        ? { kind: "pass", reason: `${commandLine(run)} ended well after ${said(ms)} ms` }
        : { kind: "fail", reason: `${commandLine(run)} ${said(problem)}` },
  };
  return placed(gate, options.from);
}

/** A check that looks at data: `dataCheck("backup restores", backupRestores)`. */
export function dataCheck(name: string, probe: DataProbe, options: { readonly from?: string } = {}): Check {
  return placed(
    { name, run: textual(async (context) => answerOf(name, await probe(context)), String(probe)) },
    options.from,
  );
}

/** A gate that looks at data: passes on yes, fails on no; a probe that throws is no answer, and the gate holds. */
export function dataGate(
  name: string,
  probe: DataProbe,
  options: { readonly from?: string } = {},
): CustomGate {
  const collect = async (context: {
    readonly signal: AbortSignal;
    readonly runId: string;
  }): Promise<JsonObject> => {
    const { ok, note, facts } = answerOf(name, await probe(context));
    return { ok, note, ...(facts === undefined ? {} : { facts }) };
  };
  return placed(
    {
      type: "custom",
      name,
      collect: textual(collect, String(probe)),
      judge: ({ ok, note }): Verdict => ({ kind: ok === true ? "pass" : "fail", reason: said(note) }),
    },
    options.from,
  );
}

/** A step that is done when the data shows it: it changes nothing itself, and fails on no. */
export function dataStep(name: string, probe: DataProbe, options: ByHandOptions = {}): Step {
  const { summary = name } = options;
  const kind: StepKind = {
    kind: "data",
    reversible: true,
    tidiesOnly: true,
    summary: () => summary,
    plan: () => ({ summary }),
    start: async (context) => {
      const { ok, note, facts } = answerOf(name, await probe(context));
      await context.evidence("data", { ok, note, ...(facts === undefined ? {} : { facts }) });
      if (!ok)
        throw new CutoverError("CUTOVER_STEP_FAILED", {
          message: `the data does not show "${summary}": ${note}`,
          details: facts ?? {},
        });
      return { note };
    },
    fingerprint: () => String(probe),
  };
  return stepOf(name, kind, options, dataStep);
}

/** A step that a person does: the run holds and says what is to be done, until somebody did it and continues the run. */
export function byHand(name: string, options: ByHandOptions = {}): Step {
  const { summary = name } = options;
  const kind: StepKind = {
    kind: "by-hand",
    reversible: true,
    tidiesOnly: true,
    // People are not timed.
    timeoutMs: 365 * 86_400_000,
    summary: () => `by hand: ${summary}`,
    plan: () => ({ summary: `by hand: ${summary}` }),
    start: (context) => waitForPerson(context, summary),
    fingerprint: () => summary,
  };
  return stepOf(name, kind, options, byHand);
}

async function waitForPerson(context: StepContext, summary: string): Promise<null> {
  const question = await context.ask(`to be done by a person: ${summary}; then continue the run`);
  while (!question.answered()) await sleep(context.clock, 200, context.signal);
  await context.evidence("by-hand", { done: summary });
  return null;
}

function stepOf(
  name: string,
  kind: StepKind,
  options: ByHandOptions,
  builder: (...args: never[]) => unknown,
): Step {
  const { after, unit, from, summary: _, ...unknown } = options;
  const [more] = Object.keys(unknown);
  if (more !== undefined)
    refuse(
      `a step knows no \`${more}\` here`,
      nameOneOf(more, ["summary", "after", "unit", "from"], `remove \`${more}\``),
    );
  const made: Step = markPlace(
    {
      name,
      kind,
      input: null,
      ...(after === undefined ? {} : { after }),
      ...(unit === undefined ? {} : { unit }),
    },
    builder,
  );
  return placed(made, from);
}

const placed = <T extends object>(item: T, from: string | undefined): T =>
  from === undefined ? item : comesFrom(from, item);

/** The definition's hash covers functions by their text; these stand for what they were given. */
function textual<F extends (...args: never[]) => unknown>(run: F, text: string): F {
  Object.defineProperty(run, "toString", { value: () => text });
  return run;
}

const fingerprintOf = ({ run, cwd, exit }: ProofCommand): string => JSON.stringify({ run, cwd, exit });

/** Of recorded evidence, which is JSON of any form, as words. */
const said = (value: Json | undefined): string =>
  typeof value === "string" ? value : JSON.stringify(value ?? null);

const known = ["run", "cwd", "exit", "timeout", "from"];

function readProof(builder: string, options: ProofCommand): void {
  const given: unknown = options;
  if (typeof given !== "object" || given === null)
    refuse(`expected ${builder}() to name a command`, 'write { run: ["npm", "test"] }');
  for (const key of Object.keys(options))
    if (!known.includes(key))
      refuse(`${builder}() knows no \`${key}\``, nameOneOf(key, known, `it knows ${known.join(", ")}`));
  const { from: _, timeout, ...command } = options;
  const [problem] = commandProblems({ ...command });
  if (problem !== undefined) refuse(problem.message, problem.remedy);
  if (timeout !== undefined && !(parseDurationOrNaN(timeout) > 0))
    refuse(
      `expected \`timeout\` to be a duration above 0, found ${JSON.stringify(timeout)}`,
      'write timeout: "10m"',
    );
}

function refuse(message: string, remedy: string): never {
  throw new CutoverError("CUTOVER_PLAN_INVALID", { message, remedy });
}

async function ask(options: ProofCommand, signal: AbortSignal): Promise<JsonObject> {
  const { run, cwd, exit = [0], timeout = "10m" } = options;
  const [file, ...args] = run;
  const limit = new AbortController();
  const timer = systemClock.after(parseDurationOrNaN(timeout), () =>
    limit.abort(new DOMException("took too long", "TimeoutError")),
  );
  try {
    const outcome = await runCommand({
      file,
      args,
      cwd,
      clock: systemClock,
      signal: AbortSignal.any([signal, limit.signal]),
      started: () => Promise.resolve(),
    });
    return factsOf(options, outcome, problemOf(outcome, exit));
  } catch (error) {
    if (!limit.signal.aborted || signal.aborted) throw error;
    return {
      command: [...run],
      exit: null,
      ms: null,
      output: "",
      problem: `did not end within ${String(timeout)}`,
    };
  } finally {
    timer.cancel();
  }
}

const problemOf = ({ exit, signal }: CommandOutcome, wanted: readonly number[]): string | null => {
  if (signal !== null) return `was ended by ${signal}`;
  return wanted.includes(exit ?? -1) ? null : `ended with exit code ${exit}, expected ${wanted.join(" or ")}`;
};

const factsOf = (
  { run, cwd }: ProofCommand,
  { exit, ms, output, outputBytes }: CommandOutcome,
  problem: string | null,
): JsonObject => ({
  command: [...run],
  ...(cwd === undefined ? {} : { cwd }),
  exit,
  ms: Math.round(ms),
  output: output.slice(-4_000),
  outputBytes,
  problem,
});

const told = ({ run }: ProofCommand, facts: JsonObject): string =>
  facts["problem"] === null
    ? `${commandLine(run)} ended well`
    : `${commandLine(run)} ${said(facts["problem"])}`;

function answerOf(name: string, answer: unknown): CheckResult {
  if (typeof answer === "boolean") return { ok: answer, note: answer ? "yes" : "no" };
  const { ok, note } = (typeof answer === "object" && answer !== null ? answer : {}) as Partial<CheckResult>;
  if (typeof ok !== "boolean" || typeof note !== "string")
    throw new CutoverError("CUTOVER_STEP_FAILED", {
      message: `expected the probe of "${name}" to answer true, false or { ok, note, facts? }, found ${JSON.stringify(answer) ?? typeof answer}`,
      remedy: "let it return { ok: true, note: what it saw }",
    });
  return answer as CheckResult;
}
