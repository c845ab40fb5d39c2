import { CutoverError, type JsonObject } from "../core/index.ts";
import { type Compiled, type CompiledStep, type GateSpec, type Migration, compile } from "../plan/index.ts";
import { isPlayable, isTimed, leftOutTriggers, playedCondition, shortestWindow } from "./playable.ts";

/** What of a migration is played. */
export interface Script {
  readonly compiled: Compiled;
  readonly phases: readonly PlayedPhase[];
  /** Routes that are put into stages, in the order in which they are first. */
  readonly routes: readonly string[];
  readonly timed: boolean;
  /** No stretch may be longer, milliseconds. */
  readonly longestStretch: number;
  readonly operations: readonly string[];
  /** Triggers and gates that declared traffic says nothing about. Those of steps come to light while they are played. */
  readonly leftOut: readonly string[];
  /** Steps passed over, as if they had been done at once. */
  readonly passedOver: number;
}

export interface PlayedPhase {
  readonly name: string;
  readonly steps: readonly CompiledStep[];
  readonly exit: readonly GateSpec[];
  readonly patienceMs: number;
}

/**
 * @param route play only the steps of this route
 * @throws CUTOVER_SIMULATION_INPUT when nothing of the migration moves a route
 */
export function scriptOf(
  migration: Migration,
  { route, source }: { readonly route: string | undefined; readonly source: string },
): Script {
  const compiled = compile(migration);
  const routes = routesOf(compiled);
  if (routes.length === 0)
    throw new CutoverError("CUTOVER_SIMULATION_INPUT", {
      message: `expected ${migration.name} to have steps that move a route, found none of shadow, ramp, setStage or quiet`,
      place: source,
      remedy:
        'a simulation plays how a route is moved: add ramp("ROUTE", [10, 50, 100]), or use `cutover plan`',
    });
  if (route !== undefined && !routes.includes(route))
    throw new CutoverError("CUTOVER_SIMULATION_INPUT", {
      message: `expected a route that ${migration.name} moves, found ${JSON.stringify(route)}`,
      place: "--route",
      remedy: `name one of ${routes.join(", ")}`,
    });
  const phases = compiled.phases.map(({ name, steps, exit, patienceMs }) => ({
    name,
    exit: exit.filter(isPlayable),
    patienceMs,
    steps: steps.filter(
      ({ kind, input }) => kind.simulate !== undefined && (route === undefined || routeOf(input) === route),
    ),
  }));
  const played = phases.flatMap(({ steps }) => steps);
  const conditions = [
    ...compiled.triggers.flatMap(({ condition }) => playedCondition(condition) ?? []),
    ...phases.flatMap(({ exit }) => exit),
  ];
  return {
    compiled,
    phases: phases.filter(({ steps, exit }) => steps.length + exit.length > 0),
    routes: route === undefined ? routes : [route],
    // Gates of steps are not known before they are judged; drawing latencies for nothing only costs time.
    timed: conditions.some((condition) => condition.type !== "run" && isTimed(condition)) || ownGates(played),
    longestStretch: shortestWindow(conditions),
    operations: [...new Set(played.flatMap(({ input }) => operationsOf(input)))],
    leftOut: [
      ...leftOutTriggers(compiled.triggers),
      ...compiled.phases.flatMap(({ exit }) =>
        exit.filter((gate) => !isPlayable(gate)).map(({ name }) => name),
      ),
    ],
    passedOver: compiled.steps.length - played.length,
  };
}

function routesOf({ steps }: Compiled): readonly string[] {
  const routes = steps.flatMap(({ kind, input }) =>
    kind.simulate === undefined ? [] : (routeOf(input) ?? []),
  );
  return [...new Set(routes)];
}

const members = (input: unknown): JsonObject =>
  typeof input === "object" && input !== null && !Array.isArray(input) ? (input as JsonObject) : {};

function routeOf(input: unknown): string | undefined {
  const { route } = members(input);
  return typeof route === "string" ? route : undefined;
}

function operationsOf(input: unknown): readonly string[] {
  const { operations } = members(input);
  return Array.isArray(operations) ? operations.filter((name) => typeof name === "string") : [];
}

/** Whether a step's fingerprint speaks of latency: the text that enters the hash names what its gates measure. */
const ownGates = (steps: readonly CompiledStep[]): boolean =>
  steps.some(({ kind, input }) => kind.fingerprint?.(input).includes('"latency"') === true);
