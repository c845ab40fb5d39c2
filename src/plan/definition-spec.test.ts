import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { errorCatalog } from "../core/index.ts";

const page = await readFile(new URL("../../docs/spec/definition.md", import.meta.url), "utf8");
const listed = [...page.matchAll(/^\| `(CUTOVER_\w+)`/gm)].map((match) => match[1]);

describe("the page on the definition", () => {
  test("lists every code that a wrong definition can end with", async () => {
    const tests = await readFile(new URL("./define-migration.test.ts", import.meta.url), "utf8");
    const shown = new Set(
      [...tests.matchAll(/"(CUTOVER_(?:PLAN|DURATION|GATE)_\w+)"/g)].map((match) => match[1]),
    );
    expect(new Set(listed)).toEqual(shown);
  });

  test("lists no code that does not exist", () => {
    for (const code of listed) expect(Object.keys(errorCatalog)).toContain(code);
  });
});
