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
