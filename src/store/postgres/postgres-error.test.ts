import { expect, test } from "vitest";
import { isGone } from "./postgres-error.ts";

test.each([
  ["a write refused by a standby, in any language", { code: "25006", severity: "FEHLER" }, false],
  ["a write refused for want of room", { code: "53100", severity: "ERREUR" }, false],
  ["a server without room that ends the connection", { code: "53200", severity: "FATAL" }, true],
  ["a server that is shut down, in any language", { code: "57P01", severity: "SCHWERWIEGEND" }, true],
  ["a broken connection", { code: "ECONNRESET" }, true],
  ["a duplicate", { code: "23505", severity: "ERROR" }, false],
  ["a deadlock", { code: "40P01", severity: "ERROR" }, false],
])("%s: whether it is known what became of the write", (_, told, gone) => {
  expect(isGone(Object.assign(new Error("x"), told))).toBe(gone);
});
