import { describe, expect, test } from "vitest";
import { sqliteAddressProblem } from "./sqlite-address.ts";

describe("the path of a SQLite file", () => {
  test.each([
    "work.db",
    "./work.db",
    "../a/work.db",
    "/var/work.db",
    "///var/work.db",
    ":memory:",
    "/a?b/c.db",
  ])("is a path: %s", (path) => expect(sqliteAddressProblem(path)).toBeUndefined());

  test.each([
    ["//work.db", "write sqlite:work.db for a path from here, sqlite:/work.db for one from the root"],
    ["work.db?schema=x", "write sqlite:work.db; only postgres://… takes parameters, ?schema=NAME among them"],
    ["/var/work.db?mode=ro", "write sqlite:/var/work.db; only"],
  ])("is not written as in a URL: %s", (path, remedy) => {
    expect(sqliteAddressProblem(path)?.remedy).toContain(remedy);
  });

  test("is not repeated where it could hold a password", () => {
    for (const path of ["//ann:s3cret@host/db", "x?password=s3cret", "//ann:s3cret@host/db?a=s3cret"])
      expect(JSON.stringify(sqliteAddressProblem(path))).not.toContain("s3cret");
  });
});
