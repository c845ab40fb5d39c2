import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { copyInput, copyValue, uncopied } from "./copy.ts";

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

  test("cyclic and deep values are copied within the limit too, however long the chain", () => {
    const chain = (length: number): object => {
      let value: object = { n: 0 };
      for (let i = 1; i < length; i++) value = { n: i, next: value };
      return value;
    };
    let copied = copyValue(chain(50_000), 1e6) as { n: number; next?: object };
    let length = 1;
    for (; copied.next !== undefined; copied = copied.next as typeof copied) length++;
    expect(length).toBe(50_000);
    expect(copyValue(chain(50_000), 2_000)).toBe(uncopied);
    const ring: { all: unknown[]; next?: unknown } = { all: [] };
    for (let i = 0; i < 5_000; i++) ring.all.push({ ring });
    ring.next = { ring };
    expect(copyValue(ring, 2_000)).toBe(uncopied);
  });

  test("what maps and sets hold counts, and is copied with them", () => {
    const inner = { n: 1 };
    const map = copyValue(new Map([["a", inner]]), 100) as Map<string, { n: number }>;
    inner.n = 2;
    expect(map.get("a")).toEqual({ n: 1 });
    const wide = new Set([Array.from({ length: 500 }, () => 1)]);
    expect(copyValue(wide, 100)).toBe(uncopied);
    const run = (): number => 1;
    expect(copyValue(new Map([["run", run]]), 100)).toEqual(new Map([["run", run]]));
  });

  test("holes stay holes, symbols stay members, and -0, NaN and big numbers stay what they are", () => {
    const name = Symbol("name");
    const value = {
      holes: Object.assign([1, undefined], { length: 4 }),
      [name]: { n: 1 },
      z: -0,
      nan: Number.NaN,
      b: 2n,
    };
    const copied = copyValue(value, 100) as typeof value;
    expect(Object.keys(copied.holes)).toEqual(["0", "1"]);
    expect(copied.holes.length).toBe(4);
    expect(copied[name]).toEqual({ n: 1 });
    expect(copied[name]).not.toBe(value[name]);
    expect([Object.is(copied.z, -0), copied.nan, copied.b]).toEqual([true, Number.NaN, 2n]);
  });

  test("of a view into a large buffer only what is seen is copied", () => {
    const large = new ArrayBuffer(100_000_000);
    const view = copyValue(new Uint16Array(large, 2, 2), 100) as Uint16Array;
    expect([view.length, view.buffer.byteLength]).toEqual([2, 4]);
    const data = copyValue(new DataView(large, 1, 3), 100) as DataView;
    expect(data.buffer.byteLength).toBe(3);
    expect(copyValue(new Float64Array(1e6), 100)).toBe(uncopied);
  });

  test("a proxy is read like what it stands for, and one that throws is not copied", () => {
    expect(copyValue(new Proxy({ a: 1 }, {}), 100)).toEqual({ a: 1 });
    const hostile = new Proxy({}, { ownKeys: () => expect.fail("asked") as never });
    expect(copyValue(hostile, 100)).toBe(uncopied);
    expect(copyValue({ deep: [hostile] }, 100)).toBe(uncopied);
  });

  test("getters are read once, and a list of a class of its own becomes a plain one with its holes", () => {
    let reads = 0;
    const value = {
      get now(): object {
        reads++;
        return { reads };
      },
    };
    expect(copyValue(value, 100)).toEqual({ now: { reads: 1 } });
    expect(reads).toBe(1);
    class Rows extends Array<unknown> {
      override slice(): never {
        throw new Error("not to be called");
      }
    }
    const rows = Object.assign(new Rows(), { 0: { n: 1 }, 2: "c" });
    const copied = copyValue(rows, 100) as unknown[];
    expect([copied.constructor, copied.length, 1 in copied]).toEqual([Array, 3, false]);
    expect(copied[0]).toEqual({ n: 1 });
    expect(copied[0]).not.toBe(rows[0]);
  });

  test("null and primitives in objects without a prototype stay what they are", () => {
    const bare = Object.assign(Object.create(null) as Record<string, unknown>, { a: null, b: { c: 1 } });
    const copied = copyValue(bare, 100) as typeof bare;
    expect(Object.getPrototypeOf(copied)).toBeNull();
    expect(copied).toEqual(bare);
    expect(copied["b"]).not.toBe(bare["b"]);
  });

  test('a member named "__proto__" is copied as a member and changes no prototype', () => {
    const copied = copyValue(JSON.parse('{"__proto__":{"admin":true}}'), 100) as Record<string, unknown>;
    expect(Object.getPrototypeOf(copied)).toBe(Object.prototype);
    expect(JSON.stringify(copied)).toBe('{"__proto__":{"admin":true}}');
  });
});

describe("copyInput", () => {
  test("objects among the arguments are copied, what nobody can change is shared", () => {
    const order = { id: "a", tags: ["t"] };
    const run = (): number => 1;
    const one = copyInput([order], 100) as [typeof order];
    expect(one).toEqual([order]);
    expect(one[0]).not.toBe(order);
    expect(one[0].tags).not.toBe(order.tags);
    const many = copyInput(["a", order, run, null], 100) as unknown[];
    expect(many).toEqual(["a", order, run, null]);
    expect(many[1]).not.toBe(order);
    const plain = ["a", 1, null, undefined, run] as const;
    expect(copyInput(plain, 100)).toBe(plain);
    expect(copyInput([], 100)).toEqual([]);
  });

  test("the limit holds for all arguments together, one alone or of several", () => {
    const list = [1, 2, 3, 4, 5];
    // One each for the list of arguments, the argument, the list and its five members.
    expect(copyInput([list], 8)).toEqual([list]);
    expect(copyInput([list], 7)).toBeUndefined();
    expect(copyInput([list, "a"], 9)).toEqual([list, "a"]);
    expect(copyInput([list, "a"], 8)).toBeUndefined();
    expect(copyInput(["a", "b"], 3)).toEqual(["a", "b"]);
    expect(copyInput(["a", "b"], 2)).toBeUndefined();
    expect(copyInput([{}], 1)).toBeUndefined();
  });
});
