import { asError, CutoverError } from "../../core/index.ts";
import { refuseOptions } from "../capture-options.ts";
import { type FollowOptions, type FollowSettings, followSettings } from "./follow-options.ts";
import { StandingWatch } from "./standing-watch.ts";
import type { Standing, Switch } from "./switch.ts";
import { checkStanding } from "./turn-law.ts";
import { type Manner, type Outcome, type Waiting, WaitingLine } from "./waiting-line.ts";

/** Where a body is to write, or to read. */
export interface InCharge extends Standing {
  /** Aborts when the caller's signal does, or when a close does not wait any longer. */
  readonly signal: AbortSignal;
}

export interface FollowCounts {
  /** Calls that wait now. */
  readonly waiting: number;
  /** Calls that have waited, those that wait now included. */
  readonly waited: number;
  /** The longest any call took that had to wait, from its refusal to its end, milliseconds. */
  readonly longestWaitMs: number;
  /** Calls refused because too many waited. */
  readonly turnedAway: number;
  /** How often this process gave a side back. */
  readonly gaveBack: number;
}

/** Hands calls to the side in charge; see `followSwitch`. */
export class SwitchFollower implements AsyncDisposable {
  readonly #name: string;
  readonly #switch: Switch;
  readonly #settings: FollowSettings;
  readonly #watch: StandingWatch;
  readonly #line: WaitingLine;
  readonly #closing = new AbortController();
  #charge: InCharge;
  #tickets = 0;
  #active = 0;
  #idle: (() => void) | undefined;
  #closed = false;

