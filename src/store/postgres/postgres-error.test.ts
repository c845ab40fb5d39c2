import { expect, test } from "vitest";
import { isGone, storeError } from "./postgres-error.ts";

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

test.each([
  [
    "a server, a role or a database without a connection left",
    { code: "53300" },
    "CONNECTION LIMIT of the role",
  ],
  ["PgBouncer at max_client_conn", { code: "08P01", message: "no more connections allowed" }, "a pooler"],
  ["a pooler whose pool is used up", { message: "the server did not answer within 10000 ms" }, "a pooler"],
  ["a connection on which a name is another's statement", { code: "42P05" }, "session mode"],
  ["a connection on which a statement is not prepared", { code: "26000" }, "session mode"],
])("%s: what to do", (_, told, remedy) => {
  expect(storeError(Object.assign(new Error("x"), told), "here")).toMatchObject({
    code: "CUTOVER_STORE_UNAVAILABLE",
    remedy: expect.stringContaining(remedy),
  });
});
