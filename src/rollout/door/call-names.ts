import type { AnyFunction } from "./apart.ts";
import { describeAnswer } from "./own-functions.ts";
import type { RefusalReason } from "./operations.ts";
import type { ErrorReporter } from "./report-error.ts";
import type { Coverage } from "./tally.ts";

/** Counts calls of which the route's own function could not tell the operation. */
const unknownOperation = "(unknown)";
const longestName = 200;

/** What the call site says about its calls: which operation, which cohort, and whether a call may ever be repeated. */
export class CallNames {
  readonly #route: string;
  readonly #operation: AnyFunction | undefined;
  readonly #cohort: AnyFunction | undefined;
  readonly #never: ReadonlyMap<string, RefusalReason>;
  readonly #errors: ErrorReporter;

  constructor(
    route: string,
    given: {
      readonly operation: AnyFunction | undefined;
      readonly cohort: AnyFunction | undefined;
      readonly never: ReadonlyMap<string, RefusalReason>;
    },
    errors: ErrorReporter,
  ) {
    this.#route = route;
    this.#operation = given.operation;
    this.#cohort = given.cohort;
    this.#never = given.never;
    this.#errors = errors;
  }

  /** @throws what the functions of the route throw. */
  coverage(args: readonly unknown[]): Coverage {
    return {
      operation: this.#name("operation", this.#operation, args),
      cohort: this.#name("cohort", this.#cohort, args),
    };
  }

  /**
   * Why this call must reach one side only: under which operation that is counted, and the reason; undefined when it may
   * be repeated. A call whose operation cannot be told is not repeated, should any operation of the route be refused.
   * Costs nothing on routes that refuse none.
   */
  refusal(
    args: readonly unknown[],
  ): { readonly operation: string; readonly reason: RefusalReason } | undefined {
    if (this.#never.size === 0) return undefined;
    let operation = "";
    try {
      operation = this.#name("operation", this.#operation, args);
    } catch (error) {
      this.#errors.fault(this.#route, "operation", error);
    }
    if (operation === "") return { operation: unknownOperation, reason: "non-idempotent" };
    const reason = this.#never.get(operation);
    return reason === undefined ? undefined : { operation, reason };
  }

  /** Empty where the function gives no text; anything else than nothing is told, for it was meant to be a name. */
  #name(place: "operation" | "cohort", of: AnyFunction | undefined, args: readonly unknown[]): string {
    const found = of?.(...args);
    if (typeof found === "string") return found.slice(0, longestName);
    if (found !== undefined && found !== null)
      this.#errors.fault(this.#route, place, `expected a text, found ${describeAnswer(found)}`);
    return "";
  }
}
