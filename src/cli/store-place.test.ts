import { describe, expect, test } from "vitest";
import { inStore, storeAddress } from "./store-place.ts";

const usage = expect.objectContaining({ code: "CUTOVER_CLI_USAGE" });

describe("where the store lies", () => {
  test("a folder, by default .cutover; only another one is repeated in printed commands", () => {
    expect(storeAddress(undefined, undefined, "/p")).toEqual({
      store: "/p/.cutover",
      shared: undefined,
      storeFlag: "",
    });
    expect(storeAddress("./.cutover", undefined, "/p").storeFlag).toBe("");
    const other = storeAddress("my store", undefined, "/p");
    expect(other).toMatchObject({ store: "/p/my store", storeFlag: " --store 'my store'" });
    expect(inStore("cutover resume r1", other)).toBe("cutover resume r1 --store 'my store'");
    expect(inStore("", other)).toBe("");
  });

  test("one SQLite file", () => {
    expect(storeAddress("sqlite:work.db", undefined, "/p")).toEqual({
      store: "/p/.cutover",
      shared: { url: "sqlite:/p/work.db", shown: "sqlite:work.db" },
      storeFlag: " --store sqlite:work.db",
    });
  });

  test.each(["postgres", "postgresql"])("%s://… is never shown with its password", (scheme) => {
    const url = `${scheme}://ann:s3cret@db.example:6543/work?schema=x&password=other`;
    const { shared, storeFlag, store } = storeAddress(url, undefined, "/p");
    expect(shared?.url).toBe(url);
    expect(shared?.shown).toBe(`${scheme}://ann@db.example:6543/work?schema=x`);
    expect(storeFlag).toBe(` --store '${scheme}://ann@db.example:6543/work?schema=x'`);
    expect(store).toBe("/p/.cutover");
  });

  test("a SQLite file is no URL: two slashes and parameters are refused", () => {
    for (const text of ["sqlite://work.db", "sqlite:work.db?schema=x"])
      expect(() => storeAddress(text, undefined, "/p")).toThrow(
        expect.objectContaining({
          code: "CUTOVER_CLI_USAGE",
          remedy: expect.stringContaining("sqlite:work.db") as string,
        }),
      );
    expect(storeAddress("sqlite:///q/work.db", undefined, "/p").shared?.url).toBe("sqlite:/q/work.db");
  });

  test("CUTOVER_STORE stands in for --store and need not be repeated; --store goes before it", () => {
    const environment = "postgres://ann:s3cret@host/db";
    expect(storeAddress(undefined, environment, "/p")).toMatchObject({
      shared: { url: environment, shown: "postgres://ann@host/db" },
      storeFlag: "",
    });
    expect(storeAddress("there", environment, "/p")).toMatchObject({ store: "/p/there", shared: undefined });
    expect(storeAddress(undefined, "", "/p").store).toBe("/p/.cutover");
  });

  test("an address of another kind is refused without showing what is secret in it", () => {
    for (const text of ["mysql://ann:s3cret@host/db", "postgres:ann:s3cret", "sqlite:", "sqlite::memory:"]) {
      expect(() => storeAddress(text, undefined, "/p"), text).toThrow(usage);
      try {
        storeAddress(text, undefined, "/p");
      } catch (error) {
        expect(String(error)).not.toContain("s3cret");
      }
    }
  });

  test("with CUTOVER_STORE set, the usual folder has to be named", () => {
    expect(storeAddress(".cutover", "postgres://ann@host/db", "/p").storeFlag).toBe(" --store .cutover");
  });
});
