import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Interval, MismatchSample } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import { firstPairs, Noise } from "./noise.ts";
import type { RouteOptions } from "./options.ts";
import { createRollout } from "./rollout.ts";

type Read = (id: string) => unknown;

function open(
  options: Pick<RouteOptions<Read>, "old" | "new"> & Partial<RouteOptions<Read>>,
  random = () => 0.99,
) {
  const link = memoryLink();
  const clock = new ManualClock();
  const rollout = createRollout({ link, clock, random, state: [{ route: "r", stage: "shadow" }] });
  const fn = rollout.route<Read>("r", { key: (id) => id, effects: "none", learnNoise: 10, ...options });
  const sum = (read: (interval: Interval) => number): number => {
    rollout.flush();
    return link.intervals.reduce((total, interval) => total + read(interval), 0);
  };
  const call = async (times = 1): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const answer = await fn("a");
      if (typeof answer === "object" && answer !== null && Symbol.asyncIterator in answer)
        for await (const _ of answer as AsyncIterable<unknown>);
      for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const found = (): readonly string[] => {
    rollout.flush();
    return [
      ...new Set(
        link.samples.flatMap(({ differences }: MismatchSample) => differences.map(({ path }) => path)),
      ),
    ];
  };
  const volatile = (): readonly string[] => {
    rollout.flush();
    return link.intervals.at(-1)?.volatile ?? [];
  };
  return { call, sum, found, volatile, link };
}

const order = () => ({
  id: randomUUID(),
  total: 5,
  lines: [
    { ref: randomUUID(), n: 1 },
    { ref: randomUUID(), n: 2 },
  ],
});

describe("noise that is learned", () => {
  test("from the old side's own differences is passed over from the first call on, and reported by path", async () => {
    const route = open({ old: order, new: order });
    await route.call(30);
    expect(route.sum((i) => i.compared)).toBe(30);
    expect(route.sum((i) => i.mismatches)).toBe(0);
    expect(route.volatile()).toEqual(["id", "lines.*.ref"]);
  });

  test("hides nothing that differs between the sides alone", async () => {
    const route = open({ old: order, new: () => ({ ...order(), total: 6 }) });
    await route.call(5);
    expect(route.sum((i) => i.mismatches)).toBe(5);
    expect(route.found()).toEqual(["total"]);
  });

  test.each([
    ["is missing", { id: undefined }],
    ["is empty", { id: "" }],
    ["is null", { id: null }],
    ["is a number", { id: 7 }],
    ["is another sort of text", { id: "order-7" }],
  ])("still finds a noisy field that %s on the new side", async (_, wrong) => {
    const route = open({ old: order, new: () => ({ ...order(), ...wrong }) });
    await route.call(3);
    expect(route.sum((i) => i.mismatches)).toBe(3);
    expect(route.found()).toEqual(["id"]);
  });

  test("does not use up the differences that are listed: one real one among fifty is found", async () => {
    const many = (last: number) => () => [
      ...Array.from({ length: 50 }, () => ({ ref: randomUUID() })),
      { n: last },
    ];
    const route = open({ old: many(1), new: many(2) });
    await route.call(2);
    expect(route.found()).toEqual(["50.n"]);
  });

  test("works on events of streams", async () => {
    const events = (n: number) =>
      async function* () {
        yield { at: Math.random(), n: 1 };
        yield { at: Math.random(), n };
      };
    const same = open({ old: events(2), new: events(2) });
    await same.call(3);
    expect(same.sum((i) => i.compared)).toBe(3);
    expect(same.sum((i) => i.mismatches)).toBe(0);
    expect(same.volatile()).toEqual(["events.*.at"]);
    const other = open({ old: events(2), new: events(3) });
    await other.call(3);
    expect(other.found()).toEqual(["events.1.n"]);
  });

  test("is asked of the old side for the first calls and then for the part that was chosen", async () => {
    let calls = 0;
    const old = (): number => ++calls;
    const lucky = open({ old, new: () => 0 }, () => 0.05);
    await lucky.call(firstPairs + 5);
    expect(calls).toBe(2 * (firstPairs + 5));
    calls = 0;
    const unlucky = open({ old, new: () => 0 }, () => 0.5);
    await unlucky.call(firstPairs + 5);
    expect(calls).toBe(2 * firstPairs + 5);
  });

  test("neither the extra calls nor their failures are counted as calls of the old side", async () => {
    let calls = 0;
    const route = open({
      old: () => {
        if (++calls % 2 === 0) throw new Error("the second time");
        return { n: 1 };
      },
      new: () => ({ n: 1 }),
    });
    await route.call(4);
    expect(route.sum((i) => i.old.calls)).toBe(4);
    expect(route.sum((i) => i.old.errors)).toBe(0);
    expect(route.sum((i) => i.compared)).toBe(4);
    expect(route.volatile()).toEqual([]);
  });

  test("is nothing the caller or the new side can spoil: the second call gets the input as it was", async () => {
    const seen: string[] = [];
    const link = memoryLink();
    const rollout = createRollout({ link, state: [{ route: "r", stage: "shadow" }] });
    const fn = rollout.route("r", {
      old: (input: { id: string }) => {
        seen.push(input.id);
        return 1;
      },
      new: (input) => {
        input.id = "spoiled";
        return 1;
      },
      key: (input) => input.id,
      effects: "none",
      learnNoise: 1,
    });
    const input = { id: "a" };
    fn(input);
    input.id = "changed";
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual(["a", "a"]);
    await rollout.close();
  });

  test("is off unless asked for", async () => {
    let calls = 0;
    const route = open({ old: () => ++calls, new: () => 1, learnNoise: 0 });
    await route.call(3);
    expect(calls).toBe(3);
  });
});

