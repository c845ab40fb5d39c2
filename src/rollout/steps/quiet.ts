import { type Duration, formatDuration, type Json, type JsonObject, markPlace } from "../../core/index.ts";
import type { Step, StepContext, StepKind, StepProblem } from "../../plan/index.ts";
import { QuietProof } from "./quiet-proof.ts";
import { RouteWatch } from "./route-watch.ts";
import { given, ms, optionsOf, placement, Problems, type StepPlacement, unknownIn } from "./step-input.ts";
import { count, type Look, waitFor } from "./waiting.ts";

export interface QuietOptions extends StepPlacement {
  /** How long the old side must not be called at all. */
  readonly for: Duration;
  /** Fails when there is no such time within this long. Default 24 h. */
  readonly patience?: Duration;
}

const known: Readonly<Record<Exclude<keyof QuietOptions, keyof StepPlacement>, true>> = {
  for: true,
  patience: true,
};

interface QuietInput {
  readonly route: string;
  readonly for: Duration;
  readonly patience: Duration;
  readonly estimate?: Duration;
}

/**
 * A step that proves the old side of a route unused before it is deleted: for the whole time not one call, fail-over or
 * second write, with the doors reporting all along. Silence of the doors proves nothing. It changes nothing.
 *
 * ```ts
 * quiet("queue.submit", { for: "30s" })
 * ```
 */
export function quiet(route: string, options: QuietOptions): Step {
  // Plain JavaScript may leave the options out; validation then says that `for` is missing.
  const { patience = "24h", for: time, ...rest } = optionsOf<Partial<QuietOptions>>(options);
  const input = given({
    route,
    for: time,
    patience,
    estimate: rest.estimate,
    unknown: unknownIn(options, known),
  });
  return markPlace(
    { ...placement("quiet", rest), kind: quietKind(ms(patience)), input } as Step,
    quiet as (...args: never[]) => unknown,
  );
}

const read = (input: Json): QuietInput => input as unknown as QuietInput;

const summary = ({ route, for: time }: QuietInput): string =>
  `prove the old side of ${route} unused for ${formatDuration(ms(time))}`;

const quietKind = (patience: number): StepKind => ({
  kind: "quiet",
  reversible: true,
  timeoutMs: (Number.isFinite(patience) ? patience : 0) + 3_600_000,
  validate: problems,
  summary: (input) => summary(read(input)),
  plan: (input) => {
    const { for: time, estimate = time } = read(input);
    return { summary: summary(read(input)), estimateMs: ms(estimate), touches: [] };
  },
  start,
  simulate: start,
  // It changes nothing, so looking again is always right.
  verify: async () => ({ kind: "not-done" }),
});

function problems(input: Json): readonly StepProblem[] {
  const found = new Problems();
  const { route, for: time, patience, unknown, estimate } = input as JsonObject;
  found.unknown(unknown, known);
  found.duration("estimate", estimate);
  found.route(route);
  found.duration("patience", patience);
  if (time === undefined || !(ms(time as Duration) > 0))
    found.add(
      "for",
      "a duration above 0",
      time,
      'say how long the old side must be unused, for example "30s"',
    );
  if (ms(time as Duration) > ms(patience as Duration))
    found.add("patience", 'longer than "for"', patience, "raise `patience` or lower `for`");
  return found.list;
}

async function start(context: StepContext): Promise<Json> {
  const { route, for: time, patience } = read(context.input);
  const since = context.clock.now();
  const watch = new RouteWatch(context, route, since);
  let proof = new QuietProof(since);
  const look = async (): Promise<Look> => {
    proof.add(await watch.news(), context.clock.now());
    if (ms(time) <= proof.at(context.clock.now()).quietMs) {
      // Looks reach back some seconds only: before it ends, all is read anew, with what came later than that.
      proof = new QuietProof(since);
      proof.add(await context.routes.intervals(route, since), context.clock.now());
    }
    const { quietMs, trouble } = proof.at(context.clock.now());
    const left = ms(time) - quietMs;
    const missing = [...trouble, ...(left > 0 ? [`the end of ${formatDuration(ms(time))}`] : [])];
    return {
      missing,
      note: `old side unused for ${formatDuration(quietMs)}`,
      waitMs: left > 0 ? left : undefined,
    };
  };
  await waitFor(context, { since, patience: ms(patience), subject: `the old side of ${route}` }, look);

  const { quietMs } = proof.at(context.clock.now());
  const facts = proof.facts();
  const result: JsonObject = {
    note: `old side unused for ${formatDuration(quietMs)} · ${count(facts.newCalls)} calls answered by the new side`,
    quietMs,
    ...facts,
  };
  await context.evidence(`quiet of ${route}`, result);
  return result;
}
