import { expect, test } from "vitest";
import { Redactor } from "./redact.ts";

test("values under secret or personal names are never shown, however the name is written or nested", () => {
  const redactor = new Redactor(["customerName"]);
  expect(redactor.show("user.password", "hunter2")).toBe("[redacted]");
  expect(redactor.show("access_token", "abc")).toBe("[redacted]");
  expect(redactor.show("headers.Set-Cookie.0", "a=b")).toBe("[redacted]");
  expect(redactor.show("customer_name", "Ann")).toBe("[redacted]");
  const shown = redactor.show("$", { user: { eMail: "a@b.c", id: 7, api_key: { v: "k1" } } });
  expect(shown).toBe('{"user":{"eMail":"[redacted]","id":7,"api_key":"[redacted]"}}');
});

test("texts are cut to 200 characters and unshowable values have a text too", () => {
  const redactor = new Redactor();
  expect(redactor.show("a", "x".repeat(500))).toHaveLength(200);
  const ring: Record<string, unknown> = {};
  ring["ring"] = ring;
  expect(redactor.show("a", ring)).toContain("cannot be shown");
  expect(redactor.show("a", undefined)).toBe("undefined");
  expect(redactor.show("a", 5n)).toBe("5n");
  expect(
    redactor.show(
      "a",
      new Map([
        ["token", "x"],
        ["n", "1"],
      ]),
    ),
  ).toBe('{"token":"[redacted]","n":"1"}');
});

test("secrets within texts are hidden behind their names too", () => {
  const redactor = new Redactor(["customerName"]);
  expect(redactor.show("body", '{"token":"abc","n":1}')).toBe('"{\\"token\\":[redacted],\\"n\\":1}"');
  expect(redactor.show("url", "/a?password=hunter2&page=2")).toBe('"/a?password=[redacted]&page=2"');
  expect(redactor.show("log", "customer_name: Ann, id: 7")).toBe('"customer_name: [redacted], id: 7"');
  expect(redactor.show("head", "Authorization: Bearer abc.def")).toBe('"Authorization: [redacted]"');
});

test("of two long texts the part around the first difference is shown", () => {
  const redactor = new Redactor();
  const text = (end: string): string => `${"a".repeat(1_000)}${end}${"z".repeat(1_000)}`;
  const [one, other] = redactor.showBoth("text", text("old"), text("new"));
  expect(one).toContain("aaold");
  expect(other).toContain("aanew");
  expect(one.length).toBeLessThanOrEqual(200);
  expect(redactor.showBoth("password", text("old"), text("new"))).toEqual(["[redacted]", "[redacted]"]);
  const [hidden] = redactor.showBoth(
    "text",
    `${"a".repeat(500)} token: abcdef`,
    `${"a".repeat(500)} token: abcxyz`,
  );
  expect(hidden).not.toContain("abc");
});

test("something enormous is shown without being walked to its end", () => {
  const redactor = new Redactor();
  let asked = 0;
  const list = new Proxy(
    Array.from({ length: 1e6 }, () => 1),
    {
      get(target, name) {
        asked++;
        return Reflect.get(target, name) as unknown;
      },
    },
  );
  expect(redactor.show("list", { list })).toHaveLength(200);
  expect(asked).toBeLessThan(2_000);
  expect(redactor.show("bytes", new Uint8Array(1e6))).toMatch(/1000000 bytes/);
});
