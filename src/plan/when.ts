import type { Duration } from "../core/index.ts";
import type { Trigger, TriggerAction, TriggerCondition } from "./definition.ts";
import type { ComposedCondition } from "./composed-gate.ts";
import type { GateSpec } from "./gate-spec.ts";
import type { Condition } from "./measures.ts";
import { from as comesFrom } from "./origin.ts";
import { markPlace } from "./place.ts";
import type { RunCondition } from "./run-conditions.ts";
import { isObject } from "./scope.ts";

export interface ManualOptions {
  /** Phases it is armed in. Default: all, from the run's first step to its last. */
  readonly phases?: readonly string[];
  /** Line of the written plan that asks for it: `PLAN.md:31`. */
  readonly from?: string;
}

export interface ThenOptions extends ManualOptions {
  /** Default: the condition in words, e.g. `errors > 2× old`. */
  readonly name?: string;
  /** Debounce: the condition must stay bad so long before it fires. Default: it fires at once. */
  readonly for?: Duration;
  /**
   * The condition must stay good so long before the trigger has recovered: then `throttle` and `hold` lift, and it can
   * fire again. Default: at once.
   */
  readonly recover?: Duration;
  /** Least time between two firings. Default: none. */
  readonly cooldown?: Duration;
  /** While the condition stays bad, an alert or a contingency comes again after so long. Default: once. */
  readonly repeat?: Duration;
}

/**
 * Arms a condition for the whole run, also while it waits for a person:
 * `when(rate.error().worseThan("old", { by: 2 })).then("rollback")`. A gate of any sort sets it off when it fails.
 * `alert` records and tells, `pause` stops the run until a person continues it, `throttle` slows it, `hold` lets nothing
 * new begin until it recovers, `rollback` takes it back, `contingency("name")` runs that procedure beside it.
 */
export function when(condition: GateSpec | Condition | ComposedCondition | RunCondition): {
  then(action: TriggerAction, options?: ThenOptions): Trigger;
} {
  // Plain JavaScript may hand in anything; validation then says what was found in place of a gate.
  const given: unknown = condition;
  const bad: TriggerCondition = isObject(given) && "alarm" in condition ? condition.alarm : condition;
  // Not a promise: nothing awaits a trigger, and no other word reads as well. An await on it would
  // call this with a function, which validation refuses as an unknown action.
  const then = (action: TriggerAction, options: ThenOptions = {}): Trigger => {
    const { name, from, ...rest } = options;
    const words = name ?? (isObject(given) ? bad.name : "when(…)");
    const made = markPlace({ name: words, condition: bad, action, ...stated(rest) }, then);
    return from === undefined ? made : comesFrom(from, made);
  };
  return { then };
}

/**
 * Arms a trigger that only a person fires, with `cutover trigger NAME`: what no figure shows, such as
 * `manual("customer impact").then("rollback")`. A `throttle` or `hold` lasts until somebody lifts it.
 */
export function manual(name: string): { then(action: TriggerAction, options?: ManualOptions): Trigger } {
  const then = (action: TriggerAction, options: ManualOptions = {}): Trigger => {
    const { from, ...rest } = options;
    const condition = { type: "manual", name } as const;
    const made: Trigger = markPlace({ name, condition, action, ...stated(rest) }, then);
    return from === undefined ? made : comesFrom(from, made);
  };
  return { then };
}

/** The action that runs a contingency of the migration: `when(…).then(contingency("check the scheduler"))`. */
export const contingency = (name: string): TriggerAction => `contingency:${name}`;

/** The contingency that an action runs, when it is one. */
export const contingencyOf = (action: string): string | undefined =>
  action.startsWith("contingency:") ? action.slice("contingency:".length) : undefined;

/** Without members that are undefined, which would stand in the definition's hash and mean nothing. */
function stated<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, member]) => member !== undefined)) as T;
}
