import { CutoverError, hasCode } from "../../core/index.ts";
import type { FollowSettings } from "./follow-options.ts";
import type { StandingWatch } from "./standing-watch.ts";
import type { Switch } from "./switch.ts";

/** What became of a try: it was carried out, it failed for a reason of its own, or the side refused it. */
export type Outcome = "done" | "failed" | Refused;

export interface Refused {
  /** The standing it was tried under. */
  readonly under: number;
  /** The epoch it would have taken; true: it was not said. */
  readonly least: number | true;
}

/** A call that waits for its turn. */
export interface Waiting {
  /** Grows from call to call: the order in which they came. */
  readonly ticket: number;
  /** Since when it waits, monotonic milliseconds. */
  readonly since: number;
  /** Tries it under the standing now. Settles the call unless it was refused. Never rejects. */
  readonly attempt: () => Promise<Outcome>;
  readonly fail: (error: unknown) => void;
}

export interface Manner {
  /**
   * Calls are carried out in the order they came: none is tried before those before it have been carried out. Their attempts
   * have to reach the store in the order in which they begin. Otherwise a call that takes long holds up nobody.
   */
  readonly ordered: boolean;
  /** Makes ready what attempts use under the standing now; calls fail with what it throws. With `ordered` nothing is on its way meanwhile. */
  readonly prepare?: () => Promise<void>;
}

/** A try is made after an eighth of the time waited so far: a pause of t is seen at most t / 8 late. */
const pauseMs = { shortest: 2, longest: 250, part: 8 };
/** Without order, the next in line is tried when the one before has said nothing for so long. */
const patienceMs = 50;

/**
 * Calls that were refused, and those that came while others wait. Only the first in line knocks at the store, so that ten
 * thousand that wait cost it no more than one.
 */
export class WaitingLine {
  readonly #watch: StandingWatch;
  readonly #switch: Switch;
  readonly #settings: FollowSettings;
  readonly #manner: Manner;
  readonly #waiting: Waiting[] = [];
  #driving = false;
  /** The standing changed, and `prepare` has not been carried out since. */
  #held = false;
  #flying = 0;
  /** Calls taken out of the line to be tried that have not come back. */
  #knocking = 0;
  #rounds = 0;
  #grounded: (() => void) | undefined;
  #wake: (() => void) | undefined;
  /** A call that was tried out of patience has come through. */
  #open = false;
  #refused: Refused | undefined;
  #calls = 0;
  #longest = 0;
  #refusals = 0;
  #gaveBack = 0;
  /** The epoch for which `giveBack` was called last. */
  #lifted: number | undefined;
  /** From the first that waits until nobody does. */
  #episode = { told: false, calls: 0, since: 0 };

  constructor(watch: StandingWatch, kept: Switch, settings: FollowSettings, manner: Manner) {
    this.#watch = watch;
    this.#switch = kept;
    this.#settings = settings;
    this.#manner = manner;
  }

  /** Whether calls may be tried at once. */
  get calm(): boolean {
    return !this.#driving && !this.#held;
  }

  get counts(): {
    readonly waiting: number;
    readonly waited: number;
    readonly longestWaitMs: number;
    readonly turnedAway: number;
    readonly gaveBack: number;
  } {
    return {
      waiting: this.#waiting.length + (this.#driving ? this.#knocking : 0),
      waited: this.#calls,
      longestWaitMs: this.#longest,
      turnedAway: this.#refusals,
      gaveBack: this.#gaveBack,
    };
  }

  /** A try begins; `landed` is called when it ends, whichever way. */
  flies(): void {
    this.#flying++;
  }

