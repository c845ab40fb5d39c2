import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "../core/index.ts";
import { isFinished, legalEvents, nextState, orderEvents, orderStates, orderTransitions } from "./states.ts";

const page = readFileSync(new URL("../../docs/spec/work-order.md", import.meta.url), "utf8");

/** Rows of the page's numbered tables: the number, then the cells without their back-ticks. */
const rows = [...page.matchAll(/^\| (\d+)\.(\d+) +\| (.+) \|$/gm)].map(([, section, no, cells]) => ({
  section: Number(section),
  no: Number(no),
  cells: (cells ?? "").split(" | ").map((cell) => cell.trim().replaceAll("`", "")),
}));

describe("the state table", () => {
  test("says the same as the page about every transition", () => {
    const written = rows.filter((row) => row.section === 3).map(({ cells }) => cells.join(" "));
    const coded = orderStates.flatMap((state) =>
      legalEvents(state).map((event) => `${state} ${event} ${orderTransitions[state][event]}`),
    );
    expect(written.sort()).toEqual(coded.sort());
  });

  test("has the states and events of the page, numbered without gaps", () => {
    const first = (section: number) =>
      rows.filter((row) => row.section === section).map((row) => row.cells[0]);
    expect(first(1)).toEqual(orderStates);
    expect(first(2)).toEqual(orderEvents);
    for (const section of [1, 2, 3]) {
      const numbers = rows.filter((row) => row.section === section).map((row) => row.no);
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    }
    for (const { cells } of rows.filter((row) => row.section === 1)) {
      expect(cells[2]).toBe(isFinished(cells[0] as never) ? "yes" : "no");
    }
  });

  test("refuses an illegal event and lists the legal ones", () => {
    const refusal = (() => {
      try {
        nextState("o1", "WAITING_RETRY", "completed");
        return undefined;
      } catch (error) {
        return error;
      }
    })();
    expect(hasCode(refusal, "CUTOVER_QUEUE_ILLEGAL_TRANSITION")).toBe(true);
    expect(refusal).toMatchObject({
      message: expect.stringContaining("legal here: cancelled, retry-due, requeued"),
      details: { id: "o1", state: "WAITING_RETRY", event: "completed" },
    });
  });

  test("a random walk stays in the table, and nothing leaves COMPLETED", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...orderEvents), { maxLength: 60 }), (events) => {
        let state = orderStates[0] ?? "PENDING";
        for (const event of events) {
          const legal = legalEvents(state);
          if (legal.includes(event)) {
            const next = nextState("o1", state, event);
            expect(state).not.toBe("COMPLETED");
            // Work runs only after a claim, and a result comes only from work that runs.
            if (next === "RUNNING") expect(["PREPARING", "RUNNING"]).toContain(state);
            if (next === "COMPLETED") expect(state).toBe("RUNNING");
            state = next;
          } else {
            expect(() => nextState("o1", state, event)).toThrow(
              expect.objectContaining({ code: "CUTOVER_QUEUE_ILLEGAL_TRANSITION" }),
            );
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test("every state can be reached from PENDING", () => {
    const reached = new Set(["PENDING"]);
    for (let before = 0; before !== reached.size;) {
      before = reached.size;
      for (const state of orderStates) {
        if (!reached.has(state)) continue;
        for (const event of legalEvents(state)) reached.add(nextState("o1", state, event));
      }
    }
    expect([...reached].sort()).toEqual([...orderStates].sort());
  });
});
