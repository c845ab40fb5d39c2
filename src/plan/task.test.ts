import { describe, expect, test } from "vitest";
import type { StepContext } from "./step-kind.ts";
import { step } from "./task.ts";

const context = { step: "move/copy", attempt: 2 } as StepContext;

describe("a step made of functions", () => {
  test("records what its function answers, or null", async () => {
    const seen: unknown[] = [];
    const answers = step("copy", {
      run: ({ attempt }) => ({ attempt }),
      rollback: ({ step }) => void seen.push(step),
    });
    expect(await answers.kind.start(context)).toEqual({ attempt: 2 });
    expect(await step("copy", { run: () => {} }).kind.start(context)).toBeNull();
    await answers.kind.rollback?.(context);
    expect(seen).toEqual(["move/copy"]);
  });

  test("answers after a crash with yes, no, or an outcome of its own", async () => {
    const verified = (answer: boolean): ReturnType<typeof step> =>
      step("copy", { run: () => {}, verify: () => answer });
    expect(await verified(true).kind.verify?.(context)).toEqual({ kind: "done", result: null });
    expect(await verified(false).kind.verify?.(context)).toEqual({ kind: "not-done" });
    const unknown = step("copy", { run: () => {}, verify: () => ({ kind: "unknown", reason: "no answer" }) });
    expect(await unknown.kind.verify?.(context)).toEqual({ kind: "unknown", reason: "no answer" });
    expect(step("copy", { run: () => {} }).kind).not.toHaveProperty("verify");
  });

  test("plans with its own words over the given summary and estimate", async () => {
    const plain = step("copy", { run: () => {}, summary: "copy it", estimate: "1m" });
    expect(await plain.kind.plan(null)).toEqual({ summary: "copy it", estimateMs: 60_000 });
    const looked = step("copy", {
      run: () => {},
      estimate: "1m",
      plan: async () => ({ summary: "22 orders" }),
    });
    expect(await looked.kind.plan(null)).toEqual({ summary: "22 orders", estimateMs: 60_000 });
  });

  test("keeps only what was given, so that leaving out and saying undefined hash alike", () => {
    const { kind: _, ...plain } = step("copy", { run: () => {} });
    expect(plain).toEqual({ name: "copy", input: null });
    const { kind: __, ...full } = step("copy", {
      run: () => {},
      input: { n: 1 },
      timeout: "1s",
      retries: 3,
      after: [],
      unit: "a",
    });
    expect(full).toEqual({ name: "copy", input: { n: 1 }, timeout: "1s", retries: 3, after: [], unit: "a" });
  });
});