  landed(): void {
    if (--this.#flying === 0) this.#grounded?.();
  }

  /** A call waits, after it was refused or because others wait. */
  join(call: Waiting, refused?: Refused): void {
    if (refused !== undefined) this.#refused = refused;
    if (this.#waiting.length >= this.#settings.mostWaiting) {
      this.#refusals++;
      call.fail(tooMany(this.#switch.name, this.#settings.mostWaiting));
      return;
    }
    this.#calls++;
    this.#enter(call);
  }

  /** A call gives up; false when it is not here any more. */
  leave(call: Waiting): boolean {
    const at = this.#waiting.indexOf(call);
    if (at < 0) return false;
    this.#waiting.splice(at, 1);
    this.#wake?.();
    return true;
  }

  /** The standing has changed. In order, what is on its way has to arrive before anybody else is tried. */
  turned(): void {
    if (this.#manner.prepare !== undefined) {
      this.#held = true;
      this.#drive();
    }
    this.#wake?.();
  }

  failAll(error: CutoverError): void {
    for (const call of this.#waiting.splice(0)) call.fail(error);
    this.#wake?.();
  }

  /** How long a call has waited that is settled now. */
  told(since: number): void {
    this.#longest = Math.max(this.#longest, this.#settings.clock.monotonic() - since);
  }

  #enter(call: Waiting): void {
    let at = this.#waiting.length;
    while (at > 0 && (this.#waiting[at - 1] as Waiting).ticket > call.ticket) at--;
    this.#waiting.splice(at, 0, call);
    this.#drive();
    if (!this.#episode.told) this.#settings.onEvent({ type: "waiting", standing: this.#watch.standing });
    this.#episode.told = true;
    if (this.#waiting.length === 1) this.#wake?.();
  }

  #drive(): void {
    if (this.#driving) return;
    this.#driving = true;
    this.#episode = { told: false, calls: 0, since: this.#settings.clock.monotonic() };
    // Nothing in there rejects: attempts and events are told elsewhere.
    void this.#round();
  }

  /** Until nobody waits. */
  async #round(): Promise<void> {
    this.#rounds++;
    while (this.#held || this.#waiting.length + this.#knocking > 0) {
      if (this.#manner.ordered) await this.#allLanded();
      if (this.#isRefusedNow()) await this.#watch.refresh();
      if (this.#isRefusedNow()) {
        await this.#pause();
        await this.#watch.refresh();
        if (this.#isRefusedNow()) await this.#overdue();
      }
      const prepared = await this.#prepared();
      if (prepared === "failed" && this.#waiting.length === 0) break;
      if (prepared !== "ready") continue;
      if (!this.#open && this.#waiting.length === 0 && this.#knocking > 0) await this.#nextCall();
      else if (this.#open || (await this.#knock())) {
        this.#release();
        break;
      }
    }
    this.#driving = false;
    const { told, calls, since } = this.#episode;
    if (told)
      this.#settings.onEvent({
        type: "going-on",
        standing: this.#watch.standing,
        calls,
        waitedMs: this.#settings.clock.monotonic() - since,
      });
  }

  #isRefusedNow(): boolean {
    return !this.#open && this.#refused?.under === this.#watch.standing.epoch;
  }

  async #prepared(): Promise<"ready" | "changed" | "failed"> {
    const { prepare } = this.#manner;
    if (prepare === undefined) return "ready";
    const { epoch } = this.#watch.standing;
    this.#held = false;
    try {
      await prepare();
    } catch (error) {
      this.#held = true;
      for (const call of this.#waiting.splice(0)) call.fail(error);
      return "failed";
    }
    return epoch === this.#watch.standing.epoch ? "ready" : "changed";
  }

  /** Tries the first in line. True: it came through. */
  async #knock(): Promise<boolean> {
    const first = this.#waiting.shift();
    if (first === undefined) return false;
    const flight = this.#knocked(first);
    if (this.#manner.ordered) return (await flight) === "done";
    const quick = await Promise.race([flight, this.#sleep(patienceMs)]);
    this.#wake?.();
    return quick === "done";
  }

  async #knocked(call: Waiting): Promise<Outcome> {
    const round = this.#rounds;
    this.#knocking++;
    const outcome = await this.#fly(call);
    this.#knocking--;
    if (typeof outcome !== "object") this.#episode.calls++;
    if (outcome === "done" && round === this.#rounds) this.#open = true;
    this.#wake?.();
    return outcome;
  }

  async #fly(call: Waiting): Promise<Outcome> {
    this.flies();
    const outcome = await call.attempt();
    if (typeof outcome === "object") {
      this.#refused = outcome;
      this.#enter(call);
    }
    this.landed();
    return outcome;
  }

  /** All go on, in the order they came. Who is refused again comes back to its place. */
  #release(): void {
    this.#open = false;
    this.#refused = undefined;
    this.#episode.calls += this.#waiting.length;
    for (const call of this.#waiting.splice(0)) void this.#fly(call);
  }

  #waitedMs(call: Waiting): number {
    return this.#settings.clock.monotonic() - Math.max(call.since, this.#watch.changedAt);
  }

  #pause(): Promise<void> {
    const { random, longestPauseMs } = this.#settings;
    const first = this.#waiting[0];
    const waited = first === undefined ? 0 : this.#waitedMs(first);
    const full = Math.min(pauseMs.longest, Math.max(pauseMs.shortest, waited / pauseMs.part));
    const left = Math.max(pauseMs.shortest, longestPauseMs - waited);
    return this.#sleep(Math.min(left, full * (0.5 + random() / 2)));
  }

  /** Until then, or until something happened. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#settings.clock.after(ms, over);
      this.#wake = over;
    });
  }

  /** Until somebody waits, or a call that was taken out of the line has come back. */
  #nextCall(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #allLanded(): Promise<void> {
    if (this.#flying > 0) await new Promise<void>((resolve) => (this.#grounded = resolve));
    this.#grounded = undefined;
  }

  /** Who has waited too long gives the side back, or fails. */
  async #overdue(): Promise<void> {
    const late = this.#waiting.filter((call) => this.#waitedMs(call) >= this.#settings.longestPauseMs);
    const [first] = late;
    if (first === undefined) return;
    const waitedMs = this.#waitedMs(first);
    try {
      if (this.#settings.giveBack !== false && (await this.#giveBack(waitedMs))) return;
      this.#fail(late, waitedMs);
    } catch (error) {
      this.#watch.trouble(error);
      this.#fail(late, waitedMs, error);
    }
  }

  /** True: the switch was turned, by this process or another one, or `giveBack` was called. */
  async #giveBack(waitedMs: number): Promise<boolean> {
    const { giveBack, onEvent } = this.#settings;
    const { side, epoch } = this.#watch.standing;
    const least = this.#refused?.least ?? true;
    const to = { side, epoch: Math.max(epoch, least === true ? epoch + 1 : least) };
    // The side refuses an epoch that should do, and nothing that could be done about it is left.
    if (to.epoch === epoch && (typeof giveBack !== "function" || this.#lifted === epoch)) return false;
    try {
      await this.#watch.turn(to);
    } catch (error) {
      if (!hasCode(error, "CUTOVER_DATA_EPOCH")) throw error;
      await this.#watch.refresh();
      return !this.#isRefusedNow();
    }
    if (typeof giveBack === "function") await giveBack(to);
    this.#lifted = to.epoch;
    this.#gaveBack++;
    onEvent({ type: "gave-back", standing: to, waitedMs });
    this.#watch.adopt(to);
    return true;
  }

  #fail(late: readonly Waiting[], waitedMs: number, cause?: unknown): void {
    for (const call of late) if (this.leave(call)) call.fail(tooLong(this.#switch.name, waitedMs, cause));
  }
}

function tooMany(place: string, most: number): CutoverError {
  return new CutoverError("CUTOVER_DATA_PAUSED", {
    message: `expected at most ${most} calls that wait for the cutover to end, found as many already; this one was not carried out`,
    place,
    details: { mostWaiting: most },
  });
}

function tooLong(place: string, waitedMs: number, cause: unknown): CutoverError {
  return new CutoverError("CUTOVER_DATA_PAUSED", {
    message: `expected a side that takes writes, found none for ${Math.round(waitedMs)} ms; this call was not carried out`,
    place,
    details: { waitedMs: Math.round(waitedMs) },
    cause,
  });
}
