import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compare, Comparer, compareOutcomes } from "./compare.ts";

const paths = (a: unknown, b: unknown, options = {}): readonly string[] =>
  compare(a, b, options).differences.map((difference) => difference.path);

describe("compare", () => {
  test("any value equals its copy", () => {
    fc.assert(
      fc.property(
        fc.anything({ withDate: true, withMap: true, withSet: true, withTypedArray: true }),
        (value) => {
          expect(compare(value, structuredClone(value))).toEqual({ differences: [], complete: true });
        },
      ),
    );
  });

  test("a changed leaf is found at its path", () => {
    const json = fc.dictionary(
      fc.string({ minLength: 1 }).filter((name) => !name.includes(".")),
      fc.integer(),
      { minKeys: 1 },
    );
    fc.assert(
      fc.property(json, fc.nat(), (value, pick) => {
        const name = Object.keys(value)[pick % Object.keys(value).length] ?? "";
        const other = { ...value, [name]: (value[name] ?? 0) + 1 };
        expect(paths({ deep: [value] }, { deep: [other] })).toEqual([`deep.0.${name}`]);
      }),
    );
  });

  test("missing, extra and swapped members are found on both sides", () => {
    expect(paths({ a: 1, b: 2 }, { a: 2, c: 2 })).toEqual(["a", "b", "c"]);
    expect(paths([1, 2, 3], [1, 3])).toEqual(["length", "1"]);
    expect(paths(1, "1")).toEqual(["$"]);
    expect(paths(null, {})).toEqual(["$"]);
    expect(paths({}, [])).toEqual(["$"]);
    expect(paths({ constructor: 1 }, {})).toEqual(["constructor"]);
  });

  test("an undefined member equals a missing one, and NaN equals NaN", () => {
    expect(paths({ a: undefined, n: Number.NaN }, { n: Number.NaN })).toEqual([]);
    expect(paths({ n: Number.NaN }, { a: undefined, n: Number.NaN })).toEqual([]);
  });

  test("dates, maps, sets, bytes and patterns are compared by what they hold", () => {
    expect(paths(new Date(1), new Date(1))).toEqual([]);
    expect(paths({ at: new Date(1) }, { at: new Date(2) })).toEqual(["at"]);
    expect(paths(new Map([["a", 1]]), new Map([["a", 2]]))).toEqual(["a"]);
    expect(paths(new Set([1, 2]), new Set([2, 1]))).toEqual([]);
    expect(paths(new Set([1, 2]), new Set([2, 3]))).toEqual(["0"]);
    expect(paths({ b: Buffer.from("a") }, { b: Buffer.from("b") })).toEqual(["b"]);
    expect(paths(/a/, /a/g)).toEqual(["$"]);
  });

  test("volatile fields are left out by name at any depth, and by path where the path says", () => {
    const a = { runId: 1, items: [{ runId: 2, id: 3 }], meta: { id: 4 } };
    const b = { runId: 9, items: [{ runId: 8, id: 7 }], meta: { id: 4 } };
    expect(paths(a, b, { ignore: ["runId"] })).toEqual(["items.0.id"]);
    expect(paths(a, b, { ignore: ["runId", "items.*.id"] })).toEqual([]);
    expect(paths(a, b, { ignore: ["runId", "items.*"] })).toEqual([]);
    expect(paths(a, b, { ignore: ["runId", "meta.id"] })).toEqual(["items.0.id"]);
  });

  test("numbers may differ within the tolerance, absolute or relative, and not beyond", () => {
    expect(paths({ n: 1 }, { n: 1.05 }, { tolerance: { absolute: 0.1 } })).toEqual([]);
    expect(paths({ n: 1 }, { n: 1.2 }, { tolerance: { absolute: 0.1 } })).toEqual(["n"]);
    expect(paths({ n: 1000 }, { n: 1009 }, { tolerance: { relative: 0.01 } })).toEqual([]);
    expect(paths({ n: 1 }, { n: Number.NaN }, { tolerance: { absolute: 5 } })).toEqual(["n"]);
  });

  test("cycles end, and what lies deeper than 64 levels is not claimed to be equal", () => {
    const ring = (): unknown => {
      const a: Record<string, unknown> = { n: 1 };
      a["next"] = { back: a };
      return a;
    };
    expect(compare(ring(), ring())).toEqual({ differences: [], complete: true });
    const deep = (leaf: number): unknown => {
      let value: unknown = leaf;
      for (let i = 0; i < 100; i++) value = { value };
      return value;
    };
    expect(compare(deep(1), deep(2))).toEqual({ differences: [], complete: false });
  });

  test("0 equals -0, a hole equals undefined, symbols equal by description, big numbers by value", () => {
    expect(paths({ z: 0 }, { z: -0 })).toEqual([]);
    expect(paths([1, undefined, 2], Object.assign([1], { length: 3, 2: 2 }))).toEqual([]);
    expect(paths(Symbol("a"), Symbol("a"))).toEqual([]);
    expect(paths({ s: Symbol("a") }, { s: Symbol("b") })).toEqual(["s"]);
    expect(paths({ n: 1n }, { n: 1 })).toEqual(["n"]);
    expect(paths({ [Symbol("books")]: 1 }, { [Symbol("books")]: 2 })).toEqual([]);
  });

  test("instances are compared by their own members, whatever their class", () => {
    class Price {
      readonly amount: number;
      constructor(amount: number) {
        this.amount = amount;
      }
      double(): number {
        return 2 * this.amount;
      }
    }
    expect(paths({ p: new Price(1) }, { p: new Price(1) })).toEqual([]);
    expect(paths({ p: new Price(1) }, { p: { amount: 1 } })).toEqual([]);
    expect(paths({ p: new Price(1) }, { p: new Price(2) })).toEqual(["p.amount"]);
    expect(paths({ f: () => 1 }, {})).toEqual([]);
    expect(paths({ f: () => 1 }, { f: 1 })).toEqual(["f"]);
  });

  test("URLs, headers, boxed values and whatever says what it is are compared by what they say", () => {
    expect(paths({ u: new URL("http://a/b") }, { u: new URL("http://a/b") })).toEqual([]);
    expect(paths({ u: new URL("http://a/b") }, { u: new URL("http://a/c") })).toEqual(["u"]);
    expect(paths({ h: new Headers({ a: "1" }) }, { h: new Headers({ a: "2" }) })).toEqual(["h.a"]);
    // oxlint-disable-next-line no-new-wrappers -- such values exist
    expect(paths({ s: new String("a") }, { s: new String("b") })).toEqual(["s.0"]);
  });

  test("what shows nothing of what it holds is never claimed to be equal, unless it is left out", () => {
    class Secret {
      readonly #value: number;
      constructor(value: number) {
        this.#value = value;
      }
      reveal(): number {
        return this.#value;
      }
    }
    const generator = (n: number) =>
      (function* () {
        yield n;
      })();
    for (const pair of [
      [new Secret(1), new Secret(2)],
      [generator(1), generator(1)],
      [new WeakMap(), new WeakMap()],
      [Promise.resolve(1), Promise.resolve(2)],
    ] as const) {
      const [a, b] = pair.map((it) => ({ n: 1, it }));
      expect(compare(a, b)).toEqual({ differences: [], complete: false });
      expect(compare(a, b, { ignore: ["it"] })).toEqual({ differences: [], complete: true });
    }
    const same = new Secret(1);
    expect(compare({ same }, { same })).toEqual({ differences: [], complete: true });
  });

  test("typed arrays are compared number by number, of the same sort of numbers", () => {
    expect(paths(new Float32Array([1, 2]), new Float32Array([1, 3]))).toEqual(["1"]);
    expect(paths(new Float64Array([1]), new Float64Array([1.01]), { tolerance: { absolute: 0.1 } })).toEqual(
      [],
    );
    expect(paths(new Int8Array([1]), new Int16Array([1]))).toEqual(["$"]);
    expect(paths(Buffer.from("a"), new Uint8Array([97]))).toEqual([]);
  });

  test("maps whose keys are objects are compared in their order, and 1 and '1' are two keys", () => {
    expect(paths(new Map([[{ k: 1 }, "a"]]), new Map([[{ k: 1 }, "b"]]))).toEqual(["0.1"]);
    expect(paths(new Map([[1, "a"]]), new Map([["1", "a"]]))).toEqual(["1", "1"]);
  });

  test("errors differ by their causes and by the errors they gather", () => {
    const failed = (code: string) =>
      new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code }) });
    expect(paths({ e: failed("A") }, { e: failed("B") })).toEqual(["e.cause.code"]);
    const many = (message: string) => new AggregateError([new Error(message)], "all failed");
    expect(paths(many("a"), many("b"))).toEqual(["errors.0.message"]);
    const ring = new Error("ring");
    ring.cause = ring;
    expect(paths(ring, ring)).toEqual([]);
  });

  test("an enormous answer is looked at as far as the bounds go, and not claimed to be equal", () => {
    const wide = (n: number) =>
      Object.fromEntries(Array.from({ length: 150_000 }, (_, i) => [`k${i}`, { n }]));
    expect(compare(wide(1), wide(1)).complete).toBe(false);
    expect(compare({}, wide(1)).differences).toHaveLength(20);
    const list = Array.from({ length: 150_000 }, () => ({ n: 1 }));
    expect(
      compare(
        list,
        [...list.slice(0, -1), { n: 2 }].map((item) => ({ ...item })),
      ).complete,
    ).toBe(false);
  });

  test("at most the asked number of differences is listed", () => {
    const many = (n: number): number[] => Array.from({ length: 1_000 }, () => n);
    expect(paths(many(1), many(2))).toHaveLength(20);
  });
});

describe("compareOutcomes", () => {
  const comparer = new Comparer({});
  const failed = (error: unknown) => ({ ok: false as const, error });
  const paths = (a: Parameters<typeof compareOutcomes>[1], b: Parameters<typeof compareOutcomes>[2]) =>
    compareOutcomes(comparer, a, b).differences.map((difference) => difference.path);

  test("errors are compared by name, code and message", () => {
    expect(paths(failed(new TypeError("x")), failed(new TypeError("x")))).toEqual([]);
    expect(paths(failed(new TypeError("x")), failed(new Error("y")))).toEqual([
      "error.name",
      "error.message",
    ]);
    expect(paths(failed(Object.assign(new Error("x"), { code: "A" })), failed(new Error("x")))).toEqual([
      "error.code",
    ]);
  });

  test("an answer never equals an error", () => {
    expect(paths({ ok: true, value: undefined }, failed(new Error("x")))).toEqual(["$"]);
    expect(paths(failed(new Error("x")), { ok: true, value: undefined })).toEqual(["$"]);
  });
});
