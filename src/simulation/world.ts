import type { FirstErrors, Interval, KeyLoadGauge, LatencyCounts, RouteState } from "../core/index.ts";
import { failingPart, type Fault } from "./fault.ts";
import { KeySpace } from "./key-space.ts";
import { LatencyDraw } from "./latency-draw.ts";
import type { Random } from "./random.ts";
import { rhythmOf } from "./rhythm.ts";
import type { Traffic } from "./traffic.ts";

/** A door times a sample of its calls above this, in a second. */
const timedPerSecond = 500;
const hourMs = 3_600_000;

/** How a route's callers fared while the fault was there. */
export interface Harm {
  /** Calls that failed, were slow, or were answered otherwise, because of the fault. */
  readonly calls: number;
  /** Keys that had such a call. */
  readonly keys: number;
}

export interface WorldOptions {
  readonly traffic: Traffic;
  readonly fault: Fault | undefined;
  /** Whether anything judges latency: drawing it is half of the work. */
  readonly timed: boolean;
  readonly draws: { readonly healthy: LatencyDraw; readonly faulty: LatencyDraw };
  /** Operations that some step asks to be compared. */
  readonly operations: readonly string[];
}

/** What both sides would answer on one route, drawn stretch by stretch. */
export class World {
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #keys: KeySpace;
  readonly #rhythm: (from: number, to: number) => number;
  /** Keys that have failed in this hour, as doors remember them. */
  readonly #failed: Uint8Array;
  #period = -1;
  readonly #hurt: Uint8Array;
  #hurtKeys = 0;
  #hurtCalls = 0;
  /** For faults that hit calls of all keys alike: calls of all keys by how many keys the new side had. */
  readonly #slowed = new Map<number, number>();
  #intervals = 0;
  readonly #unevenness: KeyLoadGauge;
  /** Calls at the present epoch: how far calls may be from the share depends on who made them since it was set. */
  readonly #since = { epoch: 0, calls: 0 };

  constructor(options: WorldOptions, random: Random, salt: string) {
    this.#options = options;
    this.#random = random;
    const { keys, skew, rhythm } = options.traffic;
    this.#keys = new KeySpace({ keys, skew, salt });
    this.#unevenness = this.#keys.unevenness;
    this.#rhythm = rhythmOf(rhythm, random);
    this.#failed = new Uint8Array(keys);
    this.#hurt = new Uint8Array(keys);
  }

