import {
  type Duration,
  faultPoint,
  formatDuration,
  type Json,
  type JsonObject,
  markPlace,
  shareLimit,
} from "../../core/index.ts";
import type { GateSpec, Step, StepContext, StepKind, StepPlan, StepProblem } from "../../plan/index.ts";
import { moveRoute, requireStage, requireUnchanged } from "./change-route.ts";
import { RouteWatch } from "./route-watch.ts";
import { askSaved, finish, goBack, routeKinds, save, type Saved, savedOrNew } from "./saved.ts";
import { awaitSecondWrites, backlogLimit, SecondWrites } from "./second-writes.ts";
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
import { type MeasuredShare, measuredShare, shareJson, shareTrouble, Totals } from "./totals.ts";
import { count, type Limits, type Look, type Otherwise, refuseFailure, waitFor } from "./waiting.ts";

export interface RampOptions extends StepPlacement {
  /** Least time at each share. Default: none, the evidence decides. */
  readonly hold?: Duration;
  /** What must be shown at each share anew. Default: errors not worse than twice the old side's. */
  readonly gate?: GateSpec | readonly GateSpec[];
  /** Least number of calls of the new side at each share. Default 100. */
  readonly atLeast?: number;
  /** Longest time at one share. Default 24 h. */
  readonly atMost?: Duration;
  /**
   * What follows when a share is not cleared in that time: `fail` takes the run back, `ask` holds it until a person
   * continues, which gives the share as much time again, or rolls back. Default `fail`.
   */
  readonly otherwise?: "fail" | "ask";
  /**
   * Whether the part of calls that reaches the new side must lie in the statistical bounds of the share. They allow for keys
   * that call more than others, as the doors measure it. Default true; set it false where one key makes nearly all calls.
   */
  readonly checkShare?: boolean;
}

const known: Readonly<Record<Exclude<keyof RampOptions, keyof StepPlacement>, true>> = {
  hold: true,
  gate: true,
  atLeast: true,
  atMost: true,
  otherwise: true,
  checkShare: true,
};

/** One share of a schedule, with limits of its own where it has some. */
export interface RampShare {
  /** Percentage, above 0 and at most 100; larger than the one before. */
  readonly share: number;
  readonly hold?: Duration;
  readonly atLeast?: number;
  readonly atMost?: Duration;
}

interface RampInput {
  readonly route: string;
  readonly shares: readonly (number | RampShare)[];
  readonly hold: Duration;
  readonly atLeast: number;
  readonly atMost: Duration;
  readonly otherwise: Otherwise;
  readonly checkShare: boolean;
  readonly estimate?: Duration;
}

interface RampSaved extends Saved {
  /** Index of the share the step is at. */
  readonly level: number;
  /** Wall-clock milliseconds when that share was set; null until then. */
  readonly since: number | null;
  /** Since when patience counts, where a person gave that share more time. */
  readonly asked?: number | null;
  /** Results of the shares that are cleared. */
  readonly levels: readonly JsonObject[];
}

/**
 * A step that lets the new side answer a growing share of keys. Each share must be cleared by evidence of its own
 * before the next one is set; a gate that fails ends the step, and the run goes back to the stage of before.
 *
 * ```ts
 * ramp("queue.submit", [10, 50, 100], { hold: "10m" })
 * ramp("queue.submit", [{ share: 1, hold: "1h" }, 10, { share: 50, hold: "1d", atMost: "3d" }, 100])
 * ```
 */
export function ramp(
  route: string,
  shares: readonly (number | RampShare)[],
  rampOptions: RampOptions = {},
): Step {
  const options = optionsOf(rampOptions);
  const { atMost = "24h", gate = errorGate(route) } = options;
  const gates = Array.isArray(gate) ? (gate as readonly GateSpec[]) : [gate as GateSpec];
  const input = given({
    route,
    shares: shares as unknown as Json,
    hold: options.hold ?? 0,
    atLeast: options.atLeast ?? 100,
    atMost,
    otherwise: options.otherwise ?? "fail",
    checkShare: options.checkShare ?? true,
    estimate: options.estimate,
    unknown: unknownIn(rampOptions, known),
  });
  const limit = Array.isArray(shares)
    ? shares.reduce((sum: number, entry: number | RampShare) => sum + ms(limitOf(entry) ?? atMost), 0)
    : ms(atMost);
  return markPlace(
    { ...placement("ramp", options), kind: rampKind(gates, limit), input } as Step,
    ramp as (...args: never[]) => unknown,
  );
}

const errorGate = (route: string): GateSpec => ({
  type: "metric",
  name: `errors of ${route} below 2× old`,
  measure: { of: "errors", route },
  rule: { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 },
});

