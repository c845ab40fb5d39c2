import type { Clock, Side } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import { shareLimit } from "./bucket.ts";
import { CallNames } from "./call-names.ts";
import { Comparer } from "./compare.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Ledger } from "./ledger.ts";
import type { RoutableFunction, RoutedFunction, RouteLimits, RouteOptions } from "./options.ts";
import { Redactor } from "./redact.ts";
import type { ErrorReporter } from "./report-error.ts";
import { routed, sideNow } from "./routed.ts";
import { SecondWrites } from "./second-writes.ts";
import { ShadowLane } from "./shadow-lane.ts";

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
}

/** Puts the parts of one route together. */
export function openRoute<F extends RoutableFunction>(
  route: string,
  options: RouteOptions<F>,
  limits: RouteLimits,
  around: RouteSurroundings,
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
  const lane = new ShadowLane(
    {
      route,
      candidate: (options.shadow ?? options.new) as unknown as AnyFunction,
      key,
      names,
      normalize: options.normalize as AnyFunction | undefined,
      compare: options.compare,
      comparer: new Comparer({
        ignore: options.ignore ?? [],
        ...(options.tolerance === undefined ? {} : { tolerance: options.tolerance }),
      }),
      redactor: new Redactor(options.redact),
      concurrency: limits.shadowConcurrency,
      copyLimit: limits.copyLimit,
    },
    around.ledger,
    around.apart,
    around,
  );
  const fn = routed({
    route,
    old,
    new: candidate,
    key,
    ledger: around.ledger,
    names,
    lane,
    seconds: new SecondWrites(route, around.apart, around.errors),
    deadlines: around.live,
    errors: around.errors,
    idempotent: options.idempotent === true,
    unsent: options.unsent,
    sampleLimit: shareLimit(limits.sample),
    copyLimit: limits.copyLimit,
  });
  return Object.assign(fn, {
    state: () => around.ledger.state,
    side: (of: string | number | bigint): Side => sideNow(around.ledger, of),
  }) as unknown as RoutedFunction<F>;
}
