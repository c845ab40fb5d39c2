import { backoffDelay, type Clock, CutoverError, sleep } from "../../core/index.ts";
import { sqlStateOf, storeError, type Trouble, troubleOf } from "./postgres-error.ts";

/** How a store holds out while its server is gone. Times in milliseconds, local. */
export interface Persistence {
  readonly timers: Clock;
  readonly random: () => number;
  /** How long a call tries to get through. */
  readonly retryMs: number;
  readonly place: string;
}

/**
 * A standby may become the primary any moment, and a server that took writes before is waited for as one that is gone.
 * Where there was none yet, the address leads to the wrong one.
 */
const promotionMs = 2_000;

/** @param hasWritten whether a server has taken writes of this process */
export const patienceWith = (failure: unknown, hasWritten: boolean, given: Persistence): Persistence =>
  hasWritten || sqlStateOf(failure) !== "25006"
    ? given
    : { ...given, retryMs: Math.min(given.retryMs, promotionMs) };

const policy = { base: 10, factor: 2, cap: 1_000, floor: 1, jitter: 1 };

/** Counts the tries of one call, waits between them, and says when it is enough. */
export class Tries {
  readonly #with: Persistence;
  /** When the first of them began, by the local monotonic clock. */
  readonly since: number;
  #count = 0;

  constructor(persistence: Persistence) {
    this.#with = persistence;
    this.since = persistence.timers.monotonic();
  }

  /** Waits before the next try. @throws what the call ends with, when another try would not help or time is over. */
  async next(
    failure: unknown,
    trouble: Trouble = troubleOf(failure),
    { timers, random, retryMs, place }: Persistence = this.#with,
  ): Promise<void> {
    if (trouble === "final") throw storeError(failure, place);
    if (timers.monotonic() - this.since >= retryMs) throw gaveUp(failure, retryMs, place);
    await sleep(timers, backoffDelay(policy, ++this.#count, random));
  }
}

/**
 * Refuses the calls that have waited for a server as long as a call does, also those that stood in line behind another one.
 * @param awaySince when it was first found away; what a call had waited before that was for its turn
 * @returns the others
 */
export function refuseOverdue<T extends { readonly since: number; reject(error: Error): void }>(
  calls: readonly T[],
  failure: unknown,
  awaySince: number,
  { timers, retryMs, place }: Persistence,
): T[] {
  const now = timers.monotonic();
  return calls.filter((call) => {
    const isOver = now - Math.max(call.since, awaySince) >= retryMs;
    if (isOver) call.reject(gaveUp(failure, retryMs, place));
    return !isOver;
  });
}

function gaveUp(failure: unknown, retryMs: number, place: string): CutoverError {
  const { code, message, details, remedy } = storeError(failure, place);
  return new CutoverError(code, {
    message: `${message} (tried for ${Math.round(retryMs / 1_000)} s)`,
    details,
    place,
    remedy,
    cause: failure,
  });
}

/** What a call is refused with whose commit was not answered, when there is no way to find out what came of it. */
export function unansweredError(cause: Error, place: string): CutoverError {
  return new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected an answer to a commit, found the connection gone (${cause.message}) and no way to ask again: it may be stored or not`,
    remedy: "when the server is back, look whether it is stored, or do the same again with the same ids",
    place,
    cause,
  });
}
