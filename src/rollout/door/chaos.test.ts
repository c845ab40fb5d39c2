import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Interval, type Stage } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import { createRollout } from "./rollout.ts";

interface Order {
  id: string;
  tags: string[];
}
type Answer = { id: string; tags: string[] };
type Submit = (order: Order) => Promise<Answer>;

/** Everything a new side can do wrong. */
const misdeeds: Record<string, Submit> = {
  "throws at once": () => {
    throw new Error("at once");
  },
  "throws something that is no error": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("later")),
  hangs: () => new Promise(() => {}),
  "changes its input": async (order) => {
    order.id = "spoiled";
    order.tags.push("spoiled");
    return order;
  },
  "answers wrongly": async () => ({ id: "other", tags: [] }),
  "answers nothing": (() => undefined) as unknown as Submit,
  "answers late": (order) => new Promise((resolve) => setTimeout(() => resolve({ ...order }), 30)),
  "answers twice": (() => ({
    // oxlint-disable-next-line unicorn/no-thenable -- a hand-made promise that settles as it likes is the point
    then(resolve: (value: Answer) => void, reject: (error: Error) => void) {
      resolve({ id: "first", tags: [] });
      resolve({ id: "second", tags: [] });
      reject(new Error("and fails"));
    },
  })) as unknown as Submit,
  "answers with a then that throws": (() => ({
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    get then(): never {
      throw new Error("then");
    },
  })) as unknown as Submit,
  "answers with a promise that cannot be waited for": () =>
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    Object.assign(Promise.resolve({ id: "unheard", tags: [] }), {
      then(): never {
        throw new Error("then");
      },
    }),
  "answers with a cycle": async (order) => {
    const answer = { id: order.id, tags: [] as string[], self: undefined as unknown };
    answer.self = answer;
    return answer;
  },
};

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled.length = 0;
  process.on("unhandledRejection", onUnhandled);
});
afterEach(() => void process.off("unhandledRejection", onUnhandled));

const old: Submit = async (order) => ({ id: order.id, tags: order.tags });
const turns = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

function open(bad: Submit, stage: Stage, share = 0) {
  const link = memoryLink();
  const clock = new ManualClock();
  const rollout = createRollout({
    link,
    clock,
    state: [{ route: "r", stage, share }],
    onError: () => {
      throw new Error("the hook is broken too");
    },
  });
  const submit = rollout.route("r", {
    old,
    new: bad,
    key: (order) => order.id,
    effects: "none",
    idempotent: true,
    deadline: 100,
  });
  const sum = (read: (interval: Interval) => number): number => {
    rollout.flush();
    return link.intervals.reduce((total, interval) => total + read(interval), 0);
  };
  return { submit, clock, link, sum };
}

describe.each(Object.entries(misdeeds))("a new side that %s", (_, bad) => {
  test.each(["dualwrite", "shadow"] as const)("at %s changes nothing for the caller", async (stage) => {
    const { submit, clock, sum } = open(bad, stage);
    for (let i = 0; i < 30; i++) {
      const order = { id: `o${i}`, tags: ["t"] };
      const answer = await submit(order);
      expect(answer).toEqual({ id: `o${i}`, tags: ["t"] });
      await turns();
      expect(order).toEqual({ id: `o${i}`, tags: ["t"] });
      expect(answer).toEqual({ id: `o${i}`, tags: ["t"] });
    }
    await clock.advance(1_000);
    expect(sum((interval) => interval.old.calls)).toBe(30);
    expect(sum((interval) => interval.old.errors + interval.new.calls)).toBe(0);
    expect(sum(({ shadow }) => shadow.calls + shadow.skipped)).toBe(30);
    expect(unhandled).toEqual([]);
  });

  test("at live the caller always gets an answer", async () => {
    const { submit, clock } = open(bad, "live", 50);
    const calls = Array.from({ length: 50 }, async (_unused, i) => submit({ id: `o${i}`, tags: [] }));
    await clock.advance(200);
    await new Promise((resolve) => setTimeout(resolve, 40));
    const results = await Promise.allSettled(calls);
    // Some misdeeds are answers and reach the caller as such; none may leave it without one, or with the new side's error.
    expect(results.filter((result) => result.status === "rejected")).toEqual([]);
    expect(unhandled).toEqual([]);
  });
});

