import { afterEach, describe, expect, test } from "vitest";
import type { CutoverError, Interval } from "../../core/index.ts";
import { memoryLink } from "./memory-link.ts";
import type { RouteOptions } from "./options.ts";
import { createRollout, type Rollout } from "./rollout.ts";

const open: Rollout[] = [];
afterEach(async () => {
  for (const rollout of open.splice(0)) await rollout.close();
});

const module = (code: string): URL => new URL(`data:text/javascript,${encodeURIComponent(code)}`);

type Answer = (input: { n: number; fn?: () => void }) => unknown;

function route(code: string | URL, options: Partial<RouteOptions<Answer>> = {}) {
  const link = memoryLink();
  const errors: CutoverError[] = [];
  const rollout = createRollout({
    link,
    state: [{ route: "r", stage: "shadow" }],
    onError: (error) => errors.push(error),
  });
  open.push(rollout);
  const fn = rollout.route<Answer>("r", {
    old: async ({ n }) => ({ n, twice: 2 * n }),
    new: () => {
      throw new Error("called in this thread");
    },
    key: ({ n }) => n,
    effects: "none",
    worker: code instanceof URL ? code : module(code),
    shadowDeadline: 500,
    ...options,
  });
  const sum = (read: (interval: Interval) => number): number => {
    rollout.flush();
    return link.intervals.reduce((total, interval) => total + read(interval), 0);
  };
  /** Waits until this was counted; the threads are real, and so is the time. */
  const until = async (read: (interval: Interval) => number, least = 1): Promise<void> => {
    const end = performance.now() + 20_000;
    while (sum(read) < least) {
      if (performance.now() > end) throw new Error(`not counted: ${JSON.stringify(link.intervals.at(-1))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { fn, sum, until, errors, link, rollout };
}

const double = "export default async ({ n }) => ({ n, twice: 2 * n })";

describe("a new side in a thread of its own", () => {
  test("is called there with the caller's input, and its answers are compared", async () => {
    const { fn, until, sum } = route(double);
    for (let n = 0; n < 5; n++) expect(await fn({ n })).toEqual({ n, twice: 2 * n });
    await until((i) => i.compared, 5);
    expect(sum((i) => i.mismatches + i.shadow.skipped + i.shadow.errors)).toBe(0);
  });

  test("is found out when it answers wrongly, fails, or fails otherwise than the old side", async () => {
    const wrong = route("export const other = ({ n }) => ({ n, twice: 3 * n })", {
      worker: { module: module("export const other = ({ n }) => ({ n, twice: 3 * n })"), name: "other" },
    });
    await wrong.fn({ n: 1 });
    await wrong.until((i) => i.mismatches);
    const failing = route(
      "export default () => { throw Object.assign(new TypeError('no'), { code: 'E_NO' }) }",
      {
        old: () => {
          throw Object.assign(new TypeError("no"), { code: "E_NO" });
        },
      },
    );
    expect(() => failing.fn({ n: 1 })).toThrow("no");
    await failing.until((i) => i.compared);
    expect(failing.sum((i) => i.mismatches)).toBe(0);
    expect(failing.sum((i) => i.shadow.errors)).toBe(1);
  });

  test("compares streams, dates, maps and bytes that came from there", async () => {
    const code = `export default async function* ({ n }) {
      yield new Date(n); yield new Map([["a", new Uint8Array([n])]]); yield { big: 2n ** 70n };
    }`;
    const { fn, until, sum } = route(code, {
      old: async function* ({ n }) {
        yield new Date(n);
        yield new Map([["a", new Uint8Array([n])]]);
        yield { big: 2n ** 70n };
      },
    });
    for await (const _ of fn({ n: 3 }) as AsyncIterable<unknown>);
    await until((i) => i.compared);
    expect(sum((i) => i.mismatches)).toBe(0);
  });

  test("ends when it blocks, while the caller's thread goes on, and another takes its place", async () => {
    const { fn, until, sum } = route(
      `export default ({ n }) => { while (n === 13); return { n, twice: 2 * n } }`,
    );
    await fn({ n: 1 });
    await until((i) => i.compared);
    await fn({ n: 13 });
    await until((i) => i.shadow.timeouts);
    await fn({ n: 2 });
    await until((i) => i.compared, 3);
    expect(sum((i) => i.mismatches)).toBe(1);
  });

  test("takes calls beside the one that hangs with it, and those prove nothing", async () => {
    const { fn, until, sum } = route(`export default ({ n }) => new Promise(() => {})`);
    for (let n = 0; n < 4; n++) await fn({ n });
    await until((i) => i.shadow.timeouts + i.shadow.skipped, 4);
    expect(sum((i) => i.shadow.timeouts)).toBe(1);
    expect(sum((i) => i.shadow.errors)).toBe(0);
  });

  test.each([
    [
      "its heap",
      "const kept = []; export default () => { for (;;) kept.push(new Array(1e5).fill(Math.random())) }",
    ],
    [
      "buffers",
      "const kept = []; export default async () => { for (let i = 0; i < 64; i++) kept.push(new ArrayBuffer(4e6)); await new Promise(() => {}) }",
    ],
  ])("ends when it floods %s", async (_, code) => {
    const { fn, until, sum, errors } = route("", {
      worker: { module: module(code), memory: 64 },
      shadowDeadline: 15_000,
    });
    await fn({ n: 1 });
    await until((i) => i.shadow.errors);
    expect(sum((i) => i.shadow.timeouts)).toBe(0);
    expect(errors.map(({ code: name }) => name)).toEqual(["CUTOVER_ROUTE_FAULT"]);
  });

  test.each([
    ["ends its process", "export default () => process.exit(3)"],
    [
      "fails outside of its answer",
      "export default () => { setTimeout(() => { throw new Error('later') }); return new Promise(() => {}) }",
    ],
    ["has no such export", "export const other = 1"],
    ["does not load", "throw new Error('at once')"],
    ["is not there", new URL("./no-such-module.ts", import.meta.url)],
  ] as const)("that %s counts as failed, and is told to the hook", async (_, code) => {
    const { fn, until, errors } = route(code, { shadowDeadline: 10_000 });
    expect(await fn({ n: 2 })).toEqual({ n: 2, twice: 4 });
    await until((i) => i.shadow.errors);
    expect(errors.map(({ place }) => place)).toEqual(['route("r").worker']);
  });

  test("is left alone after ten failures, as any new side", async () => {
    const { fn, until, sum } = route("export default () => process.exit(1)", { shadowDeadline: 10_000 });
    for (let n = 1; n <= 10; n++) {
      await fn({ n });
      await until((i) => i.shadow.errors, n);
    }
    await fn({ n: 11 });
    expect(sum((i) => i.shadow.calls)).toBe(10);
    expect(sum((i) => i.shadow.skipped)).toBe(1);
  });

  test("proves nothing for inputs and answers that no thread can send, or that are too large", async () => {
    const { fn, until } = route(double);
    await fn({ n: 1, fn: () => {} });
    await until((i) => i.shadow.skipped);
    const large = route("export default () => Array.from({ length: 1e6 }, (_, i) => i)");
    await large.fn({ n: 1 });
    await large.until((i) => i.shadow.skipped);
    const text = route("export default () => 'x'.repeat(1e7)");
    await text.fn({ n: 1 });
    await text.until((i) => i.shadow.skipped);
  });

  test("has its deadline from when it is ready: a module that loads slowly is not ended for that", async () => {
    const { fn, until, sum } = route(`await new Promise((resolve) => setTimeout(resolve, 800)); ${double}`);
    await fn({ n: 1 });
    await until((i) => i.compared);
    expect(sum((i) => i.shadow.timeouts)).toBe(0);
  });

  test("may be a TypeScript file, and ends with its rollout", async () => {
    const { fn, until, rollout } = route(new URL("./route-state.ts", import.meta.url), {
      worker: { module: new URL("./route-state.ts", import.meta.url), name: "readRouteState" },
      old: () => {
        throw new Error("old");
      },
    });
    expect(() => fn({ n: 1 })).toThrow("old");
    await until((i) => i.shadow.errors);
    await rollout.close();
  });
});

test("options that make no sense with a thread are refused", () => {
  const bad = [
    { worker: "./new-side.ts" },
    { worker: new URL("http://localhost/a.js") },
    { worker: { module: module(double), memory: 1 } },
    { worker: { module: module(double), file: 1 } },
    { worker: module(double), effects: "writes" },
    { worker: module(double), shadow: () => 1 },
  ] as unknown as Partial<RouteOptions<Answer>>[];
  for (const options of bad)
    expect(() => route(double, options), JSON.stringify(options)).toThrow(/CUTOVER|expected/);
});
