import { type Clock, shareLimit, type Side } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import { CallNames } from "./call-names.ts";
import { captureOnly, comparingDeeds } from "./captured-call.ts";
import { type Candidate, candidateHere } from "./candidate.ts";
import type { Deadlines } from "./deadlines.ts";
import { actingFor } from "./intents.ts";
import type { Ledger } from "./ledger.ts";
import { Noise } from "./noise.ts";
import type { RoutableFunction, RoutedFunction, RouteLimits, RouteOptions } from "./options.ts";
import { ownComparison, ownNormalizer, ownPredicate } from "./own-functions.ts";
import { Redactor } from "./redact.ts";
import type { ErrorReporter } from "./report-error.ts";
import { type Pins, pinnedRead } from "./pinned-read.ts";
import { routed, type RoutedParts, sideNow } from "./routed.ts";
import { SecondWrites } from "./second-writes.ts";
import type { Overhead } from "./overhead.ts";
import { ShadowLane } from "./shadow-lane.ts";
import { WorkerSide } from "./worker-side.ts";

/** What a route shares with its door. */
export interface RouteSurroundings {
  readonly ledger: Ledger;
  /** Deadlines of calls off the caller's path. */
  readonly apart: Deadlines;
  /** Deadlines of calls a caller waits for. */
  readonly live: Deadlines;
  readonly errors: ErrorReporter;
  readonly clock: Clock;
  readonly door: string;
  readonly random: () => number;
  /** What the work of all routes of the door may take of the process's time. */
  readonly overhead: Overhead;
  /** Called when the door closes. */
  readonly closing: (() => void)[];
}

/**
 * Puts the parts of one route together.
 * @param pins given for a read of an entity: the keys whose side is not the stage's to choose
 */
export function openRoute<F extends RoutableFunction>(
  route: string,
  options: RouteOptions<F>,
  limits: RouteLimits,
  around: RouteSurroundings,
  pins?: Pins,
): RoutedFunction<F> {
  // Inside, arguments are only handed on; their types matter at the call site alone.
  const old = options.old as unknown as AnyFunction;
  const candidate = options.new as unknown as AnyFunction;
  const key = options.key as unknown as AnyFunction;
  const names = new CallNames(
    route,
    {
      operation: options.operation as AnyFunction | undefined,
      cohort: options.cohort as AnyFunction | undefined,
      never: limits.never,
    },
    around.errors,
  );
  const captures = options.captures !== undefined;
  const shadowed = (options.shadow ?? options.new) as unknown as AnyFunction;
  const { normalize, compare, unsent } = options;
  const answers = {
    ignore: options.ignore ?? [],
    normalize: normalize === undefined ? undefined : ownNormalizer(normalize as AnyFunction),
    compare: compare === undefined ? undefined : ownComparison(compare),
    tolerance: options.tolerance,
  };
  const comparing = captures ? comparingDeeds(answers) : answers;
  const rules = {
    ignore: comparing.ignore,
    ...(options.tolerance === undefined ? {} : { tolerance: options.tolerance }),
  };
  const lane = new ShadowLane(
    {
      route,
      candidate: candidateOf(
        route,
        captures ? captureOnly(shadowed, limits.copyLimit) : shadowed,
        limits,
        around,
      ),
      old,
      key,
      names,
      judge: {
        route,
        normalize: comparing.normalize,
        compare: comparing.compare,
        rules,
        redactor: new Redactor(options.redact),
        copyLimit: limits.copyLimit,
        anyOrder: limits.anyOrder,
      },
      streams: limits.streams,
      noise: limits.learnNoise > 0 ? new Noise(rules) : undefined,
      again: limits.learnNoise / 100,
      concurrency: limits.shadowConcurrency,
      copyLimit: limits.copyLimit,
    },
    around.ledger,
    around.apart,
    around,
  );
  around.closing.push(() => lane.close());
  const parts: RoutedParts = {
    route,
    old,
    new: captures ? actingFor(candidate) : candidate,
    key,
    ledger: around.ledger,
    names,
    captures,
    lane,
    seconds: new SecondWrites(route, around.apart, around.errors),
    deadlines: around.live,
    errors: around.errors,
    idempotent: options.idempotent === true,
    unsent:
      unsent === undefined ? undefined : ownPredicate("unsent", unsent, { route, errors: around.errors }),
    sampleLimit: shareLimit(limits.sample),
    copyLimit: limits.copyLimit,
  };
  const fn = pins === undefined ? routed(parts) : pinnedRead(parts, pins);
  return Object.assign(fn, {
    state: () => around.ledger.state,
    side: (of: string | number | bigint): Side => sideNow(around.ledger, of),
  }) as unknown as RoutedFunction<F>;
}

function candidateOf(
  route: string,
  fn: AnyFunction,
  limits: RouteLimits,
  around: RouteSurroundings,
): Candidate {
  const { worker, copyLimit, streams } = limits;
  if (worker === undefined) return candidateHere(fn, around.apart, streams);
  return new WorkerSide(route, { ...worker, copyLimit, bounds: streams }, around.apart, around);
}