test("a flood of shadow calls to a hanging side holds at most the budget, and the breaker ends even that", async () => {
  let calls = 0;
  const { submit, clock, sum } = open(() => {
    calls++;
    return new Promise(() => {});
  }, "shadow");
  for (let i = 0; i < 1_000; i++) await submit({ id: `o${i}`, tags: [] });
  await turns();
  expect(calls).toBe(10);
  await clock.advance(201); // all ten time out: the breaker opens for a second
  for (let i = 0; i < 100; i++) await submit({ id: `o${i}`, tags: [] });
  await turns();
  expect(calls).toBe(10);
  await clock.advance(1_000);
  for (let i = 0; i < 100; i++) await submit({ id: `o${i}`, tags: [] });
  await turns();
  expect(calls).toBe(11); // one probe
  expect(sum(({ shadow }) => shadow.calls + shadow.skipped)).toBe(1_200);
});

test("a new side that recovers is shadowed again after one good probe", async () => {
  let broken = true;
  const { submit, clock, sum } = open(async (order) => {
    if (broken) throw new Error("broken");
    return { ...order };
  }, "shadow");
  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      await submit({ id: `o${i}`, tags: [] });
      await turns();
    }
  };
  await some(20);
  expect(sum(({ shadow }) => shadow.calls)).toBe(10);
  broken = false;
  await clock.advance(1_001);
  await some(20);
  expect(sum(({ shadow }) => shadow.calls)).toBe(30);
});

test("the old side's rejection reaches the caller unchanged and is unhandled only if the caller leaves it so", async () => {
  const error = new Error("old");
  const link = memoryLink();
  for (const stage of ["off", "shadow", "dualwrite"] as const) {
    const rollout = createRollout({ link, state: [{ route: "r", stage }] });
    const fn = rollout.route("r", {
      old: (_id: string) => Promise.reject(error),
      new: () => Promise.reject(new Error("new")),
      key: (id) => id,
      effects: "none",
    });
    await expect(fn("a")).rejects.toBe(error);
    await turns();
    expect(unhandled).toEqual([]);
    void fn("a");
    await turns();
    expect(unhandled).toEqual([error]);
    unhandled.length = 0;
    await rollout.close();
  }
});

test("at shadow the caller can change input and answer at will without spoiling the comparison", async () => {
  const link = memoryLink();
  const rollout = createRollout({ link, state: [{ route: "r", stage: "shadow" }] });
  const fn = rollout.route("r", {
    old: async (order: Order) => {
      order.tags.push("seen by old");
      return { id: order.id, tags: order.tags.slice(0, 1) };
    },
    new: async (order: Order) => ({ id: order.id, tags: order.tags }),
    key: (order) => order.id,
    effects: "none",
  });
  let calls = 0;
  await fc.assert(
    fc.asyncProperty(fc.string(), async (id) => {
      calls++;
      const order = { id, tags: ["t"] };
      const answer = await fn(order);
      answer.tags.length = 0;
      order.id = "changed";
      await turns();
    }),
    { numRuns: 50 },
  );
  rollout.flush();
  expect(link.intervals.reduce((total, interval) => total + interval.mismatches, 0)).toBe(0);
  expect(link.intervals.reduce((total, interval) => total + interval.compared, 0)).toBe(calls);
  await rollout.close();
});

test("the caller has its answer before the shadow is even called, so a shadow that burns processor time costs it nothing", async () => {
  const seen: string[] = [];
  const { submit } = open(async (order) => {
    seen.push("shadow called");
    return { ...order };
  }, "shadow");
  const answered = submit({ id: "a", tags: [] }).then(() => seen.push("caller answered"));
  await answered;
  await turns();
  expect(seen).toEqual(["caller answered", "shadow called"]);
});