describe("the memory of noise", () => {
  const answer = (value: unknown) => ({ ok: true as const, value });

  test("takes two pairs to pass a field over in other calls", () => {
    const noise = new Noise({});
    noise.learn(answer({ n: 1 }), answer({ n: 2 }));
    expect(noise.passes("n", 3, 4)).toBe(false);
    noise.learn(answer({ n: 1 }), answer({ n: 2 }));
    expect(noise.passes("n", 3, 4)).toBe(true);
    expect(noise.volatile).toEqual(["n"]);
  });

  test("forgets a field that stayed equal for a thousand pairs", () => {
    const noise = new Noise({});
    for (let i = 0; i < 2; i++) noise.learn(answer({ n: 1 }), answer({ n: 2 }));
    for (let i = 0; i < 999; i++) noise.learn(answer({ n: 1 }), answer({ n: 1 }));
    expect(noise.volatile).toEqual(["n"]);
    noise.learn(answer({ n: 1 }), answer({ n: 1 }));
    expect(noise.volatile).toEqual([]);
    expect(noise.passes("n", 1, 2)).toBe(false);
  });

  test("is bounded: fields beyond 200 are not passed over, and that is known", () => {
    const noise = new Noise({});
    const wide = (n: number) =>
      answer(Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`a${i}`, n])));
    const other = (n: number) =>
      answer(Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`b${i}`, n])));
    for (let i = 0; i < 2; i++) {
      noise.learn(wide(1), wide(2));
      noise.learn(other(1), other(2));
    }
    expect(noise.volatile).toHaveLength(200);
    expect(noise.full).toBe(true);
    expect(noise.passes("b149", 1, 2)).toBe(false);
  });

  test("learns nothing from a call that failed once and not the other time, and learns from two errors", () => {
    const noise = new Noise({});
    const error = (message: string) => ({ ok: false as const, error: new Error(message) });
    for (let i = 0; i < 2; i++) noise.learn(error("a"), answer(1));
    expect(noise.volatile).toEqual([]);
    for (let i = 0; i < 2; i++) noise.learn(error(`request ${i}`), error(`request ${i + 7}`));
    expect(noise.volatile).toEqual(["error.message"]);
  });
});

test("learning is refused where it would act twice, or would be told to nobody", () => {
  const sides = { old: () => 1, new: () => 1 };
  expect(() => open({ ...sides, effects: "writes" })).toThrow(/effects/);
  expect(() => open({ ...sides, compare: () => true })).toThrow(/learnNoise/);
  expect(() => open({ ...sides, learnNoise: 101 })).toThrow(/learnNoise/);
  expect(() => open({ ...sides, learnNoise: Number.NaN })).toThrow(/learnNoise/);
});
