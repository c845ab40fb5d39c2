import { type Duration, type Json, nameOneOf } from "../core/index.ts";
import type { Step } from "./definition.ts";
import { parseDurationOrNaN } from "./durations.ts";
import { markPlace } from "./place.ts";
import type { StepContext, StepKind, StepOutcome, StepPlan, StepProblem } from "./step-kind.ts";
import { Unproven } from "./unproven.ts";

export interface TaskOptions {
  /** Does the work; may start again after a crash, with a higher `attempt` and the last checkpoint. */
  readonly run: (context: StepContext) => Promise<Json | void> | Json | void;
  /** Undoes it, however far it came; may be called more than once. Without it there is nothing to undo. */
  readonly rollback?: (context: StepContext) => Promise<void> | void;
  /**
   * After a crash: did it take effect? `true` counts as done with the result null, any answer of another shape, nothing
   * too, as unknown: the run holds. Without it, `run` starts again.
   */
  readonly verify?: (context: StepContext) => Promise<StepOutcome | boolean> | StepOutcome | boolean;
  /** What would happen, in one line. Default: the step's name. */
  readonly summary?: string;
  /** What would happen, looked up for `cutover plan`; touches nothing. */
  readonly plan?: (input: Json) => Promise<StepPlan> | StepPlan;
  /** How long it takes, for `cutover plan`. */
  readonly estimate?: Duration;
  /** JSON the functions read as `context.input`; recorded and part of the definition's hash. */
  readonly input?: Json;
  /** Limit of one attempt. Default 1 h. */
  readonly timeout?: Duration;
  /** Attempts after a retryable failure. Default 0. */
  readonly retries?: number;
  /** Steps of the same phase that come before. Default: the step listed before; `[]` starts with the phase. */
  readonly after?: readonly string[];
  readonly unit?: string;
  /** It cannot be undone once begun: belongs in a forward-only phase. */
  readonly irreversible?: boolean;
}

/** Every option. A member that is none of these would do nothing, and a mistyped `rollback` would undo nothing. */
const known: Readonly<Record<keyof TaskOptions, true>> = {
  run: true,
  rollback: true,
  verify: true,
  summary: true,
  plan: true,
  estimate: true,
  input: true,
  timeout: true,
  retries: true,
  after: true,
  unit: true,
  irreversible: true,
};

/** A step that is named and that nobody can take yet: `step("deploy", unproven("deploy the new processors"))`. */
export function step(name: string, item: Unproven): Step;
/**
 * A step made of functions. Their source text enters the definition's hash; what they close over does not, so
 * settings belong in `input`.
 *
 * ```ts
 * step("open-gate", { run: () => gate.open(), rollback: () => gate.close(), estimate: "2s" })
 * ```
 */
export function step(name: string, options: TaskOptions): Step;
export function step(name: string, options: TaskOptions | Unproven): Step {
  // Plain JavaScript may leave the options out; validation then says that `run` is missing.
  const given = (options as TaskOptions | undefined) ?? ({} as TaskOptions);
  const { input = null, timeout, retries, unit } = given as TaskOptions;
  const { after } = given;
  const kind = given instanceof Unproven ? unprovenKind(given) : taskKind(name, given);
  return markPlace(
    {
      name,
      kind,
      input,
      ...(timeout === undefined ? {} : { timeout }),
      ...(retries === undefined ? {} : { retries }),
      ...(after === undefined ? {} : { after }),
      ...(unit === undefined ? {} : { unit }),
    },
    step,
  );
}

/** What a step of this kind claims, when nobody has said how it is shown. */
export function unprovenIn(kind: StepKind): Unproven | undefined {
  return "unproven" in kind && kind.unproven instanceof Unproven ? kind.unproven : undefined;
}

/** A step that nobody can take yet: it holds wherever it stands, and undoes nothing. */
function unprovenKind(item: Unproven): StepKind & { readonly unproven: Unproven } {
  return {
    unproven: item,
    kind: "unproven",
    reversible: true,
    tidiesOnly: true,
    summary: () => item.summary,
    plan: () => ({ summary: item.summary }),
    start: (context) => Promise.resolve(item.run(context)),
    verify: () => Promise.resolve(item.verify()),
    fingerprint: () => `${item.name}\n${item.missing}`,
  };
}

function taskKind(name: string, options: TaskOptions): StepKind {
  const { run, rollback, verify, plan, summary, estimate, irreversible = false } = options;
  const text = summary ?? name;
  const estimateMs = estimate === undefined ? undefined : parseDurationOrNaN(estimate);
  return {
    kind: "task",
    reversible: !irreversible,
    validate: () => taskProblems(options),
    summary: () => text,
    plan: async (input) => {
      const known: StepPlan = { summary: text, ...(estimateMs === undefined ? {} : { estimateMs }) };
      return plan === undefined ? known : { ...known, ...(await plan(input)) };
    },
    start: async (context) => (await run(context)) ?? null,
    ...(verify === undefined ? {} : { verify: async (context) => outcome(await verify(context)) }),
    ...(rollback === undefined ? {} : { rollback: async (context) => await rollback(context) }),
    fingerprint: () => [run, rollback, verify, plan].map(String).join("\n"),
  };
}

const outcome = (answer: StepOutcome | boolean): StepOutcome => {
  if (typeof answer !== "boolean") return answer;
  return answer ? { kind: "done", result: null } : { kind: "not-done" };
};

function taskProblems(options: TaskOptions): StepProblem[] {
  const problems: StepProblem[] = [];
  for (const part of ["run", "rollback", "verify", "plan"] as const) {
    const found: unknown = options[part];
    if (typeof found === "function" || (found === undefined && part !== "run")) continue;
    problems.push({
      message: `expected "${part}" to be a function, found ${typeof found}`,
      remedy: `write ${part}: async (context) => { … }`,
      place: part,
    });
  }
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(known, key)) continue;
    problems.push({
      message: `a step knows no "${key}"`,
      remedy: nameOneOf(key, Object.keys(known), `remove "${key}"`),
      place: key,
    });
  }
  if (options.estimate !== undefined && Number.isNaN(parseDurationOrNaN(options.estimate)))
    problems.push({
      message: `expected "estimate" to be a duration, found ${JSON.stringify(options.estimate)}`,
      remedy: 'write a number with a unit: ms, s, m, h or d, for example "10m"',
      place: "estimate",
    });
  if (options.irreversible === true && options.rollback !== undefined)
    problems.push({
      message: "expected an irreversible step to have no rollback, found both",
      remedy: "remove `irreversible` or the rollback",
      place: "irreversible",
    });
  return problems;
}
