import type { Duration } from "../core/index.ts";
import type { OrderLimit } from "../store/index.ts";
import { duration, invalid, onlyKnown, plainObject, whole } from "./settings.ts";
import { name } from "./submission.ts";

/** How much orders of one limit key may do together. At least one of the two. */
export interface Limit {
  /** At most so many run at the same time, on all machines together. */
  readonly concurrency?: number;
  /**
   * A burst of `limit` after a quiet time, then one every `per / limit` (generic cell rate). On the whole `limit` begin in each `per`; in the
   * one that begins with the burst, up to twice `limit` less one.
   */
  readonly rate?: { readonly limit: number; readonly per: Duration };
}

/** What is changed; what is not named stays, `null` takes a weight or limit away. */
export interface ConfigChange {
  /** By tenant: its share against others of its priority, 0.001 – 1,000. Default of each 1. Orders that wait keep their turns. */
  readonly weights?: Readonly<Record<string, number | null>>;
  /** By limit key; `"*"` stands for each key that is not named. */
  readonly limits?: Readonly<Record<string, Limit | null>>;
}

/** As the store takes it. @throws CUTOVER_QUEUE_INVALID naming the field */
export function configChange(change: ConfigChange): {
  readonly weights?: Readonly<Record<string, number | null>>;
  readonly limits?: Readonly<Record<string, OrderLimit | null>>;
} {
  onlyKnown(change, { weights: true, limits: true }, "configure");
  const { weights, limits } = change;
  return {
    ...(weights === undefined ? {} : { weights: each(weights, "weights", weight) }),
    ...(limits === undefined ? {} : { limits: each(limits, "limits", orderLimit) }),
  };
}

function each<T, U>(
  values: Readonly<Record<string, T | null>>,
  field: string,
  check: (value: T, field: string) => U,
): Record<string, U | null> {
  plainObject(values, field, "an object by name");
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      // The empty tenant is that of orders without one.
      key === "" && field === "weights" ? key : name(key, field),
      value === null ? null : check(value, `${field}.${key}`),
    ]),
  );
}

function weight(value: number, field: string): number {
  if (typeof value === "number" && value >= 0.001 && value <= 1_000) return value;
  throw invalid(field, "a number from 0.001 to 1000, or null", value);
}

function orderLimit(value: Limit, field: string): OrderLimit {
  onlyKnown(value, { concurrency: true, rate: true }, field);
  const { concurrency, rate } = value;
  if (concurrency === undefined && rate === undefined)
    throw invalid(field, "concurrency, rate or both; null takes a limit away", "neither");
  return {
    ...(concurrency === undefined
      ? {}
      : { concurrency: whole(concurrency, `${field}.concurrency`, 1, 1_000_000) }),
    ...(rate === undefined ? {} : { rate: perTime(rate, `${field}.rate`) }),
  };
}

function perTime(rate: NonNullable<Limit["rate"]>, field: string): NonNullable<OrderLimit["rate"]> {
  onlyKnown(rate, { limit: true, per: true }, field);
  return {
    limit: whole(rate.limit, `${field}.limit`, 1, 1_000_000_000),
    perMs: duration(rate.per, `${field}.per`, 1),
  };
}
