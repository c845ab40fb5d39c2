import type { Trigger, TriggerAction } from "./definition.ts";
import type { MetricGate } from "./gate-spec.ts";
import type { Condition } from "./measures.ts";
import { markPlace } from "./place.ts";
import { isObject } from "./scope.ts";

export interface ThenOptions {
  /** Default: the condition in words, e.g. `errors > 2× old`. */
  readonly name?: string;
  /** Phases it is armed in. Default: all, from the run's first step to its last. */
  readonly phases?: readonly string[];
}

/**
 * Arms a condition for the whole run, also while it waits for a person:
 * `when(rate.error().worseThan("old", { by: 2 })).then("rollback")`.
 * `alert` records and tells, `pause` holds the run, `throttle` slows the running step, `rollback` takes the run back.
 */
export function when(condition: MetricGate | Condition): {
  then(action: TriggerAction, options?: ThenOptions): Trigger;
} {
  // Plain JavaScript may hand in anything; validation then says what was found in place of a gate.
  const given: unknown = condition;
  const bad: MetricGate = isObject(given) && "alarm" in condition ? condition.alarm : condition;
  // Not a promise: nothing awaits a trigger, and no other word reads as well. An await on it would
  // call this with a function, which validation refuses as an unknown action.
  const then = (action: TriggerAction, options: ThenOptions = {}): Trigger =>
    markPlace(
      {
        name: options.name ?? (isObject(given) ? bad.name : "when(…)"),
        condition: bad,
        action,
        ...(options.phases === undefined ? {} : { phases: options.phases }),
      },
      then,
    );
  return { then };
}
