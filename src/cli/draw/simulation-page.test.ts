import { expect, test } from "vitest";
import { type FaultResult, readTraffic, type SimulationResult } from "../../simulation/index.ts";
import { lineWidth, paint } from "./line.ts";
import { asksForChange, simulationPage } from "./simulation-page.ts";

const fault = (text: string, change: Partial<FaultResult> = {}): FaultResult => ({
  fault: text,
  runs: 10,
  reached: 10,
  detected: 10,
  stopped: 10,
  detection: { median: 14_000, p90: 33_000 },
  where: [{ at: "5 %", runs: 10 }],
  by: [{ by: "errors > 2× old", action: "rollback", runs: 10 }],
  hit: { calls: 1_234_567, keys: 10_000 },
  ...change,
});

const result = (change: Partial<SimulationResult> = {}): SimulationResult => ({
  migration: "orders",
  routes: ["orders.submit"],
  traffic: readTraffic({}),
  seed: 1,
  runs: 10,
  healthy: {
    runs: 10,
    falseAlarms: { runs: 0, part: 0, low: 0, high: 0.28 },
    by: [],
    notCleared: { runs: 0, by: [] },
    duration: { median: 3_600_000, p90: 3_700_000 },
  },
  faults: [fault("error:x5")],
  leftOut: [],
  passedOver: 0,
  whole: true,
  ...change,
});

const text = (page: SimulationResult, columns = 80): string =>
  simulationPage(page, columns)
    .map((line) => paint(line, false))
    .join("\n");

test("a page of any result fits 80 columns", () => {
  const { healthy } = result();
  const page = result({
    healthy: {
      ...healthy,
      notCleared: {
        runs: 3,
        by: [{ by: "ramp not cleared in time", action: "rollback", runs: 3 }],
        reason: "expected this ".repeat(30),
      },
    },
    faults: [
      fault("latency:+50%@live:50%+10m", { detection: { median: 86_400_000, p90: 90_000_000 } }),
      fault("crash", { by: [{ by: "long ".repeat(40), action: "alert", runs: 10 }] }),
    ],
    leftOut: Array.from({ length: 12 }, (_, i) => `value ${i} above something > ${i}`),
    passedOver: 3,
  });
  for (const line of simulationPage(page, 80)) expect(lineWidth(line)).toBeLessThanOrEqual(80);
  expect(text(page)).toContain("latency:+50%@live:50%+10m\n");
  expect(text(page)).toContain("24 h");
});

test("it says what nothing noticed, what went on, and what was never reached", () => {
  const page = result({
    faults: [
      fault("mismatch:1%@live", { detected: 0, stopped: 0, detection: {}, where: [], by: [] }),
      fault("error:x5", { stopped: 4 }),
      fault("crash@complete", { reached: 0, detected: 0 }),
    ],
  });
  expect(text(page)).toContain("nothing in this migration notices it");
  expect(text(page)).toContain("6 went on to the end: nothing stopped them");
  expect(text(page)).toContain("no run came so far");
  expect(text(page)).toContain("seldom noticed: mismatch:1%@live;");
  expect(asksForChange(page)).toBe(true);
});

test("it asks for a change where healthy runs are stopped, and for none where all is as it should be", () => {
  expect(asksForChange(result())).toBe(false);
  const { healthy } = result();
  const often = result({
    healthy: { ...healthy, falseAlarms: { runs: 8, part: 0.8, low: 0.49, high: 0.94 } },
  });
  expect(asksForChange(often)).toBe(true);
  expect(text(often)).toContain("healthy runs are stopped");
});
