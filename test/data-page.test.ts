import { expect, test } from "vitest";
import { runPage } from "./page.ts";

test("every command and every file of the page on data works, in the order of the page", () => {
  expect(runPage("docs/data.md")).toBeGreaterThan(5);
}, 120_000);
