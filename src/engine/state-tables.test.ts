import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "../core/index.ts";
import { legalEvents, nextState, phaseTable, runTable, type StateTable, stepTable } from "./state-tables.ts";

const page = readFileSync(new URL("../../docs/spec/run-machine.md", import.meta.url), "utf8");

/** Rows of one numbered table of the page: id, state, event, next state. */
function rows(letter: string): readonly (readonly [string, string, string, string])[] {
  const pattern = new RegExp(`^\\| (${letter}\\d+) +\\| ([A-Z_]+) +\\| ([a-z-]+) +\\| ([A-Z_]+) +\\|`, "gm");
  return [...page.matchAll(pattern)].map(([, id = "", state = "", event = "", next = ""]) => [
    id,
    state,
    event,
    next,
  ]);
}

const machines: readonly [string, string, StateTable<string, string>][] = [
  ["run", "R", runTable],
  ["phase", "P", phaseTable],
  ["step", "S", stepTable],
];

describe.each(machines)("the %s table", (_, letter, table) => {
  test("is the one on the page, row by row", () => {
    const written = rows(letter).map(([, state, event, next]) => `${state} ${event} ${next}`);
    const coded = Object.keys(table).flatMap((state) =>
      legalEvents(table, state).map((event) => `${state} ${event} ${table[state]?.[event]}`),
    );
    expect(written.toSorted()).toEqual(coded.toSorted());
  });

  test("has its rows numbered without gaps", () => {
    expect(rows(letter).map(([id]) => id)).toEqual(
      rows(letter).map((_row, index) => `${letter}${index + 1}`),
    );
  });

  test("is total: every state answers every event", () => {
    const events = new Set(Object.values(table).flatMap((row) => Object.keys(row)));
    for (const row of Object.values(table)) expect(new Set(Object.keys(row))).toEqual(events);
  });

  test("lets every state be reached", () => {
    const [first = ""] = Object.keys(table);
    const reached = new Set([first]);
    for (const state of reached)
      for (const next of Object.values(table[state] ?? {})) if (next !== null) reached.add(next);
    expect(reached).toEqual(new Set(Object.keys(table)));
  });

  test("is walked at random without ever leaving its states, and refuses by naming what is legal", () => {
    const [first = ""] = Object.keys(table);
    const events = Object.keys(table[first] ?? {});
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 60 }), (walk) => {
        let state = first;
        for (const event of walk) {
          const legal = legalEvents(table, state);
          if (legal.includes(event)) state = nextState(table, "it", state, event);
          else {
            const refused = refusal(() => nextState(table, "it", state, event));
            expect(hasCode(refused, "CUTOVER_RUN_STATE")).toBe(true);
            expect((refused as { details?: unknown }).details).toEqual({ state, event, legal });
          }
          expect(Object.keys(table)).toContain(state);
        }
      }),
    );
  });
});

function refusal(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
