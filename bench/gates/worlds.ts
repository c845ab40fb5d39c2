import type { Random } from "./random.ts";

/** One second of traffic on both sides. */
export interface Second {
  /** Part of the keys that is assigned to the new side. */
  readonly share: number;
  readonly oldCalls: number;
  readonly newCalls: number;
  readonly oldErrors: number;
  readonly newErrors: number;
  /** Errors of keys that had none before, by the side that gave them. */
  readonly oldFirst: number;
  readonly newFirst: number;
}

/** Starts one run; the function it returns tells what happens second by second. */
export type World = (random: Random) => (second: number) => Second;

export interface SteadyOptions {
  readonly callsPerSecond: number;
  readonly share: number;
  readonly oldRate: number;
  /** Error rate of the new side over that of the old. */
  readonly ratio: number;
}

/** Every call is a key of its own and fails independently. */
export function steady({ callsPerSecond, share, oldRate, ratio }: SteadyOptions): World {
  return (random) => () => calls(random, callsPerSecond, share, oldRate, oldRate * ratio);
}

function calls(random: Random, all: number, share: number, oldRate: number, newRate: number): Second {
  const newCalls = random.binomial(all, share);
  const oldCalls = all - newCalls;
  const newErrors = random.binomial(newCalls, newRate);
  const oldErrors = random.binomial(oldCalls, oldRate);
  return { share, oldCalls, newCalls, oldErrors, newErrors, oldFirst: oldErrors, newFirst: newErrors };
}

/** Equal sides; once in 100 s an incident of 1 to 10 s begins: five times the traffic, twenty times the errors. */
export function bursts({ callsPerSecond, share, oldRate }: SteadyOptions): World {
  return (random) => {
    let left = 0;
    return () => {
      if (left > 0) left--;
      else if (random.next() < 0.01) left = 1 + Math.floor(10 * random.next());
      const rate = oldRate * (left > 0 ? 20 : 1);
      return calls(random, callsPerSecond * (left > 0 ? 5 : 1), share, rate, rate);
    };
  };
}

/** Equal sides; a day of 600 s in which traffic and error rate swing, out of step, while the share goes 5, 10, 50 %. */
export function dayRhythm({ callsPerSecond, oldRate }: SteadyOptions): World {
  return (random) => (second) => {
    const angle = (2 * Math.PI * second) / 600;
    const all = Math.round(callsPerSecond * (1 + 0.8 * Math.sin(angle)));
    const rate = oldRate * (1 + 0.8 * Math.cos(angle));
    return calls(random, all, second < 200 ? 0.05 : second < 400 ? 0.1 : 0.5, rate, rate);
  };
}

const keys = 10_000;
const exponent = 1.1;
/** Part of the keys whose every call fails, on either side. */
const failingPart = 0.01;

/** Cumulated traffic of keys by rank: Zipf's law. */
const traffic: Float64Array = (() => {
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) sums[rank] = sum += (rank + 1) ** -exponent;
  return sums.map((part) => part / sum);
})();

/** The first entry of ascending `sums` above `at`. */
function pick(sums: Float64Array, at: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Users who stay on one side: 10,000 keys with Zipf traffic (1.1), one in a hundred always failing. All other calls
 * fail at `oldRate`, times `ratio` on the new side. Only failing calls are drawn one by one; the rest is a binomial.
 */
export function stickyUsers({ callsPerSecond, share, oldRate, ratio }: SteadyOptions): World {
  return (random) => {
    const onNew = new Uint8Array(keys);
    const failed = new Uint8Array(keys);
    const failing: number[] = [];
    const failingSums: number[] = [];
    const well = { old: 0, new: 0 };
    let failingTraffic = 0;
    for (let key = 0; key < keys; key++) {
      const weight = (traffic[key] as number) - (key === 0 ? 0 : (traffic[key - 1] as number));
      onNew[key] = random.next() < share ? 1 : 0;
      if (random.next() < failingPart) {
        failing.push(key);
        failingSums.push((failingTraffic += weight));
      } else if (onNew[key] === 1) well.new += weight;
      else well.old += weight;
    }
    const sums = Float64Array.from(failingSums);
    const isFailing = new Uint8Array(keys);
    for (const key of failing) isFailing[key] = 1;
    const baseNew = well.new * oldRate * ratio;
    const baseOld = well.old * oldRate;
    const errorPart = failingTraffic + baseNew + baseOld;
    const newPart = (well.new - baseNew) / (1 - errorPart);

    /** A key that is well, on the side wanted. */
    const wellKey = (side: number): number => {
      for (;;) {
        const key = pick(traffic, random.next());
        if (isFailing[key] === 0 && onNew[key] === side) return key;
      }
    };

    return () => {
      const found = { share, oldCalls: 0, newCalls: 0, oldErrors: 0, newErrors: 0, oldFirst: 0, newFirst: 0 };
      const errors = random.binomial(callsPerSecond, errorPart);
      for (let i = 0; i < errors; i++) {
        const at = random.next() * errorPart;
        const key =
          at < failingTraffic
            ? (failing[pick(sums, at)] as number)
            : wellKey(at < failingTraffic + baseNew ? 1 : 0);
        const first = failed[key] === 0 ? 1 : 0;
        failed[key] = 1;
        if (onNew[key] === 1) {
          found.newErrors++;
          found.newFirst += first;
        } else {
          found.oldErrors++;
          found.oldFirst += first;
        }
      }
      const fine = random.binomial(callsPerSecond - errors, Math.min(1, newPart));
      found.newCalls = fine + found.newErrors;
      found.oldCalls = callsPerSecond - found.newCalls;
      return found;
    };
  };
}
