import {
  type Duration,
  formatDuration,
  type Json,
  type JsonObject,
  markPlace,
  type RouteState,
} from "../../core/index.ts";
import type { GateSpec, Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { moveRoute, requireStage, requireUnchanged } from "./change-route.ts";
import { RouteWatch } from "./route-watch.ts";
import { askSaved, finish, goBack, routeKinds, save, type Saved, savedOrNew } from "./saved.ts";
import { awaitSecondWrites } from "./second-writes.ts";
import {
  gateText,
  given,
  ms,
  optionsOf,
  placement,
  Problems,
  stepGateProblems,
  type StepPlacement,
  unknownIn,
} from "./step-input.ts";
import { Totals } from "./totals.ts";
import { count, type Limits, type Look, type Otherwise, refuseFailure, waitFor } from "./waiting.ts";

export interface ShadowOptions extends StepPlacement {
  /** Least time in shadow. Default: none, the evidence decides. */
  readonly for?: Duration;
  /** What must be shown: a gate, or the mismatch rate (0 … 1) to be below. Default 0.001. */
  readonly until?: GateSpec | number;
  /** Least number of compared answers. Default 100. */
  readonly atLeast?: number;
  /**
   * Operations each of which must be compared at least once. Default `"declared"`: all that the applications
   * declared. `"any"` asks for none.
   */
  readonly operations?: "declared" | "any" | readonly string[];
  /** Longest time in shadow. Default 24 h. */
  readonly patience?: Duration;
  /**
   * What follows when it is not shown within that time: `fail` takes the run back, `ask` holds it until a person continues,
   * which gives it as much time again, or rolls back. Default `fail`.
   */
  readonly otherwise?: "fail" | "ask";
}

const known: Readonly<Record<Exclude<keyof ShadowOptions, keyof StepPlacement>, true>> = {
  for: true,
  until: true,
  atLeast: true,
  operations: true,
  patience: true,
  otherwise: true,
};

interface ShadowInput {
  readonly route: string;
  readonly for: Duration;
  readonly atLeast: number;
  readonly operations: "declared" | "any" | readonly string[];
  readonly patience: Duration;
  readonly otherwise: Otherwise;
  readonly estimate?: Duration;
  /** The gate as a rate, when it was given as one. */
  readonly until?: number;
}

interface ShadowSaved extends Saved {
  /** Wall-clock milliseconds when the stage was set; null until then. */
  readonly since: number | null;
  /** Since when patience counts, where a person gave it more time. */
  readonly asked?: number;
}

/**
 * A step that puts a route into stage `shadow` and waits until its answers are shown to agree. It fails, and the run
 * goes back, when they are shown not to. The way back is the stage the route had before.
 *
 * ```ts
 * shadow("queue.submit", { for: "10m" })
 * ```
 */
export function shadow(route: string, shadowOptions: ShadowOptions = {}): Step {
  const options = optionsOf(shadowOptions);
  const { until = 0.001, patience = "24h" } = options;
  const gate = typeof until === "number" ? mismatchGate(route, until) : until;
  const input = given({
    route,
    for: options.for ?? 0,
    atLeast: options.atLeast ?? 100,
    operations: options.operations ?? "declared",
    patience,
    otherwise: options.otherwise ?? "fail",
    estimate: options.estimate,
    until: typeof until === "number" ? until : undefined,
    unknown: unknownIn(shadowOptions, known),
  });
  return markPlace(
    { ...placement("shadow", options), kind: shadowKind(gate, ms(patience)), input } as Step,
    shadow as (...args: never[]) => unknown,
  );
}

const mismatchGate = (route: string, limit: number): GateSpec => ({
  type: "metric",
  name: `mismatches of ${route} below ${Number((limit * 100).toPrecision(6))} %`,
  measure: { of: "mismatches", route },
  rule: { kind: "below", limit, alpha: 0.01, beta: 0.05 },
});

function shadowKind(gate: GateSpec, patience: number): StepKind {
  return {
    kind: routeKinds.shadow,
    reversible: true,
    // The step's own patience ends it with the reason; the engine's limit is only the net below.
    timeoutMs: (Number.isFinite(patience) ? patience : 0) + 3_600_000,
    // A gate made of a rate was judged as that rate.
    validate: (input) => [
      ...problems(input),
      ...(read(input).until === undefined ? stepGateProblems([gate], "until") : []),
    ],
    summary: (input) => summary(read(input), gate),
    plan: (input) => plan(read(input), gate),
    start: (context) => start(context, gate),
    simulate: (context) => start(context, gate),
    verify: async (context) => askSaved(context),
    rollback: (context) => goBack(context, read(context.input).route),
    fingerprint: () => gateText(gate),
  };
}

const read = (input: Json): ShadowInput => input as unknown as ShadowInput;

function problems(input: Json): readonly StepProblem[] {
  const found = new Problems();
  const {
    route,
    for: least,
    atLeast,
    operations,
    patience,
    otherwise,
    until,
    unknown,
    estimate,
  } = input as JsonObject;
  found.unknown(unknown, known);
  found.duration("estimate", estimate);
  found.route(route);
  found.duration("for", least);
  found.duration("patience", patience);
  found.count("atLeast", atLeast);
  found.otherwise(otherwise);
  if (until !== undefined && !(typeof until === "number" && until > 0 && until < 1)) {
    found.add(
      "until",
      "a rate between 0 and 1, or a gate",
      until,
      "0.001 means: fewer than one in a thousand",
    );
  }
  const named =
    Array.isArray(operations) && operations.every((name) => typeof name === "string" && name !== "");
  if (!(operations === "declared" || operations === "any" || named)) {
    found.add(
      "operations",
      '"declared", "any" or a list of names',
      operations,
      'leave it out for "declared"',
    );
  }
  if (ms(least as Duration) > ms(patience as Duration)) {
    found.add("patience", 'longer than "for"', patience, "raise `patience` or lower `for`");
  }
  return found.list;
}

function summary({ route, for: least }: ShadowInput, gate: GateSpec): string {
  const time = ms(least) > 0 ? `, ${formatDuration(ms(least))} at least` : "";
  return `shadow ${route} until ${gate.name}${time}`;
}

function plan(input: ShadowInput, gate: GateSpec): StepPlan {
  const estimate = input.estimate ?? (ms(input.for) > 0 ? input.for : undefined);
  return {
    summary: summary(input, gate),
    ...(estimate === undefined ? {} : { estimateMs: ms(estimate) }),
    touches: [`stage of ${input.route}`],
  };
}

async function start(context: StepContext, gate: GateSpec): Promise<Json> {
  const input = read(context.input);
  const { route } = input;
  let saved = await savedOrNew<ShadowSaved>(context, route, (before) => ({ before, since: null }));
  await requireStage(context, route, "shadow");
  const { otherwise } = input;
  const patience = ms(input.patience);
  if (saved.since === null)
    await awaitSecondWrites(context, route, { stage: "shadow", share: 0 }, { patience, otherwise });
  const state = await moveRoute(context, route, { stage: "shadow", share: 0 }, saved.since !== null);
  const since = saved.since ?? context.clock.now();
  saved = { ...saved, since };
  await save(context, saved);

  const watch = new RouteWatch(context, route, since);
  const totals = new Totals();
  let coverage: Coverage = { seen: [], wanted: [], missing: [] };
  const look = async (): Promise<Look> => {
    await requireUnchanged(context, state);
    const declared = await requireStage(context, route, "shadow");
    for (const interval of await watch.news()) if (interval.epoch === state.epoch) totals.add(interval);
    const verdict = await context.judge(gate, { since });
    refuseFailure(gate.name, verdict);
    coverage = coverageOf(input.operations, declared, totals);
    const left = since + ms(input.for) - context.clock.now();
    const missing = [
      ...(totals.compared >= input.atLeast
        ? []
        : [`${count(input.atLeast - totals.compared)} more comparisons`]),
      ...(coverage.missing.length === 0 ? [] : [`a call of ${coverage.missing.join(", ")}`]),
      ...(totals.isSilent(context.clock.now()) ? ["a report of a door (all are silent)"] : []),
      ...(left <= 0 ? [] : [`the end of ${formatDuration(ms(input.for))}`]),
      ...(verdict.kind === "pass" ? [] : [`${gate.name} (${verdict.reason})`]),
    ];
    const waits = [verdict.waitMs, left > 0 ? left : undefined].filter((wait) => wait !== undefined);
    return {
      missing,
      note: await describe(context, state, totals, coverage),
      waitMs: waits.length === 0 ? undefined : Math.max(...waits),
    };
  };
  const begun = saved;
  const limits: Limits = {
    subject: `agreement of ${route}`,
    since: saved.asked ?? since,
    patience,
    otherwise,
    onAnswered: (asked) => save(context, { ...begun, asked }),
  };
  await waitFor(context, limits, look);

  const { compared, mismatches, shadow: calls } = totals;
  const result: JsonObject = {
    note: line(totals, coverage),
    compared,
    mismatches,
    operations: Object.fromEntries(totals.operations),
    coverage: { seen: coverage.seen, wanted: coverage.wanted },
    shadow: { ...calls },
    ms: context.clock.now() - since,
  };
  await context.evidence(`shadow of ${route}`, result);
  return await finish(context, saved, result);
}

interface Coverage {
  readonly seen: readonly string[];
  readonly wanted: readonly string[];
  readonly missing: readonly string[];
}

function coverageOf(asked: ShadowInput["operations"], declared: readonly string[], totals: Totals): Coverage {
  const wanted = asked === "any" ? [] : asked === "declared" ? declared : asked;
  const seen = wanted.filter((operation) => totals.operations.has(operation));
  return { seen, wanted, missing: wanted.filter((operation) => !seen.includes(operation)) };
}

/** `7,714 compared · 0 differ · coverage 6 of 6 operations`, and how many of those that differ gave no answer in time. */
function line({ compared, mismatches, shadow: calls }: Totals, { seen, wanted }: Coverage): string {
  const late = compared === 0 || calls.timeouts === 0 ? "" : ` · ${count(calls.timeouts)} timed out`;
  const covered = wanted.length === 0 ? "" : ` · coverage ${seen.length} of ${wanted.length} operations`;
  return `${count(compared)} compared · ${count(mismatches)} differ${late}${covered}`;
}

/** The line, and why nothing is compared when nothing is: the commonest question of a waiting shadow. */
async function describe(
  context: StepContext,
  state: RouteState,
  totals: Totals,
  coverage: Coverage,
): Promise<string> {
  const text = line(totals, coverage);
  if (totals.compared > 0) return text;
  if ((await context.routes.declarations(state.route)).length === 0)
    return `${text} · no application has declared ${state.route} yet`;
  const { calls, timeouts, skipped } = totals.shadow;
  if (skipped + timeouts > 0)
    return `${text} · ${count(calls)} shadow calls made, ${count(timeouts)} timed out, ${count(skipped)} skipped`;
  return totals.calls.old === 0 ? `${text} · no calls yet` : text;
}