  get harm(): Harm {
    let [calls, keys] = [this.#hurtCalls, this.#hurtKeys];
    keys += Math.round(this.#keys.seen(this.#slowed));
    for (const [count, made] of this.#slowed) calls += made * this.#keys.weightOf(count);
    return { calls: Math.round(calls), keys };
  }

  /** @param faulty whether the fault is there now */
  interval(state: RouteState, from: number, to: number, faulty: boolean): Interval {
    const { traffic, operations } = this.#options;
    const { stage, share } = state;
    const random = this.#random;
    const fault = faulty ? this.#options.fault : undefined;
    const mean = (traffic.rate * (to - from) * this.#rhythm(from, to)) / 1_000;
    const count =
      stage === "complete" || stage === "rampdown"
        ? this.#keys.size
        : stage === "live"
          ? this.#keys.countOf(share)
          : 0;
    const part = this.#keys.weightOf(count);
    const calls = { old: random.poisson(mean * (1 - part)), new: random.poisson(mean * part) };
    const base = traffic.baseError;
    const extraPart = (failingPart(fault, base) - base) / (1 - base);
    const errors = { old: random.binomial(calls.old, base), new: random.binomial(calls.new, base) };
    const extra = random.binomial(calls.new - errors.new, extraPart);
    const lots = stage === "live" && count > 0 && count < this.#keys.size;
    const firstErrors = this.#firstErrors({ ...errors, extra }, count, to, lots);
    if (fault !== undefined) this.#harm(fault, count, mean, calls.new);
    const shadowed = stage === "shadow" ? this.#shadowed(fault, calls.old, errors.old, extraPart) : nothing;
    const { compared } = shadowed;
    const seconds = (to - from) / 1_000;
    const timed = Math.min(1, (timedPerSecond * seconds) / Math.max(1, calls.old + calls.new));
    const { healthy, faulty: slow } = this.#options.draws;
    return {
      id: `simulated:${this.#intervals++}`,
      route: state.route,
      door: "simulated:1",
      epoch: state.epoch,
      stage,
      share,
      from,
      to,
      old: {
        calls: calls.old,
        errors: errors.old,
        latency: this.#latency(healthy, (calls.old - errors.old) * timed),
      },
      new: {
        calls: calls.new,
        errors: errors.new + extra,
        latency: this.#latency(
          fault?.kind === "latency" ? slow : healthy,
          (calls.new - errors.new - extra) * timed,
        ),
      },
      shadow: { calls: compared, errors: shadowed.errors, timeouts: 0, skipped: 0 },
      compared,
      mismatches: shadowed.mismatches,
      failedOver: 0,
      operations: Object.fromEntries(
        operations.map((name) => [name, Math.floor(compared / operations.length)]),
      ),
      ...(lots ? { firstErrors, keyLoad: this.#keyLoad(state.epoch, calls.old + calls.new) } : {}),
    };
  }

  /** What a door would say of n calls that keys make by their weights w: of c calls of a key the mean of c² is (nw)² + nw. */
  #keyLoad(epoch: number, more: number): KeyLoadGauge {
    if (this.#since.epoch !== epoch) Object.assign(this.#since, { epoch, calls: 0 });
    const calls = (this.#since.calls += more);
    const { norm, heaviest } = this.#unevenness;
    return {
      norm: Math.ceil(Math.sqrt((calls * norm) ** 2 + calls)),
      heaviest: Math.ceil(calls * heaviest),
    };
  }

  /** Answers of both sides to one call. What is wrong with the call itself fails on both sides, so they agree. */
  #shadowed(fault: Fault | undefined, compared: number, failed: number, extraPart: number): typeof nothing {
    const random = this.#random;
    const extra = random.binomial(compared - failed, extraPart);
    const wrong = fault?.kind === "mismatch" ? random.binomial(compared - failed, fault.size.amount) : 0;
    return { compared, errors: failed + extra, mismatches: extra + wrong };
  }

  #latency(draw: LatencyDraw, calls: number): LatencyCounts {
    return this.#options.timed ? draw.draw(this.#random, Math.round(calls)) : [];
  }

  /** Draws who failed. Counts the keys that had not failed before in this hour, and those that the fault hurt. */
  #firstErrors(
    errors: { readonly old: number; readonly new: number; readonly extra: number },
    count: number,
    now: number,
    lots: boolean,
  ): FirstErrors {
    const period = Math.floor(now / hourMs);
    if (period !== this.#period) {
      this.#period = period;
      this.#failed.fill(0);
    }
    const first = (key: number): number => {
      if (this.#failed[key] === 1) return 0;
      this.#failed[key] = 1;
      return 1;
    };
    const found = { old: 0, new: 0 };
    if (lots) {
      for (let i = 0; i < errors.old; i++)
        found.old += first(this.#keys.draw(this.#random, count, this.#keys.size));
      for (let i = 0; i < errors.new; i++) found.new += first(this.#keys.draw(this.#random, 0, count));
    }
    for (let i = 0; i < errors.extra; i++) {
      const key = this.#keys.draw(this.#random, 0, count);
      if (lots) found.new += first(key);
      if (this.#hurt[key] === 0) this.#hurtKeys++;
      this.#hurt[key] = 1;
    }
    this.#hurtCalls += errors.extra;
    return { ...found, period };
  }

  /** Slow and wrong answers hit the new side's keys by their weight. Failed ones are counted one by one above. */
  #harm({ kind, size }: Fault, count: number, mean: number, fresh: number): void {
    if (kind !== "latency" && kind !== "mismatch") return;
    if (fresh === 0 || count === 0) return;
    const part = kind === "mismatch" ? size.amount : 1;
    this.#slowed.set(count, (this.#slowed.get(count) ?? 0) + mean * part);
  }
}

const nothing = { compared: 0, errors: 0, mismatches: 0 };