  /** By `followSwitch`, which reads the switch first. */
  constructor(kept: Switch, first: Standing, settings: FollowSettings, manner: Manner) {
    this.#name = kept.name;
    this.#switch = kept;
    this.#settings = settings;
    this.#charge = { ...first, signal: this.#closing.signal };
    this.#watch = new StandingWatch(kept, first, settings, () => {
      this.#charge = { ...this.#watch.standing, signal: this.#closing.signal };
      this.#line.turned();
    });
    this.#line = new WaitingLine(this.#watch, kept, settings, manner);
    this.#watch.start();
  }

  /** The side in charge, as far as this process has heard. */
  get standing(): Standing {
    return this.#watch.standing;
  }

  /**
   * The last epoch in which this side was in charge; 0 when it never was. What writers of that side write under: with the
   * epoch of the other one they would get past their fence.
   */
  epochOf(side: Standing["side"]): number {
    return this.#watch.epochOf(side);
  }

  get counts(): FollowCounts {
    return this.#line.counts;
  }

  /**
   * Carries out `body` on the side in charge. When it fails as refused by that side (`isFenced`), it waits and is run again from its
   * beginning, on whichever side is in charge then. So it is to be one transaction, or safe to repeat, and ends as its last
   * run did. Calls that wait are let go in the order they came; a long one holds up nobody.
   * @throws what `body` throws; CUTOVER_DATA_PAUSED when it waited too long or too many wait, and nothing was carried out;
   * CUTOVER_DATA_CLOSED; the signal's reason
   */
  async run<T>(body: (at: InCharge) => Promise<T>, options?: { readonly signal?: AbortSignal }): Promise<T> {
    // Every write of an application comes through here: while all is calm it costs one promise and no object.
    const signal = options === undefined ? undefined : signalOf("run", options);
    const ticket = this.#begin();
    if (!this.#line.calm) return this.#wait(ticket, body, signal);
    const { epoch } = this.#charge;
    let least: number | true;
    this.#line.flies();
    try {
      const value = await body(this.#at(signal));
      this.#line.landed();
      this.#end();
      return value;
    } catch (error) {
      this.#line.landed();
      const fenced = this.#settings.isFenced(error);
      if (fenced !== true && typeof fenced !== "number") {
        this.#end();
        throw error;
      }
      least = fenced;
    }
    return this.#wait(ticket, body, signal, { under: epoch, least });
  }

  /**
   * Carries out `body` on the side in charge, at once, also during a cutover's pause. A process that did not hear of a turn yet
   * reads the other side, up to some ten milliseconds long; with `fresh` the switch is asked first, so that what anybody was
   * told is written before the call is seen.
   */
  async read<T>(
    body: (at: InCharge) => Promise<T>,
    options: { readonly signal?: AbortSignal; readonly fresh?: boolean } = {},
  ): Promise<T> {
    const { signal, fresh = false, ...unknown } = options;
    refuseOptions("read", unknown);
    signal?.throwIfAborted();
    this.#begin();
    try {
      if (fresh) this.#watch.adopt(await this.#switch.read());
      return await body(this.#at(signal));
    } finally {
      this.#end();
    }
  }

  /**
   * Takes no more calls and waits for those on their way, also those that wait for a side. When `signal` aborts, those that
   * wait fail with CUTOVER_DATA_CLOSED, and the bodies' signal aborts.
   */
  async close(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal, ...unknown } = options;
    refuseOptions("close", unknown);
    this.#closed = true;
    const hurry = (): void => {
      this.#line.failAll(this.#closedError());
      this.#closing.abort(this.#closedError());
    };
    if (signal?.aborted === true) hurry();
    else signal?.addEventListener("abort", hurry, { once: true });
    while (this.#active > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    signal?.removeEventListener("abort", hurry);
    await this.#watch.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #begin(): number {
    if (this.#closed) throw this.#closedError();
    this.#active++;
    return ++this.#tickets;
  }

  #end(): void {
    if (--this.#active === 0) this.#idle?.();
  }

  #at(signal: AbortSignal | undefined): InCharge {
    if (signal === undefined) return this.#charge;
    return { ...this.#charge, signal: AbortSignal.any([signal, this.#closing.signal]) };
  }

  #wait<T>(
    ticket: number,
    body: (at: InCharge) => Promise<T>,
    signal: AbortSignal | undefined,
    refused?: { readonly under: number; readonly least: number | true },
  ): Promise<T> {
    const since = this.#settings.clock.monotonic();
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted === true || this.#closing.signal.aborted) {
        this.#end();
        return reject(signal?.aborted === true ? asError(signal.reason) : this.#closedError());
      }
      const settled = (): void => {
        signal?.removeEventListener("abort", left);
        this.#line.told(since);
        this.#end();
      };
      const fail = (error: unknown): void => {
        settled();
        reject(asError(error));
      };
      const attempt = async (): Promise<Outcome> => {
        const { epoch } = this.#charge;
        try {
          const value = await body(this.#at(signal));
          settled();
          resolve(value);
          return "done";
        } catch (error) {
          const least = this.#settings.isFenced(error);
          if (least !== true && typeof least !== "number") fail(error);
          else if (signal?.aborted === true) fail(signal.reason);
          else if (this.#closing.signal.aborted) fail(this.#closedError());
          else return { under: epoch, least };
          return "failed";
        }
      };
      const call: Waiting = { ticket, since, attempt, fail };
      const left = (): void => {
        if (this.#line.leave(call)) fail(signal?.reason);
      };
      signal?.addEventListener("abort", left, { once: true });
      this.#line.join(call, refused);
    });
  }

  #closedError(): CutoverError {
    return new CutoverError("CUTOVER_DATA_CLOSED", {
      message: "expected a follower that takes calls, found one that was closed",
      place: this.#name,
      remedy: "follow the switch again",
    });
  }
}

/**
 * Follows a switch for an application, whatever it writes to: its calls go to the side in charge, wait while that is being
 * changed, and go on at the side that is in charge then. A migration that dies meanwhile stops nobody for longer than
 * `longestPause`. Watches the switch without keeping the process alive; close it in the end.
 * @throws CUTOVER_DATA_OPTIONS, CUTOVER_DURATION_INVALID; what the switch throws when it is read
 *
 * @example
 * await using orders = await followSwitch(fileSwitch("data/orders-switch"));
 * await orders.run(async ({ side, epoch }) => {
 *   const client = await pools[side].connect();
 *   …; await client.query(`SET LOCAL cutover.epoch = '${epoch}'`); …
 * });
 */
export async function followSwitch(kept: Switch, options: FollowOptions = {}): Promise<SwitchFollower> {
  const settings = followSettings("followSwitch", options);
  return new SwitchFollower(kept, await firstOf(kept), settings, { ordered: false });
}

function signalOf(
  what: string,
  { signal, ...unknown }: { readonly signal?: AbortSignal },
): AbortSignal | undefined {
  refuseOptions(what, unknown);
  signal?.throwIfAborted();
  return signal;
}

/** The standing to begin with. @throws CUTOVER_DATA_OPTIONS for what is no switch */
export async function firstOf(kept: Switch): Promise<Standing> {
  const { read, turn, follow } = (kept ?? {}) as Partial<Switch>;
  if (typeof read !== "function" || typeof turn !== "function" || typeof follow !== "function")
    throw new CutoverError("CUTOVER_DATA_OPTIONS", {
      message: "expected a switch with read, turn and follow, found something else",
      remedy: "give what `fileSwitch` returns, or a switch of your own",
    });
  const first = await kept.read();
  checkStanding(first, kept.name);
  return first;
}
