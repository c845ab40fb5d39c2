import { asError, type Clock, CutoverError, formatDuration, systemClock } from "../core/index.ts";
import type { MeanWindow } from "../plan/index.ts";

/**
 * Reads one figure. Stands wherever a definition takes a reader: `value(name, source)`, `growth(name, source)`, a side of
 * `sides({ old, new })` for `mean`. Making one touches nothing and never throws; what is wrong with its options is in
 * `problems`, which validation reports at the gate's place, and each reading of it is refused.
 *
 * A reading that fails rejects with `CUTOVER_METRIC_UNREADABLE`: its gate then holds, and says why.
 */
export interface Source {
  /** A `MeanWindow` asks for the figure of that stretch, anything else for that of now. `signal` ends the reading. */
  (asked?: MeanWindow | { readonly signal: AbortSignal }): Promise<number>;
  readonly problems: readonly string[];
}

/** What every source takes. */
export interface SourceOptions {
  /** Longest time of one reading. Default 5 s. */
  readonly timeout?: number | string;
  /** A reading so young is given again instead of asking anew, so that several gates may share a source. Default 1 s. */
  readonly cache?: number | string;
}

export interface SourceParts {
  /** For errors, e.g. `prometheus http://…`. */
  readonly name: string;
  /** All of what decides the figure, as text: the definition's hash covers a reader by it. Never secrets. */
  readonly text: string;
  readonly problems: readonly string[];
  readonly timeoutMs: number;
  readonly cacheMs: number;
  /** `signal` aborts at the deadline. */
  readonly read: (context: {
    readonly signal: AbortSignal;
    readonly window: MeanWindow | undefined;
  }) => Promise<number>;
  /** Default: the machine's. Deadlines are in real time, since what is asked is. */
  readonly clock?: Clock;
}

/** When each source was read last, and what it said: a rate is over the time between readings, not between questions. */
const readings = new WeakMap<Source, () => Reading | undefined>();

interface Reading {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly value: number;
}

export const lastReading = (source: Source): Reading | undefined => readings.get(source)?.();

export function createSource(parts: SourceParts): Source {
  const { name, text, problems, timeoutMs, cacheMs, clock = systemClock } = parts;
  let kept: (Reading & { readonly of: string }) | undefined;
  /** A reading whose deadline has passed may not have ended: nobody is asked twice at once. */
  let asked: { readonly of: string; readonly answer: Promise<number> } | undefined;

  const ask = (
    window: MeanWindow | undefined,
    outer: AbortSignal | undefined,
    of: string,
  ): Promise<number> => {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const abort = new AbortController();
    const late = clock.after(timeoutMs, () => {
      const error = unreadable(name, `expected an answer within ${formatDuration(timeoutMs)}, found none`);
      reject(error);
      abort.abort(error);
    });
    const stop = (): void => abort.abort(asError(outer?.reason));
    outer?.addEventListener("abort", stop, { once: true });
    const reading = (async () => finite(name, await parts.read({ signal: abort.signal, window })))();
    const over = (): void => {
      late.cancel();
      outer?.removeEventListener("abort", stop);
      asked = undefined;
    };
    reading.then(
      (value) => {
        over();
        kept = { at: clock.monotonic(), of, value };
        resolve(value);
      },
      (thrown: unknown) => {
        over();
        reject(asUnreadable(name, thrown));
      },
    );
    asked = { of, answer: promise };
    promise.catch(() => {});
    return promise;
  };

  const source: (...given: Parameters<Source>) => Promise<number> = async (given) => {
    if (problems.length > 0)
      throw new CutoverError("CUTOVER_GATE_INPUT", { message: `${name}: ${problems.join("; ")}` });
    const window = given !== undefined && "from" in given ? given : undefined;
    const of = window === undefined ? "" : `${window.from}-${window.to}`;
    if (kept !== undefined && kept.of === of && clock.monotonic() - kept.at < cacheMs) return kept.value;
    // Asked for another stretch: one after the other.
    if (asked !== undefined && asked.of !== of) await asked.answer.catch(() => {});
    const waiting = underWay();
    if (waiting?.of === of) return await waiting.answer;
    if (waiting !== undefined) throw unreadable(name, "its last reading has not ended yet");
    return await ask(window, given?.signal, of);
  };
  const underWay = (): typeof asked => asked;
  Object.defineProperty(source, "toString", { value: () => text });
  const made = Object.assign(source, { problems });
  readings.set(made, () => kept);
  return made;
}

/** A figure that cannot be read, with what was expected and found. */
export function unreadable(name: string, message: string, cause?: unknown): CutoverError {
  return new CutoverError("CUTOVER_METRIC_UNREADABLE", {
    message: `${name}: ${message}`,
    place: name,
    ...(cause === undefined ? {} : { cause }),
  });
}

function asUnreadable(name: string, thrown: unknown): CutoverError {
  const error = asError(thrown);
  if (error instanceof CutoverError && error.code === "CUTOVER_METRIC_UNREADABLE") return error;
  return unreadable(name, error.message, thrown);
}

function finite(name: string, value: number): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  // NaN is what a division of two empty series gives: nothing is known then, which is no 0.
  throw unreadable(name, `expected a finite number, found ${String(value)}`);
}
