import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { explore } from "./explorer.ts";
import { type Case, protocol } from "./protocol.ts";
import { mutants, type Rules, rules, spareRules } from "./rules.ts";

const small: Case = {
  workers: 2,
  orders: 1,
  crashes: true,
  failures: true,
  people: false,
  lostAnswers: false,
  tells: true,
  thread: false,
};

const watched: Case = { ...small, failures: false, thread: true };

// A third of all calls are refused: their errors need no stack here.
const { stackTraceLimit } = Error;
beforeAll(() => void (Error.stackTraceLimit = 0));
afterAll(() => void (Error.stackTraceLimit = stackTraceLimit));

describe("claim, lease, heartbeat and rescue hold in every order of events", () => {
  const cases: readonly (readonly [string, Case, Rules])[] = [
    ["two workers, with people who cancel and requeue", { ...small, people: true }, rules],
    [
      "two workers that claim and start in one commit, with people",
      { ...small, people: true },
      { ...rules, starts: true },
    ],
    ["two workers, with answers that never come", { ...small, lostAnswers: true, tells: false }, rules],
    ["two workers, heartbeats of one of them watched over by a thread", watched, rules],
    ["three workers", { ...small, workers: 3, tells: false }, rules],
    [
      "two workers and two orders, without crashes and failures",
      { ...small, orders: 2, crashes: false, failures: false, tells: false },
      rules,
    ],
  ];
  test.each(cases)(
    "%s",
    (name, what, by) => {
      const found = explore(protocol(by, what));
      console.log(`${name}: ${found.states} states, ${found.steps} steps`);
      expect(found.counterexample).toBeUndefined();
      expect(found.states).toBeGreaterThan(5_000);
    },
    120_000,
  );
});

/** What comes of each mutant, at the end of the shortest way there. */
const expected: Readonly<Record<keyof typeof mutants, RegExp>> = {
  "a write is looked at by its state alone, without the fence": /claim 1 wrote although there is claim 2/,
  "a heartbeat is accepted after the lease is over, and a rescue does not look at it again":
    /both believe they hold it/,
  "a heartbeat is accepted without a look at the fence": /claim 1 wrote although there is claim 2/,
  "a rescue keeps the attempt that was begun": /attempt 1, but 0 count/,
  "a rescue does not count the crash": /0 crashes are counted, but 1 count/,
  "a rescue does not wait for the end of the lease": /both believe they hold it/,
  "an order without a worker is found first and read later": /both believe they hold it/,
  "a result that comes late is accepted": /completed led from WAITING_RETRY .* to COMPLETED/,
  "a claim does not raise the fence": /claim 1 wrote although there is claim 2/,
  "a worker that has told that it lives is blamed": /1 crashes are counted, but 0 count/,
  "a worker that may have died is not blamed": /0 crashes are counted, but 1 count/,
  "an outcome is taken although the end of the order was asked for": /although its end was asked for/,
  "a rescue goes on with an order whose end was asked for meanwhile": /although its end was asked for/,
  "the thread tells of a renewal although a lease may have ended before it": /both believe they hold it/,
  "the thread reckons from when it found its worker silent": /both believe they hold it/,
};

/** The smallest case in which a mutant can do harm, where that is not the usual one. */
const caseOf = (name: string): Case => ({
  ...(name.includes("thread") ? watched : small),
  people: name.includes("asked for"),
});

describe("a rule that is changed a little is found out", () => {
  test.each(Object.keys(mutants))("%s", (name) => {
    const { counterexample } = explore(protocol(mutants[name] ?? rules, caseOf(name)));
    expect(counterexample?.at(-1)).toMatch(expected[name] ?? /^$/);
  });
});

test.each(Object.keys(spareRules))("one line of defence is enough: %s", (name) => {
  expect(explore(protocol(spareRules[name] ?? rules, caseOf(name))).counterexample).toBeUndefined();
});
