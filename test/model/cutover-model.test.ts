import { describe, expect, test } from "vitest";
import { type CutoverCase, cutoverModel } from "./cutover-model.ts";
import { cutoverMutants, cutoverRules } from "./cutover-rules.ts";
import { explore } from "./explorer.ts";

const small: CutoverCase = {
  plan: ["new", "old"],
  writers: 1,
  writes: 2,
  crashes: 0,
  takeovers: 0,
  giveBacks: 0,
  failures: 0,
};

describe("a cutover of data and its way back hold in every order of events", () => {
  const cases: readonly (readonly [string, CutoverCase])[] = [
    ["there and back, one crash", { ...small, crashes: 1 }],
    ["there and back, two writers", { ...small, writers: 2 }],
    ["there, two crashes", { ...small, plan: ["new"], crashes: 2 }],
    ["there and back, an arrow that fails", { ...small, failures: 1 }],
    ["there, an application that gives up waiting", { ...small, plan: ["new"], giveBacks: 1, crashes: 1 }],
    ["there and back, an application that gives up waiting", { ...small, giveBacks: 1 }],
    ["there, a process that was left behind", { ...small, plan: ["new"], takeovers: 1 }],
    ["there and back, a process that was left behind", { ...small, takeovers: 1, writes: 1 }],
    ["there, back and there again", { ...small, plan: ["new", "old", "new"], crashes: 1 }],
  ];
  test.each(cases)(
    "%s",
    (name, what) => {
      const found = explore(cutoverModel(cutoverRules, what));
      console.log(`${name}: ${found.states} states, ${found.steps} steps`);
      expect(found.counterexample).toBeUndefined();
      expect(found.states).toBeGreaterThan(500);
    },
    120_000,
  );
});

describe("a rule of the cutover that is broken is found out", () => {
  test.each(Object.keys(cutoverMutants))(
    "%s",
    (name) => {
      const {
        rules,
        needs = {},
        comesTo = / had .* when|turned to/,
      } = cutoverMutants[name] as (typeof cutoverMutants)[string];
      const { counterexample } = explore(cutoverModel({ ...cutoverRules, ...rules }, { ...small, ...needs }));
      expect(counterexample?.at(-1)).toMatch(comesTo);
    },
    120_000,
  );
});
