/**
 * The new side does everything it can to its callers' process. Whatever it does, as long as the old side answers, the
 * answers are byte for byte those of the same program without a door.
 */
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Interval, Stage } from "../../src/core/index.ts";
import { createRollout, memoryLink, type RouteOptions } from "../../src/rollout/index.ts";

interface Order {
  id: string;
  lines: { sku: string; count: number }[];
  note?: unknown;
}

type Answer = (order: Order) => Promise<unknown>;

const calls = 60;

/** An old side as there are many: it answers, refuses, streams, keeps state, and looks at all of its input. */
function oldSide(): Answer {
  let seen = 0;
  return async (order) => {
    seen++;
    if (order.id.endsWith("7"))
      throw Object.assign(new RangeError(`no stock for ${order.id}`), { code: "E_STOCK" });
    const total = order.lines.reduce((sum, { count }) => sum + count, 0);
    if (order.id.endsWith("5"))
      return (async function* () {
        for (const line of order.lines) yield { ...line, seen };
        yield { total };
      })();
    return { id: order.id, total, seen, input: JSON.stringify(order), at: new Date(1_000 * total) };
  };
}

const orders = (): Order[] =>
  Array.from({ length: calls }, (_, i) => ({
    id: `o${i}`,
    lines: [
      { sku: `s${i}`, count: i },
      { sku: "x", count: 1 },
    ],
  }));

/** Everything callers see, as one text: answers, errors, events of streams, and their inputs afterwards. */
async function transcript(answer: Answer): Promise<string> {
  const lines: string[] = [];
  for (const order of orders()) {
    try {
      const given = await answer(order);
      if (typeof given === "object" && given !== null && Symbol.asyncIterator in given) {
        for await (const event of given as AsyncIterable<unknown>) lines.push(JSON.stringify(event));
      } else lines.push(JSON.stringify(given));
    } catch (error) {
      const { name, message, code } = error as Error & { code?: string };
      lines.push(JSON.stringify({ name, message, code }));
    }
    lines.push(JSON.stringify(order));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return lines.join("\n");
}

const thenable = (
  then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void,
): unknown => ({
  // oxlint-disable-next-line unicorn/no-thenable -- a promise made by hand, that does as it likes, is the point
  then,
});

const enormous = (): unknown => {
  const value: Record<string, unknown> = {};
  for (let i = 0; i < 200_000; i++) value[`k${i}`] = i;
  return value;
};

/** What a new side may do in the callers' own thread. */
const misdeeds: Readonly<Record<string, (order: Order) => unknown>> = {
  "throws at once": () => {
    throw new Error("at once");
  },
  "throws nothing": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("later")),
  hangs: () => new Promise(() => {}),
  "changes its input": async (order) => {
    order.id = "spoiled";
    order.lines.length = 0;
    delete order.note;
    return order;
  },
  "changes its input late": async (order) => {
    await pause(1);
    for (const line of order.lines) line.count = -1;
    return order;
  },
  "answers late": async () => {
    await pause(60);
    return { id: "late" };
  },
  "answers twice": () =>
    thenable((resolve, reject) => {
      resolve({ id: "first" });
      resolve({ id: "second" });
      reject(new Error("and fails"));
    }),
  "throws after it has answered": () =>
    thenable((resolve) => {
      resolve({ id: "first" });
      throw new Error("after");
    }),
  "answers in its own turn, twice, and then fails": () =>
    thenable((resolve, reject) => {
      setImmediate(() => {
        resolve(1);
        resolve(2);
        reject(new Error("3"));
      });
    }),
  "has a then that throws when it is read": () => ({
    // oxlint-disable-next-line unicorn/no-thenable -- as above
    get then(): never {
      throw new Error("then");
    },
  }),
  "answers with what throws when it is looked at": async () => ({
    get id(): never {
      throw new Error("getter");
    },
  }),
  "answers with a proxy that throws": async () =>
    new Proxy({} as object, {
      get: (_, name) => {
        if (name === "then") return undefined;
        throw new Error("get");
      },
      ownKeys: () => {
        throw new Error("keys");
      },
      getPrototypeOf: () => {
        throw new Error("prototype");
      },
    }),
  "answers with an error that throws when it is read": () =>
    Promise.reject(
      Object.defineProperty(new Error("x"), "message", {
        get: () => {
          throw new Error("message");
        },
      }),
    ),
  "answers with a cycle": async (order) => {
    const answer: Record<string, unknown> = { id: order.id };
    answer["self"] = answer;
    return answer;
  },
  "answers with something enormous": async () => enormous(),
  "answers with everything exotic": async () => ({
    holes: Object.assign([1], { length: 3 }),
    big: 2n ** 64n,
    zero: -0,
    not: Number.NaN,
    map: new Map<unknown, unknown>([[{}, Symbol("s")]]),
    generator: (function* () {})(),
    weak: new WeakMap(),
    [Symbol("member")]: 1,
  }),
  "answers with a stream that fails": async () =>
    (async function* () {
      yield 1;
      throw new Error("mid-stream");
    })(),
  "answers with a stream that never ends and never rests": async () =>
    (async function* () {
      for (;;) yield 1;
    })(),
  "answers with a stream that hangs": async () =>
    (async function* () {
      yield await new Promise(() => {});
    })(),
  "answers with a stream whose end throws": async () => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 1 }),
      return: () => {
        throw new Error("return");
      },
    }),
  }),
  "answers with a stream that cannot be opened": async () => ({
    [Symbol.asyncIterator]: () => {
      throw new Error("open");
    },
  }),
};