function rampKind(gates: readonly GateSpec[], limit: number): StepKind {
  return {
    kind: routeKinds.ramp,
    reversible: true,
    // The step's own `atMost` ends it with the reason; the engine's limit is only the net below.
    timeoutMs: (Number.isFinite(limit) ? limit : 0) + 3_600_000,
    validate: (input) => [...problems(input), ...stepGateProblems(gates, "gate")],
    summary: (input) => summary(read(input)),
    plan: (input) => plan(read(input), gates),
    start: (context) => start(context, gates),
    simulate: (context) => start(context, gates),
    verify: async (context) => askSaved(context),
    rollback: (context) => goBack(context, read(context.input).route),
    fingerprint: () => gates.map(gateText).join("\n"),
  };
}

const read = (input: Json): RampInput => input as unknown as RampInput;

const limitOf = (entry: unknown): Duration | undefined =>
  typeof entry === "object" && entry !== null ? (entry as RampShare).atMost : undefined;

/** The schedule with the step's limits filled in. */
const schedule = ({ shares, hold, atLeast, atMost }: RampInput): readonly Required<RampShare>[] =>
  shares.map((entry) => ({
    hold,
    atLeast,
    atMost,
    ...(typeof entry === "number" ? { share: entry } : entry),
  }));

function problems(input: Json): readonly StepProblem[] {
  const found = new Problems();
  const { route, shares, hold, atLeast, atMost, otherwise, checkShare, unknown, estimate } =
    input as JsonObject;
  found.unknown(unknown, known);
  found.duration("estimate", estimate);
  found.route(route);
  found.duration("hold", hold);
  found.duration("atMost", atMost);
  found.count("atLeast", atLeast);
  found.otherwise(otherwise);
  if (typeof checkShare !== "boolean")
    found.add("checkShare", "true or false", checkShare, "leave it out to have the measured share checked");
  if (ms(hold as Duration) > ms(atMost as Duration))
    found.add("atMost", 'longer than "hold"', atMost, "raise `atMost` or lower `hold`");
  if (!Array.isArray(shares) || shares.length === 0) {
    found.add("shares", "a list of percentages", shares, "write for example [10, 50, 100]");
    return found.list;
  }
  let before: unknown = 0;
  (shares as readonly Json[]).forEach((entry, i) => {
    const own = typeof entry === "object" && entry !== null && !Array.isArray(entry);
    const share = own ? (entry as JsonObject)["share"] : entry;
    if (own) ownLimits(found, `shares[${i}]`, entry as JsonObject, { hold, atMost });
    // By keys: a share of less than one bucket would wait for calls that never come.
    const rises =
      typeof before !== "number" || (typeof share === "number" && shareLimit(share) > shareLimit(before));
    if (!(typeof share === "number" && share > 0 && share <= 100 && rises))
      found.add(
        `shares[${i}]`,
        i === 0 ? "above 0 and at most 100" : `above ${String(before)} and at most 100`,
        share,
        "shares are percentages and only rise, by 0.0001 or more; going back is the rollback's work",
      );
    before = share;
  });
  return found.list;
}

const shareKeys = ["share", "hold", "atLeast", "atMost"];

function ownLimits(
  found: Problems,
  place: string,
  entry: JsonObject,
  step: { readonly hold: Json | undefined; readonly atMost: Json | undefined },
): void {
  for (const key of Object.keys(entry))
    if (!shareKeys.includes(key))
      found.add(
        `${place}.${key}`,
        `one of ${shareKeys.join(", ")}`,
        key,
        `remove \`${key}\`: it would do nothing`,
      );
  found.duration(`${place}.hold`, entry["hold"]);
  found.duration(`${place}.atMost`, entry["atMost"]);
  found.count(`${place}.atLeast`, entry["atLeast"]);
  const [hold, atMost] = [entry["hold"] ?? step.hold, entry["atMost"] ?? step.atMost];
  if (ms(hold as Duration) > ms(atMost as Duration))
    found.add(`${place}.atMost`, 'longer than "hold"', atMost, "raise `atMost` or lower `hold`");
}

const summary = (input: RampInput): string =>
  `ramp ${input.route} ${schedule(input)
    .map(({ share }) => `${share} %`)
    .join(" → ")}`;

function plan(input: RampInput, gates: readonly GateSpec[]): StepPlan {
  const levels = schedule(input);
  const held = levels.reduce((sum, { hold }) => sum + ms(hold), 0);
  const estimate = input.estimate === undefined ? held : ms(input.estimate);
  const limits = (key: "hold" | "atMost"): string => {
    const times = levels.map((level) => formatDuration(ms(level[key])));
    if (new Set(times).size === 1) return times[0] ?? "";
    return levels
      .flatMap((level, i) => (ms(level[key]) > 0 ? `${times[i] ?? ""} at ${level.share} %` : []))
      .join(", ");
  };
  const least = held > 0 ? `, at least ${limits("hold")}` : "";
  const most = input.otherwise === "ask" ? `, asks a person after ${limits("atMost")}` : "";
  return {
    summary: `${summary(input)}, each until ${gates.map((gate) => gate.name).join(" and ")}${least}${most}`,
    ...(estimate > 0 ? { estimateMs: estimate } : {}),
    touches: [`stage and share of ${input.route}`],
  };
}

