import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode, type Json, type JsonObject } from "../../core/index.ts";
import { changed, type AnyChange } from "./configure-change.ts";
import { differenceLines } from "./configure-difference.ts";

const settings = `{
  // how much is kept in memory
  "cache": { "size": 256, "ttl": "10s" },
  "since": 1700000000000000123,
  "hosts": ["a", "b"], /* two */
  "db.local": { "port": 5432 },
}
`;

const change = async (
  text: string | undefined,
  how: unknown,
  format: "json" | "yaml" = "json",
): Promise<string> =>
  Buffer.from(
    await changed(text === undefined ? undefined : Buffer.from(text), how as AnyChange, {
      format,
      place: "settings",
    }),
  ).toString("utf8");

describe("JSON that is configured", () => {
  test.each<[string, unknown, [string, string]]>([
    ["a member", { set: { "cache.size": 512 } }, ['"size": 256', '"size": 512']],
    [
      "a member that was not there",
      { set: { "cache.limit": 9 } },
      ['"ttl": "10s" }', '"ttl": "10s", "limit": 9 }'],
    ],
    [
      "a name with a dot in it, by a pointer",
      { set: { "/db.local/port": 1 } },
      ['"port": 5432', '"port": 1'],
    ],
    ["an item of a list", { set: { "hosts.1": "c" } }, ['"b"]', '"c"]']],
    ["one item more", { set: { "hosts.2": "c" } }, ['"b"]', '"b", "c"]']],
    ["a member that goes", { remove: ["cache.size"] }, ['"size": 256, ', ""]],
    [
      "what a function gives",
      (old: { cache: JsonObject }) => ({ ...old, cache: { ...old.cache, size: 1 } }),
      ['"size": 256', '"size": 1'],
    ],
    [
      "a new object, on lines of its own",
      { set: { "log.level": "warn" } },
      ['{ "port": 5432 }', '{ "port": 5432 },\n  "log": {\n    "level": "warn"\n  }'],
    ],
  ])("changes nothing but %s", async (_, how, [from, to]) => {
    expect(await change(settings, how)).toBe(settings.replace(from, to));
  });

  test.each([
    [
      "tabs",
      '{\n\t"a": {\n\t\t"b": 1\n\t}\n}',
      { set: { "a.c": [1] } },
      '{\n\t"a": {\n\t\t"b": 1,\n\t\t"c": [\n\t\t\t1\n\t\t]\n\t}\n}',
    ],
    [
      "Windows' ends of lines",
      '{\r\n  "a": 1\r\n}\r\n',
      { set: { b: 2 } },
      '{\r\n  "a": 1,\r\n  "b": 2\r\n}\r\n',
    ],
    ["no blanks", '{"a":1}', { set: { b: { c: 2 } } }, '{"a":1,"b":{"c":2}}'],
    ["one line", '{ "a": 1 }', { set: { b: { c: 2 } } }, '{ "a": 1, "b": { "c": 2 } }'],
    ["an empty object", "{}", { set: { a: 1 } }, '{"a":1}'],
    ["a mark of its encoding", '\uFEFF{"a":1}', { set: { a: 2 } }, '\uFEFF{"a":2}'],
    ["a name that stands there twice", '{"a":1,"b":0,"a":2}', { remove: ["a"] }, '{"b":0}'],
    [
      "a name that looks like an object's own",
      '{"x":1}',
      { set: { __proto__x: 1, "constructor.a": 2 } },
      '{"x":1,"__proto__x":1,"constructor":{"a":2}}',
    ],
    ["nothing there yet", undefined, { set: { "a.b": 1 } }, '{\n  "a": {\n    "b": 1\n  }\n}\n'],
    ["what is so already", '{"a" : 1.0}', { set: { a: 1 } }, '{"a" : 1.0}'],
  ])("keeps %s", async (_, text, how, expected) => {
    expect(await change(text, how)).toBe(expected);
  });

  test.each<[string, string, unknown, string]>([
    ["text that is no JSON", '{"a": nope}', { set: { a: 1 } }, 'found "n" in line 1'],
    ["text that ends too early", '{"a": 1', { set: { a: 1 } }, "found its end"],
    ["a member within a text", '{"a": "x"}', { set: { "a.b": 1 } }, 'found "x"'],
    ["an item far behind a list's end", '{"a": [1]}', { set: { "a.5": 1 } }, "a list of 1"],
    ["an item that would go", '{"a": [1]}', { remove: ["a.0"] }, "a list of 1"],
    [
      "a list with a number that a function would round",
      '{"a": [1700000000000000123]}',
      (old: { a: number[] }) => ({ a: [...old.a, 2] }),
      "1700000000000000123",
    ],
    ["a function that gives nothing", "{}", () => undefined, "found nothing"],
    [
      "a function that throws",
      "{}",
      () => {
        throw new Error("no such host");
      },
      "no such host",
    ],
  ])("refuses %s", async (_, text, how, message) => {
    await expect(change(text, how)).rejects.toThrow(message);
  });

  test("says what was set, whatever stood there before", async () => {
    const name = fc.constantFrom("a", "b", "c.d", "0", "", "__proto__", "ä/~");
    const pointer = (names: readonly string[]): string =>
      names.map((each) => `/${each.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
    const { json } = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)),
        fc.array(tie("json"), { maxLength: 3 }),
        fc
          .array(fc.tuple(name, tie("json")), { maxLength: 3 })
          .map((pairs) => Object.fromEntries(pairs) as Json),
      ),
    }));
    const layout = fc.constantFrom<string | number | undefined>(undefined, 2, "\t");
    await fc.assert(
      fc.asyncProperty(
        json,
        layout,
        fc.array(name, { minLength: 1, maxLength: 3 }),
        json,
        async (root, unit, path, value) => {
          const before = JSON.stringify({ root }, null, unit);
          let text = "";
          try {
            text = await change(before, { set: { [pointer(["root", ...path])]: value } });
          } catch (error) {
            // A value in the way that is no object, or a place that a list does not have.
            expect(hasCode(error, "CUTOVER_DATA_OPTIONS")).toBe(true);
            return;
          }
          const found = ["root", ...path].reduce<Json | undefined>(
            (within, each) => (within as Record<string, Json>)[each],
            JSON.parse(text) as Json,
          );
          expect(found).toEqual(value);
          if (text !== before) expect(text.includes("\n")).toBe(unit !== undefined);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("YAML that is configured", () => {
  const yaml = `# the store\ncache:\n  size: 256 # megabytes\n  ttl: 10s\nsince: 1700000000000000123\nhosts:\n  - a\n  - b\n8080: open\n`;

  test.each<[string, unknown, [string, string]]>([
    ["a member", { set: { "cache.size": 512 } }, ["256", "512"]],
    [
      "a member that was not there",
      { set: { "cache.limit": "9" } },
      ["  ttl: 10s\n", '  ttl: 10s\n  limit: "9"\n'],
    ],
    ["a member whose name is a number", { set: { "8080": "shut" } }, ["open", "shut"]],
    ["an item of a list", { set: { "hosts.1": "yes" } }, ["- b", "- yes"]],
    ["a member that goes", { remove: ["cache.ttl"] }, ["  ttl: 10s\n", ""]],
    [
      "what a function gives",
      (old: { cache: JsonObject }) => ({ ...old, cache: { ...old.cache, size: 1 } }),
      ["256", "1"],
    ],
  ])("changes nothing but %s, and keeps comments and large numbers", async (_, how, [from, to]) => {
    expect(await change(yaml, how, "yaml")).toBe(yaml.replace(from, to));
  });

  test.each<[string, string, unknown, string]>([
    ["text that is no YAML", "a: [1", { set: { a: 1 } }, "one document of YAML"],
    ["two documents", "a: 1\n---\nb: 2\n", { set: { a: 2 } }, "one document of YAML"],
    ["a member within a text", "a: x\n", { set: { "a.b": 1 } }, 'found "x"'],
  ])("refuses %s", async (_, text, how, message) => {
    await expect(change(text, how, "yaml")).rejects.toThrow(message);
  });

  test("is made where there was none", async () => {
    expect(await change(undefined, { set: { "a.b": [1, "x"] } }, "yaml")).toBe(
      "a:\n  b:\n    - 1\n    - x\n",
    );
    expect(await change("# later\n", { set: { a: 1 } }, "yaml")).toContain("a: 1");
  });
});

describe("the difference that a plan and a report show", () => {
  const lines = (old: string, next: string, format: "json" | "text"): readonly string[] =>
    differenceLines(Buffer.from(old), Buffer.from(next), format, "settings");

  test("names members with both values", () => {
    expect(lines('{"a":{"b":1},"c":2}', '{"a":{"b":[3]},"d":4}', "json")).toEqual([
      "a.b: 1 → [3]",
      "c: 2 → nothing",
      "d: nothing → 4",
    ]);
  });

  test("names lines of text that go and come", () => {
    expect(lines("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n", "text")).toEqual(["- b", "+ B", "+ e"]);
  });

  test("shows no secrets", () => {
    const both = lines(
      '{"password":"hunter1","db":"postgres://ann:hunter2@db/x","keys":{"apiKey":"hunter3"},"n":1}',
      '{"password":"hunter4","db":"postgres://ann:hunter5@db/x","keys":{"apiKey":"hunter6"},"n":2}',
      "json",
    ).join("\n");
    expect(both).not.toContain("hunter");
    expect(both).toContain("n: 1 → 2");
    const text = lines("user ann\nPASSWORD=hunter1\n", "user ben\nPASSWORD=hunter2\n", "text").join("\n");
    expect(text).not.toContain("hunter");
    expect(text).toContain("+ user ben");
  });
});
