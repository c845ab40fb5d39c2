import { describe, expect, test } from "vitest";
import type { JsonObject } from "../core/index.ts";
import { readGraph } from "./graph.ts";
import type { TriggerView } from "./run-view.ts";
import { actionWords, triggerState } from "./words.ts";

const at = Date.UTC(2026, 0, 1, 12);
const trigger = (part: Partial<TriggerView>): TriggerView => ({
  name: "t",
  action: "alert",
  phases: [],
  armed: true,
  manual: false,
  unproven: false,
  last: null,
  firedAt: null,
  firedFor: null,
  firedBy: null,
  recoveredAt: null,
  ...part,
});

describe("a trigger in words", () => {
  test.each<[string, Partial<TriggerView>, RegExp]>([
    ["armed", {}, /^armed$/],
    ["armed for people", { manual: true }, /^armed, for people$/],
    ["not armed", { armed: false }, /^not armed$/],
    ["one that nobody measures", { armed: false, unproven: true }, /^unproven: it never fires$/],
    ["one that holds", { action: "hold", firedAt: at }, /^holds since .*12:00/],
    ["one that slows", { action: "throttle", firedAt: at }, /^slows since /],
    ["one that held a run that is over", { action: "hold", firedAt: at, armed: false }, /^fired /],
    ["one that a person fired", { firedAt: at, firedBy: "ann" }, /^fired .* by ann$/],
    ["one that has recovered", { firedAt: at, recoveredAt: at + 60_000 }, /^fired .*, over .*12:01/],
  ])("%s", (_, part, words) => {
    expect(triggerState(trigger(part))).toMatch(words);
  });

  test("is known as unproven from the record, also from one of before that does not tell", () => {
    const triggers = [
      { name: "queue grows", action: "alert", phases: null, condition: { type: "custom" } },
      { name: "memory > 90 %", action: "pause", phases: null, condition: { type: "metric" } },
    ];
    const found = (graph: JsonObject) => readGraph(graph, "h").triggers.map(({ unproven }) => unproven);
    expect(found({ triggers, unprovenTriggers: ["queue grows"] })).toEqual([true, false]);
    expect(found({ triggers })).toEqual([false, false]);
  });

  test("says what it does", () => {
    expect(["pause", "rollback", "contingency:check-scheduler"].map(actionWords)).toEqual([
      "pause",
      "roll back",
      'run "check-scheduler"',
    ]);
  });
});
