import { expect, test } from "vitest";
import { runPage } from "./page.ts";

test("every command and every file of the guide works, in the order of the page", () => {
  expect(runPage("docs/guide.md")).toBeGreaterThan(5);
}, 120_000);

test("every command and every file of the queue's page works, in the order of the page", () => {
  expect(runPage("docs/queue.md")).toBeGreaterThan(4);
}, 120_000);

test("every command and every file of the page on written plans works, in the order of the page", () => {
  expect(runPage("docs/plans.md")).toBeGreaterThan(7);
}, 120_000);
