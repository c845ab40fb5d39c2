import {
  type BackoffPolicy,
  backoffDelay,
  type Clock,
  CutoverError,
  hasCode,
  sleep,
} from "../../core/index.ts";
import { closedStore } from "../connectors/place.ts";
import { DoorConnection } from "./door-connection.ts";

interface DoorLinkOptions {
  readonly path: string;
  /** Name of the store behind the door; undefined: the only one. */
  readonly store: string | undefined;
  /** Name for messages. */
  readonly place: string;
  /** How long a call is tried again while the application does not answer, milliseconds. */
  readonly retryMs: number;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Between two tries to reach an application that is away. */
export const pauses: BackoffPolicy = { base: 50, factor: 1.5, cap: 500, floor: 20, jitter: 0.5 };

/** The application is away or just ending: the same call may be asked again. */
const isAway = (error: unknown): boolean =>
  hasCode(error, "CUTOVER_DATA_UNAVAILABLE") || hasCode(error, "CUTOVER_DATA_CLOSED");

/** The way to a door, over as many connections as it takes. */
export class DoorLink {
  readonly #options: DoorLinkOptions;
  readonly #closed = new AbortController();
  #connection: DoorConnection | undefined;
  #opening: Promise<DoorConnection> | undefined;

  constructor(options: DoorLinkOptions) {
    this.#options = options;
  }

  /** The connection, opened when there is none. */
  async connected(): Promise<DoorConnection> {
    const { path, store, place, clock } = this.#options;
    this.#mustBeOpen();
    if (this.#connection?.isOpen === true) return this.#connection;
    this.#opening ??= DoorConnection.open(path, { store, place, clock }).finally(() => {
      this.#opening = undefined;
    });
    const connection = await this.#opening;
    if (this.#closed.signal.aborted) connection.close();
    this.#mustBeOpen();
    this.#connection = connection;
    return connection;
  }

  /** Runs what may be run twice; again on a new connection while the application is away, as long as `retryMs` allows. */
  async run<T>(work: (connection: DoorConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const patience = this.patience(signal);
    for (;;) {
      try {
        return await work(await this.connected());
      } catch (error) {
        await patience.after(error);
      }
    }
  }

  /** How long one piece of work puts up with an application that is away. */
  patience(signal?: AbortSignal): Patience {
    const { retryMs, clock, random } = this.#options;
    let since: number | undefined;
    let attempt = 0;
    return {
      after: async (error) => {
        this.#mustBeOpen();
        if (!isAway(error) || signal?.aborted === true) throw error;
        const now = clock.monotonic();
        since ??= now;
        if (now - since >= retryMs) throw error;
        const { signal: closed } = this.#closed;
        const stop = signal === undefined ? closed : AbortSignal.any([signal, closed]);
        await sleep(clock, backoffDelay(pauses, ++attempt, random), stop);
      },
      calm: () => {
        since = undefined;
        attempt = 0;
      },
    };
  }

  close(): void {
    this.#closed.abort(closedStore(this.#options.place));
    this.#connection?.close();
  }

  #mustBeOpen(): void {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason as CutoverError;
  }
}

interface Patience {
  /** Waits a little. @throws the error when it is of another kind, or the application has been away for too long */
  after(error: unknown): Promise<void>;
  /** The application answered: what comes later is counted anew. */
  calm(): void;
}
