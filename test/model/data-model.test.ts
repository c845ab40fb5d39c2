import { describe, expect, test } from "vitest";
import { type MoveCase, moveModel } from "./data-model.ts";
import { moveMutants, moveRules } from "./data-rules.ts";
import { explore } from "./explorer.ts";

const sequence: MoveCase = {
  kind: "sequence",
  writes: 2,
  crashes: 1,
  takeovers: 0,
  transactions: ["+a", "-a", "+b"],
  ahead: 1,
};
const snapshot: MoveCase = { ...sequence, kind: "snapshot" };

describe("a move holds in every order of events", () => {
  const cases: readonly (readonly [string, MoveCase])[] = [
    ["a journal, one crash", { ...sequence, transactions: ["+a", "-a", "+b", "-b"] }],
    [
      "a journal, two crashes, a chunk read ahead",
      { ...sequence, crashes: 2, ahead: 2, transactions: ["+b", "-b"] },
    ],
    ["a journal, three writes to one key", { ...sequence, writes: 3, transactions: ["+b", "-b"] }],
    ["a journal, a worker that takes over", { ...sequence, writes: 1, crashes: 0, takeovers: 1 }],
    ["a journal, transactions of two keys", { ...sequence, transactions: ["+a -b", "-a +b"] }],
    ["snapshots, one crash", { ...snapshot, transactions: ["+a", "-b"] }],
    ["snapshots, two crashes", { ...snapshot, writes: 1, crashes: 2, transactions: ["+b", "-b"] }],
    [
      "snapshots, transactions without their keys",
      { ...snapshot, transactions: ["+b", "-b"], window: { bytes: 0, transactions: 9 } },
    ],
    [
      "snapshots, the largest transaction alone",
      { ...snapshot, transactions: ["+b", "-b"], window: { bytes: 0, transactions: 0 } },
    ],
  ];
  test.each(cases)(
    "%s",
    (name, what) => {
      const found = explore(moveModel(moveRules, what));
      console.log(`${name}: ${found.states} states, ${found.steps} steps`);
      expect(found.counterexample).toBeUndefined();
      expect(found.states).toBeGreaterThan(5_000);
    },
    120_000,
  );
});

describe("a rule that is broken is found out", () => {
  test.each(Object.keys(moveMutants))(
    "%s",
    (name) => {
      const { rules, kind, takeovers = 0, comesTo } = moveMutants[name] as (typeof moveMutants)[string];
      const what: MoveCase = { ...sequence, kind, takeovers, transactions: ["+a", "+b", "-b"] };
      const { counterexample } = explore(moveModel({ ...moveRules, ...rules }, what));
      expect(counterexample?.at(-1)).toMatch(comesTo);
    },
    120_000,
  );
});
