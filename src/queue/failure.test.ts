import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CutoverError, defaultBackoff } from "../core/index.ts";
import { classify, decideCrash, decideFailure, errorRecord, fatal, retryAfter } from "./failure.ts";

const withCode = (code: string, message = "x"): Error => Object.assign(new Error(message), { code });

describe("the class of a failure", () => {
  test("comes from the code, never from what the message says", () => {
    expect(classify(withCode("ENOENT")).class).toBe("fatal");
    expect(classify(withCode("ECONNREFUSED", "fatal: ENOENT, do not retry")).class).toBe("retryable");
    expect(classify(new Error("ENOENT")).class).toBe("retryable");
  });

  test("is looked for in the causes too", () => {
    expect(classify(new TypeError("fetch failed", { cause: withCode("EACCES") })).class).toBe("fatal");
    expect(classify(new TypeError("fetch failed", { cause: withCode("ECONNRESET") })).class).toBe(
      "retryable",
    );
  });

  test("is what the work marked it as", () => {
    expect(classify(fatal(new Error("no such customer"))).class).toBe("fatal");
    expect(classify(retryAfter("90s", withCode("ENOENT")))).toEqual({
      class: "retryable",
      retryAfterMs: 90_000,
    });
    expect(errorRecord(fatal(withCode("EBAD", "no such customer")))).toEqual({
      code: "CUTOVER_ORDER_FAILED",
      message: "no such customer",
      details: { class: "fatal", reason: "EBAD" },
    });
  });

  test("is what the queue's own rule says first", () => {
    const own = (error: unknown) => (error instanceof RangeError ? ({ class: "fatal" } as const) : undefined);
    expect(classify(new RangeError("x"), own).class).toBe("fatal");
    expect(classify(new Error("x"), own).class).toBe("retryable");
  });
});

describe("what becomes of a failed attempt", () => {
  const order = { state: "RUNNING", attempt: 1, maxRetries: 3 } as const;

  test("waits 5, 10, 20 s, then is exhausted", () => {
    const waits = [1, 2, 3, 4].map((attempt) =>
      decideFailure({ class: "retryable" }, { ...order, attempt }, defaultBackoff, 0, () => 1),
    );
    expect(waits).toEqual([
      { event: "retry-scheduled", runAt: 5_000 },
      { event: "retry-scheduled", runAt: 10_000 },
      { event: "retry-scheduled", runAt: 20_000 },
      { event: "exhausted" },
    ]);
  });

  test("fails at once when another attempt would not help", () => {
    expect(decideFailure({ class: "fatal" }, order, defaultBackoff, 0, () => 0)).toEqual({ event: "failed" });
  });

  test("never comes back sooner than the other side asked for", () => {
    const asked = { class: "retryable", retryAfterMs: 900_000 } as const;
    expect(decideFailure(asked, order, defaultBackoff, 1_000, () => 0).runAt).toBe(901_000);
  });

  test("comes back at a time that a date can name, however long the other side asked for", () => {
    const asked = classify(retryAfter(8.64e15, new Error("later")));
    const { runAt = Number.NaN } = decideFailure(asked, order, defaultBackoff, 1_000, () => 0);
    expect(new Date(runAt).getTime()).toBe(8.64e15);
  });

  test("comes back at once where nothing is to be waited for, also after hundreds of attempts", () => {
    const policy = { base: 0, factor: 1_000, cap: 1_000, floor: 0, jitter: 0.1 };
    const many = { ...order, attempt: 150, maxRetries: 1_000 };
    expect(decideFailure({ class: "retryable" }, many, policy, 7, () => 0.5).runAt).toBe(7);
  });

  test("any policy: the wait lies between floor and cap, and retries are exactly as many as allowed", () => {
    fc.assert(
      fc.property(
        fc.record({
          base: fc.integer({ min: 0, max: 10_000 }),
          factor: fc.double({ min: 1, max: 4, noNaN: true }),
          cap: fc.integer({ min: 10_000, max: 600_000 }),
          floor: fc.integer({ min: 0, max: 100 }),
          jitter: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.nat(20),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (policy, maxRetries, random) => {
          let attempt = 1;
          for (; ; attempt++) {
            const made = decideFailure(
              { class: "retryable" },
              { ...order, attempt, maxRetries },
              policy,
              0,
              () => random,
            );
            if (made.event === "exhausted") break;
            expect(made.runAt).toBeGreaterThanOrEqual(policy.floor);
            expect(made.runAt).toBeLessThanOrEqual(policy.cap);
          }
          expect(attempt).toBe(maxRetries + 1);
        },
      ),
    );
  });
});

describe("an order whose worker is gone", () => {
  test("goes on twice and is poison the third time it was running", () => {
    expect([1, 2, 3].map((crashes) => decideCrash("RUNNING", crashes, 3).event)).toEqual([
      "lost",
      "lost",
      "poisoned",
    ]);
  });

  test("is not to blame while nothing of it ran", () => {
    expect(decideCrash("PREPARING", 99, 3).event).toBe("lost");
  });
});

test.each([{}, null, { class: "later" }, { class: "retryable", retryAfterMs: Number.NaN }])(
  "a rule of the queue that says %j is refused instead of believed",
  (said) => {
    expect(() => classify(new Error("x"), () => said as never)).toThrow(
      expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place: "classify" }),
    );
  },
);

test("details that cannot be stored are left out and named: the error itself is kept", () => {
  const circle: Record<string, unknown> = {};
  circle["self"] = circle;
  const stored = (details: unknown): unknown =>
    errorRecord(new CutoverError("CUTOVER_ORDER_FAILED", { message: "m", details: details as never }));
  const leftOut = { code: "CUTOVER_ORDER_FAILED", message: "m", details: { leftOut: expect.any(String) } };
  expect(stored(circle)).toMatchObject(leftOut);
  expect(stored({ big: 1n })).toMatchObject(leftOut);
  expect(stored({ text: "x".repeat(100_000) })).toMatchObject(leftOut);
});

test("an error is stored with its own code, and a long message is cut", () => {
  expect(errorRecord(withCode("ECONNRESET", "gone"))).toEqual({ code: "ECONNRESET", message: "gone" });
  expect(errorRecord(new TypeError("bad")).code).toBe("TypeError");
  expect(errorRecord("just a text")).toEqual({ code: "Error", message: "just a text" });
  expect(
    errorRecord(new CutoverError("CUTOVER_ORDER_FAILED", { message: "m", details: { a: 1 } })).details,
  ).toEqual({ a: 1 });
  expect(errorRecord(new Error("x".repeat(9_000))).message).toMatch(/ … \(9000 characters\)$/);
});

test("whatever was thrown is stored, also what has no text, and a member that cannot be read", () => {
  const unreadable = Object.defineProperties(new Error("x"), {
    message: { get: () => circle },
    code: {
      get: () => {
        throw new Error("not for you");
      },
    },
  });
  const circle: { self?: unknown } = {};
  circle.self = circle;
  expect(errorRecord(Object.create(null))).toEqual({ code: "Error", message: "{}" });
  expect(errorRecord({ code: "E_FULL", message: "no room" })).toEqual({ code: "E_FULL", message: "no room" });
  expect(errorRecord({ status: 503 })).toEqual({ code: "Error", message: '{"status":503}' });
  expect(errorRecord(unreadable)).toMatchObject({ code: "Error" });
  expect(classify(unreadable)).toEqual({ class: "retryable" });
  expect(errorRecord(Symbol("s")).message).toBe("Symbol(s)");
  expect(errorRecord(undefined).message).toBe("undefined");
});
