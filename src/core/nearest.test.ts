import { describe, expect, test } from "vitest";
import { nameOneOf, nearest } from "./nearest.ts";

describe("the word a person most likely meant", () => {
  test.each([
    ["moev", "move"],
    ["verfiy", "verify"],
    ["Backfil", "backfill"],
    ["rolout", "rollout"],
    ["pause", undefined],
    ["", undefined],
  ])("%j means %j", (word, meant) => {
    expect(nearest(word, ["move", "verify", "backfill", "rollout"])).toBe(meant);
  });

  test("without a near one, at most eight known words are listed", () => {
    const many = Array.from({ length: 12 }, (_, index) => `unit-${index}-long`);
    expect(nameOneOf("xyz", many, "name a unit")).toBe(
      `name a unit; known: ${many.slice(0, 8).join(", ")}, …`,
    );
    expect(nameOneOf("xyz", [], "name a unit")).toBe("name a unit");
  });
});
