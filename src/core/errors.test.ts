import { expect, test } from "vitest";
import { CutoverError, errorCatalog, hasCode, isCutoverError } from "./index.ts";

test("an error carries code, place, remedy, exit code and its cause", () => {
  const cause = new Error("disk");
  const error = new CutoverError("CUTOVER_STORE_FULL", {
    message: "no space left",
    place: "cutover.db",
    cause,
  });
  expect(error.toJSON()).toEqual({
    code: "CUTOVER_STORE_FULL",
    message: "no space left",
    details: {},
    place: "cutover.db",
    remedy: errorCatalog.CUTOVER_STORE_FULL.remedy,
  });
  expect(error.cause).toBe(cause);
  expect(error.exitCode).toBe(6);
});

test("an error of another copy of the package is still recognised", () => {
  const foreign = Object.assign(new Error("x"), { name: "CutoverError", code: "CUTOVER_STORE_FULL" });
  expect(isCutoverError(foreign)).toBe(true);
  expect(hasCode(foreign, "CUTOVER_STORE_FULL")).toBe(true);
  expect(isCutoverError(new Error("x"))).toBe(false);
});

test("every code has a remedy and an exit code that is not 0", () => {
  for (const [code, { exit, remedy }] of Object.entries(errorCatalog)) {
    expect(code).toMatch(/^CUTOVER_[A-Z_]+$/);
    expect(exit).toBeGreaterThan(0);
    expect(remedy.length).toBeGreaterThan(10);
  }
});
