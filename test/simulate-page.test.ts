import { expect, test } from "vitest";
import { runPage } from "./page.ts";

test("every command and every file of the page about simulations works, in the order of the page", () => {
  expect(runPage("docs/simulate.md")).toBeGreaterThan(1);
}, 120_000);

test("every command and every file of the page about metrics works, in the order of the page", () => {
  expect(runPage("docs/metrics.md")).toBe(1);
}, 60_000);
