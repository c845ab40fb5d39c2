/** What one run of the chaos does. With the same plan the same disturbances come in the same sequence. */
export interface Plan {
  readonly store: "sqlite" | "postgres";
  readonly workers: number;
  readonly orders: number;
  readonly seed: number;
  /** `plain`: without limits and dependencies, and nearly all at once, so that processes can commit without waiting for each other. */
  readonly mix: "all" | "plain";
  /** Orders are submitted, and disturbances come, during so much time. */
  readonly forMs: number;
  /** After that everything has to be finished within so much time. */
  readonly calmMs: number;
  /** Folder with the built rooms (`queue/index.js`, `store/index.js`); the sources when not given. */
  readonly built: string | undefined;
}

export const leaseMs = 3_000;
/** Of each limit key. */
export const limitConcurrency = 2;
export const queueName = "chaos";

/** Repeatable numbers in [0, 1): mulberry32 (Tommy Ettinger, public domain). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const between = (random: () => number, least: number, most: number): number =>
  Math.floor(least + random() * (most - least));

export const pick = <T>(random: () => number, list: readonly T[]): T | undefined =>
  list[Math.floor(random() * list.length)];

/** What an order of the chaos asks for. */
export interface Work {
  readonly n: number;
  /** Its limit key: the work of these lasts long enough that a key's orders meet. */
  readonly limit?: string;
  /** It lasts longer than two leases, so many times that it is done. */
  readonly long?: number;
}

/** Two in a second, and none so late that all others would wait for its end. */
export function isLong({ orders, forMs }: Plan, n: number): boolean {
  const every = Math.ceil((orders * 500) / forMs);
  return n % every === 0 && (n / orders) * forMs < forMs - 3 * leaseMs;
}

/** How long the work of an attempt lasts, in milliseconds. Most is short, some lasts long enough to be hit by whatever comes. */
export function workMs({ limit, long }: Work, fence: number, random: () => number): number {
  if (fence <= (long ?? 0)) return leaseMs * (2.1 + 0.3 * random());
  if (limit !== undefined) return 60 + random() * 140;
  return random() < 0.1 ? 50 + random() * 300 : random() * 8;
}
