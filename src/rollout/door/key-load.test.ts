import { describe, expect, test } from "vitest";
import { bucketer } from "./bucket.ts";
import { KeyLoad } from "./key-load.ts";

/** Calls of each key, and what the sketch says of them. */
function measure(salt: string, calls: readonly number[]): { norm: number; heaviest: number; ratio: number } {
  const bucketOf = bucketer(salt);
  const load = new KeyLoad();
  calls.forEach((count, key) => {
    const bucket = bucketOf(`key-${key}`);
    for (let i = 0; i < count; i++) load.add(bucket);
  });
  const found = load.read();
  const norm = Math.sqrt(calls.reduce((sum, count) => sum + count * count, 0));
  return { norm: found?.norm ?? 0, heaviest: found?.heaviest ?? 0, ratio: (found?.norm ?? 0) / norm };
}

describe("how unevenly keys call", () => {
  test("is told within some percent for even, skewed and single keys, whatever the salt", () => {
    const shapes: Readonly<Record<string, readonly number[]>> = {
      even: Array.from({ length: 5_000 }, () => 2),
      zipf: Array.from({ length: 2_000 }, (_, i) => Math.ceil(3_000 / (i + 1) ** 1.1)),
      single: [50_000],
    };
    for (const shape of Object.values(shapes))
      for (let salt = 0; salt < 20; salt++) {
        const { ratio } = measure(`salt-${salt}`, shape);
        expect(ratio).toBeGreaterThan(0.8);
        expect(ratio).toBeLessThan(1.25);
      }
  });

  test("never says that the heaviest key calls much less than it does", () => {
    const calls = [4_000, ...Array.from({ length: 3_000 }, () => 1)];
    for (let salt = 0; salt < 20; salt++)
      expect(measure(`salt-${salt}`, calls).heaviest).toBeGreaterThan(3_900);
  });

  test("is unknown without calls, and one for one call", () => {
    expect(new KeyLoad().read()).toBeUndefined();
    expect(measure("s", [1])).toMatchObject({ norm: 1, heaviest: 1 });
  });
});
