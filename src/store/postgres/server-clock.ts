import type { Clock, Timer } from "../../core/index.ts";

/**
 * The server's time, carried on by the local monotonic clock. Each answer that holds the server's time bounds the
 * difference: it was taken after the question was sent and before the answer came. The difference is moved only when it
 * lies outside these bounds, so it neither trembles nor follows a local clock that is set.
 */
export class ServerClock implements Clock {
  readonly #timers: Clock;
  /** Server's time minus local monotonic time. */
  #offset: number | undefined;

  constructor(timers: Clock) {
    this.#timers = timers;
  }

  now(): number {
    return Math.floor(this.#timers.monotonic() + (this.#offset ?? 0));
  }

  monotonic(): number {
    return this.#timers.monotonic();
  }

  after(ms: number, fn: () => void): Timer {
    return this.#timers.after(ms, fn);
  }

  /** `server`: its time in milliseconds; `sent`, `received`: local monotonic times around it. */
  learn(server: number, sent: number, received: number): void {
    const least = server - received;
    const most = server + 1 - sent;
    this.#offset = Math.min(Math.max(this.#offset ?? (least + most) / 2, least), most);
  }
}

/** The server's time in whole milliseconds, as an expression: that of the statement, so that an index can be used. */
export const serverNow = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

/** The same, that of the very moment. */
export const clockNow = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
