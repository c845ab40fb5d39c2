import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { errorCauses } from "../src/cli/error-causes.ts";
import { errorCatalog, type ErrorCode } from "../src/core/index.ts";

const page = readFileSync(join(resolve(import.meta.dirname, ".."), "docs/errors.md"), "utf8");

interface Entry {
  readonly exit: number;
  readonly cause: string;
  readonly remedy: string;
}

/** What the page says of each code: `### CODE`, then lines `Exit code N.`, `Cause: …`, `Remedy: …`. */
const onPage = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section): [string, Entry] => {
      const field = (name: string): string => new RegExp(`^- ${name}: (.*)$`, "m").exec(section)?.[1] ?? "";
      const code = section.split("\n")[0] ?? "";
      return [code, { exit: Number(field("exit code")), cause: field("cause"), remedy: field("remedy") }];
    }),
);

describe("the page of errors", () => {
  test("lists every code of the catalogue, and no other", () => {
    expect([...onPage.keys()].toSorted()).toEqual(Object.keys(errorCatalog).toSorted());
  });

  test.each(Object.keys(errorCatalog) as ErrorCode[])(
    "%s has the exit code, cause and remedy that the program prints",
    (code) => {
      const { exit, remedy } = errorCatalog[code];
      expect(onPage.get(code)).toEqual({ exit, cause: errorCauses[code], remedy });
    },
  );

  test("every cause is a sentence and every remedy says what to do", () => {
    for (const [code, { cause, remedy }] of onPage) {
      expect(cause, code).toMatch(/^[A-Z].{15,}\.$/);
      expect(remedy.length, code).toBeGreaterThan(10);
    }
  });
});