const stray: unknown[] = [];
const onStray = (error: unknown): void => void stray.push(error);
beforeEach(() => {
  stray.length = 0;
  process.on("unhandledRejection", onStray);
  process.on("uncaughtException", onStray);
});
afterEach(() => {
  process.off("unhandledRejection", onStray);
  process.off("uncaughtException", onStray);
});

/** Stages at which the old side answers everybody. */
const stages: readonly (readonly [Stage, number])[] = [
  ["off", 0],
  ["dualwrite", 0],
  ["shadow", 0],
  ["live", 0],
];

async function underDoor(stage: Stage, share: number, options: Partial<RouteOptions<Answer>>) {
  const link = memoryLink();
  const rollout = createRollout({
    link,
    state: [{ route: "orders", stage, share }],
    onError: () => {
      throw new Error("the hook is broken too");
    },
  });
  const answer = rollout.route<Answer>("orders", {
    old: oldSide(),
    new: oldSide(),
    key: (order) => order.id,
    effects: "none",
    idempotent: true,
    deadline: 5_000,
    shadowDeadline: 40,
    ...options,
  });
  const text = await transcript(answer);
  await pause(80);
  await rollout.close();
  const sum = (read: (interval: Interval) => number): number =>
    link.intervals.reduce((total, interval) => total + read(interval), 0);
  return { text, sum };
}

describe.each(stages)("at %s", (stage, share) => {
  test.each(Object.entries(misdeeds))(
    "a new side that %s changes no byte of the old side's answers",
    async (_, bad) => {
      const plain = await transcript(oldSide());
      const { text, sum } = await underDoor(stage, share, { new: bad as Answer });
      expect(text).toBe(plain);
      expect(stray).toEqual([]);
      expect(sum((i) => i.old.calls)).toBe(calls);
      expect(sum((i) => i.old.errors)).toBe(calls / 10);
      expect(sum((i) => i.new.calls)).toBe(0);
    },
  );
});

describe("at shadow", () => {
  const own: Readonly<Record<string, Partial<RouteOptions<Answer>>>> = {
    "a normaliser that throws": {
      normalize: () => {
        throw new Error("normalize");
      },
    },
    "a normaliser that changes what it gets": {
      normalize: (answer) => {
        for (const name of Object.keys(answer as object)) delete (answer as Record<string, unknown>)[name];
        return answer;
      },
    },
    "a comparison that throws": {
      compare: () => {
        throw new Error("compare");
      },
    },
    "an operation that throws": {
      operation: () => {
        throw new Error("operation");
      },
    },
    "a key that throws": {
      key: () => {
        throw new Error("key");
      },
    },
    "an answer of the old side that changes at every call, and is asked for twice": { learnNoise: 100 },
  };
  test.each(Object.entries(own))("%s changes no byte of the old side's answers", async (name, options) => {
    const plain = await transcript(oldSide());
    const { text, sum } = await underDoor("shadow", 0, options);
    // Asked twice, this old side counts twice: its answers say so, and the route was told that it has no effects.
    if (options.learnNoise === undefined) expect(text, name).toBe(plain);
    expect(stray).toEqual([]);
    expect(sum((i) => i.old.calls)).toBe(calls);
  });

  test.each([
    ["blocks its thread", "export default () => { for (;;); }"],
    [
      "floods the memory",
      "const kept = []; export default () => { for (;;) kept.push(new Array(1e5).fill(0.5)) }",
    ],
    [
      "floods the memory outside the heap",
      "const kept = []; export default () => { for (;;) kept.push(new ArrayBuffer(4e6)) }",
    ],
    ["ends its process", "export default () => process.exit(1)"],
    [
      "fails outside of its answer",
      "export default () => { setTimeout(() => { throw 1 }); return new Promise(() => {}) }",
    ],
    [
      "rejects where nobody listens",
      "export default () => { void Promise.reject(new Error('stray')); return 1 }",
    ],
    [
      "closes its own door",
      "import { parentPort } from 'node:worker_threads'; export default () => { parentPort.close(); return 1 }",
    ],
  ])("a new side in a thread that %s changes no byte of the old side's answers", async (_, code) => {
    const plain = await transcript(oldSide());
    const { text, sum } = await underDoor("shadow", 0, {
      worker: { module: new URL(`data:text/javascript,${encodeURIComponent(code)}`), memory: 64 },
    });
    expect(text).toBe(plain);
    expect(stray).toEqual([]);
    expect(sum((i) => i.old.calls)).toBe(calls);
    expect(sum((i) => i.shadow.calls)).toBeGreaterThan(0);
  });
});