async function start(context: StepContext, gates: readonly GateSpec[]): Promise<Json> {
  const input = read(context.input);
  const { route } = input;
  const shares = schedule(input);
  let saved = await savedOrNew<RampSaved>(context, route, (before) => ({
    before,
    level: 0,
    since: null,
    levels: [],
  }));
  await requireStage(context, route, "live");
  for (const level of shares.slice(saved.level)) {
    saved = await clearLevel(context, input, gates, saved, level);
    await save(context, saved);
    faultPoint("rollout.level.cleared");
  }
  const last = saved.levels.at(-1)?.["note"];
  const result: JsonObject = {
    note: `${shares.at(-1)?.share} % on the new side · ${typeof last === "string" ? last : ""}`,
    levels: saved.levels,
  };
  return await finish(context, saved, result);
}

/** Sets one share, and returns once it is cleared. */
async function clearLevel(
  context: StepContext,
  input: RampInput,
  gates: readonly GateSpec[],
  saved: RampSaved,
  { share, hold, atLeast, atMost }: Required<RampShare>,
): Promise<RampSaved> {
  const { route, otherwise } = input;
  const patience = ms(atMost);
  if (saved.since === null)
    await awaitSecondWrites(context, route, { stage: "live", share }, { patience, otherwise });
  const state = await moveRoute(context, route, { stage: "live", share }, saved.since !== null);
  const since = saved.since ?? context.clock.now();
  const begun = { ...saved, since };
  await save(context, begun);
  const writes = new SecondWrites();
  const watch = new RouteWatch(context, route, since);
  const totals = new Totals();
  let measured: MeasuredShare = measuredShare(share, totals.calls);

  const look = async (): Promise<Look> => {
    await requireUnchanged(context, state);
    const news = await watch.news();
    writes.take(news);
    for (const interval of news) if (interval.epoch === state.epoch) totals.add(interval);
    measured = measuredShare(share, totals.calls, totals.keyLoad);
    const missing: string[] = [];
    const gated: string[] = [];
    const waits: number[] = [];
    for (const gate of gates) {
      const verdict = await context.judge(gate, { since });
      refuseFailure(gate.name, verdict);
      if (verdict.kind === "pass") continue;
      gated.push(`${gate.name} (${verdict.reason})`);
      if (verdict.waitMs !== undefined) waits.push(verdict.waitMs);
    }
    const calls = atLeast - totals.calls.new;
    if (calls > 0) missing.push(`${count(calls)} more calls`);
    if (totals.isSilent(context.clock.now())) missing.push("a report of a door (all are silent)");
    const behind = writes.trouble(await backlogLimit(context, route), false, context.clock.now());
    if (behind !== undefined) missing.push(behind);
    const left = since + ms(hold) - context.clock.now();
    if (left > 0) {
      missing.push(`the end of ${formatDuration(ms(hold))}`);
      waits.push(left);
    }
    const wrong = input.checkShare ? shareTrouble(measured) : undefined;
    if (wrong !== undefined) missing.push(wrong);
    return {
      // Gates have lines of their own wherever there is room: what else is missing stands where nothing cuts it off.
      missing: [...missing, ...gated],
      share,
      note: line(totals),
      waitMs: waits.length === 0 ? undefined : Math.max(...waits),
    };
  };
  const limits: Limits = {
    subject: `${route} at ${share} %`,
    since: saved.asked ?? since,
    patience,
    otherwise,
    onAnswered: (asked) => save(context, { ...begun, asked }),
  };
  await waitFor(context, limits, look);

  const level: JsonObject = {
    share,
    note: line(totals),
    calls: { ...totals.calls },
    errors: { ...totals.errors },
    failedOver: totals.failedOver,
    measured: shareJson(measured),
    ms: context.clock.now() - since,
  };
  await context.evidence(`${route} at ${share} %`, level);
  return { ...saved, level: saved.level + 1, since: null, asked: null, levels: [...saved.levels, level] };
}

function line({ calls, errors, failedOver }: Totals): string {
  const over = failedOver === 0 ? "" : ` · ${count(failedOver)} answered by the old side instead`;
  return `old ${count(calls.old)} calls, ${count(errors.old)} errors · new ${count(calls.new)} calls, ${count(errors.new)} errors${over}`;
}
