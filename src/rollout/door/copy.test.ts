import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyValue, uncopied } from "./copy.ts";

describe("copyValue", () => {
  test("plain data is copied equal and shares nothing with the original", () => {
    const data = fc.object({
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withBigInt: true,
    });
    fc.assert(
      fc.property(data, (value) => {
        const copied = copyValue(value, 1e6) as typeof value;
        expect(copied).toEqual(value);
        for (const name of Object.keys(value)) {
          const part = value[name];
          if (typeof part === "object" && part !== null) expect(copied[name]).not.toBe(part);
        }
      }),
    );
  });

  test("a value with more members than the limit is not copied", () => {
    expect(copyValue({ list: Array.from({ length: 100 }, () => 1) }, 50)).toBe(uncopied);
    expect(copyValue([[[[1, 2, 3]]]], 5)).toBe(uncopied);
    expect(copyValue(new Map(Array.from({ length: 100 }, (_, i) => [i, i])), 50)).toBe(uncopied);
    expect(copyValue(Buffer.alloc(10_000), 50)).toBe(uncopied);
    expect(copyValue("x".repeat(1e6), 1)).toBe("x".repeat(1e6));
  });

  test("cycles and very deep values are copied too", () => {
    const cycle: { self?: unknown; n: number } = { n: 1 };
    cycle.self = cycle;
    const copied = copyValue(cycle, 1_000) as typeof cycle;
    expect(copied).not.toBe(cycle);
    expect(copied.self).toBe(copied);
  });

  test("functions and instances with behaviour are handed on as they are", () => {
    const signal = new AbortController().signal;
    const run = (): number => 1;
    const copied = copyValue({ signal, run }, 100) as { signal: unknown; run: unknown };
    expect(copied.signal).toBe(signal);
    expect(copied.run).toBe(run);
  });

  test("a getter that throws makes a value uncopied instead of failing the call", () => {
    const value = {
      get bad(): never {
        throw new Error("no");
      },
    };
    expect(copyValue(value, 100)).toBe(uncopied);
  });

  test('a member named "__proto__" is copied as a member and changes no prototype', () => {
    const copied = copyValue(JSON.parse('{"__proto__":{"admin":true}}'), 100) as Record<string, unknown>;
    expect(Object.getPrototypeOf(copied)).toBe(Object.prototype);
    expect(JSON.stringify(copied)).toBe('{"__proto__":{"admin":true}}');
  });
});
