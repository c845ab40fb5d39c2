import { asError, type Clock, CutoverError } from "../../core/index.ts";
import { letGo } from "./own-functions.ts";

/** Where a door tells what went wrong beside the caller's path. */
export type OnError = (error: CutoverError) => void;

/** The same trouble is told once in this time, milliseconds; the counts tell how often it was. */
const quietFor = 10_000;

/** Hands errors to the application's hook: never throws, never floods. */
export class ErrorReporter {
  readonly #hook: OnError | undefined;
  readonly #clock: Clock;
  readonly #lastAt = new Map<string, number>();

  constructor(hook: OnError | undefined, clock: Clock) {
    this.#hook = hook;
    this.#clock = clock;
  }

  /** A function that belongs to a route failed where no caller can be told. */
  fault(route: string, place: string, cause: unknown): void {
    if (!this.#due(`${route} ${place}`)) return;
    this.#tell(
      new CutoverError("CUTOVER_ROUTE_FAULT", {
        message: `${place} of route ${JSON.stringify(route)} failed: ${said(cause)}`,
        details: { route, function: place },
        place: `route(${JSON.stringify(route)}).${place}`,
        cause,
      }),
    );
  }

  report(error: CutoverError): void {
    if (this.#due(`${error.code} ${error.place ?? ""}`)) this.#tell(error);
  }

  #due(what: string): boolean {
    if (this.#hook === undefined) return false;
    const now = this.#clock.monotonic();
    const last = this.#lastAt.get(what);
    if (last !== undefined && now - last < quietFor) return false;
    if (this.#lastAt.size > 1_000) this.#lastAt.clear();
    this.#lastAt.set(what, now);
    return true;
  }

  #tell(error: CutoverError): void {
    try {
      letGo(this.#hook?.(error));
    } catch {
      // The hook is the application's own; its failure must not reach a caller either.
    }
  }
}

/** What a hostile error says, when even reading it throws. */
function said(cause: unknown): string {
  try {
    return String(asError(cause).message);
  } catch {
    return "an error that cannot be read";
  }
}
