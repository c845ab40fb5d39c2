import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UnitState, UnitView } from "../../report/index.ts";
import { paint } from "./line.ts";
import { textWidth } from "./text-width.ts";
import { unitBlock } from "./unit-block.ts";

const unit = (name: string, state: UnitState, change: Partial<UnitView> = {}): UnitView => ({
  name,
  title: "",
  priority: null,
  wave: null,
  state,
  stepsDone: state === "moved" ? 3 : state === "pending" ? 0 : 1,
  stepsTotal: 3,
  effortMs: null,
  startedAt: null,
  endedAt: null,
  line: "",
  ...change,
});

const shown = (units: readonly UnitView[], columns = 80): readonly string[] =>
  unitBlock(units, columns).map((line) => paint(line, false));

/** Two waves; 24 moved, one failed, one taken back, twelve moving, the rest to come. */
const fifty = Array.from({ length: 50 }, (_, index) => {
  const wave = index < 10 ? "pilot" : "rest";
  const name = `u${String(index + 1)}`;
  if (index < 24) return unit(name, "moved", { wave });
  if (index === 24) return unit("billing", "failed", { wave, line: "compare: 3 rows differ" });
  if (index === 25) return unit("orders", "back", { wave, stepsDone: 0, line: "copy: no room" });
  if (index < 38) return unit(name, "moving", { wave, line: "copy" });
  return unit(name, "pending", { wave });
});

describe("units in a terminal", () => {
  test("a few are listed one by one, with what they wait for or what failed", () => {
    const units = [
      unit("billing", "moved"),
      unit("orders", "failed", { line: "compare: 3 rows differ" }),
      unit("mail", "pending", { priority: "low", effortMs: 7_200_000 }),
    ];
    expect(shown(units)).toEqual([
      " 3 units  ✖ 1 failed · ✔ 1 moved · ○ 1 not begun",
      "     ✔ billing  3 of 3   moved",
      "     ✖ orders   1 of 3   failed · compare: 3 rows differ",
      "     ○ mail     0 of 3   not begun · low · effort ~2 h 00 min",
    ]);
  });

  test("fifty are counts, a line a wave, and those in trouble or in motion", () => {
    expect(shown(fifty)).toEqual([
      " 50 units  ✖ 1 failed · ● 12 moving · ↩ 1 taken back · ✔ 24 moved",
      "           ○ 12 not begun",
      "   wave pilot   ✔ 10 moved",
      "   wave rest    ✖ 1 failed · ● 12 moving · ↩ 1 taken back · ✔ 14 moved",
      "                ○ 12 not begun",
      "     ✖ billing  1 of 3   failed · compare: 3 rows differ",
      "     ↩ orders   0 of 3   taken back · copy: no room",
      "     ● u27      1 of 3   moving · copy",
      "     ● u28      1 of 3   moving · copy",
      "     ● u29      1 of 3   moving · copy",
      "     ● u30      1 of 3   moving · copy",
      "     ● u31      1 of 3   moving · copy",
      "     ● u32      1 of 3   moving · copy",
      "     … 6 more like these",
    ]);
  });

  test("one unit alone is not shown: its phases tell the same", () => {
    expect(shown([unit("work-orders", "moving")])).toEqual([]);
  });

  test("fit every width", () => {
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 140 }), (columns) => {
        expect(Math.max(...shown(fifty, columns).map(textWidth))).toBeLessThanOrEqual(columns);
      }),
    );
  });
});
