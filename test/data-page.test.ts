import { expect, test } from "vitest";
import { runPage } from "./page.ts";

test("every command and every file of the page on data works, in the order of the page", () => {
  expect(runPage("docs/data.md", { packages: ["vitest"] })).toBeGreaterThan(5);
}, 240_000);
