import { describe, expect, test } from "vitest";
import type { RunView } from "../report/index.ts";
import type { Arguments } from "./command.ts";
import { heldWatch } from "./held-watch.ts";

const typed = (options: { readonly untilHeld?: boolean; readonly heldFor?: string }): Arguments => ({
  positionals: [],
  text: (name) => (name === "held-for" ? options.heldFor : undefined),
  texts: () => [],
  flag: (name) => name === "until-held" && options.untilHeld === true,
});

interface Standing {
  readonly run?: string;
  readonly phase?: string;
  readonly verdict?: string;
  readonly at?: number;
  readonly wanted?: number;
}

/** What of a view is looked at. */
const view = ({ run = "RUNNING", phase = "GATING", verdict = "hold", at = 100, wanted = 0 }: Standing) =>
  ({
    run: { state: run },
    wanted: Array.from({ length: wanted }, () => ({})),
    phases: [
      { state: "SEALED", verdicts: [] },
      { state: phase, verdicts: [{ verdict, at }] },
    ],
  }) as unknown as RunView;

const since = 50;

describe("a run that gates alone hold", () => {
  test("ends after the time that was named, counted from the first look, and anew when it went on meanwhile", () => {
    const isHeld = heldWatch(typed({ heldFor: "10s" }));
    expect(isHeld(view({}), { since, at: 1_000 })).toBe(false);
    expect(isHeld(view({}), { since, at: 10_999 })).toBe(false);
    expect(isHeld(view({ phase: "RUNNING" }), { since, at: 11_000 })).toBe(false);
    expect(isHeld(view({}), { since, at: 12_000 })).toBe(false);
    expect(isHeld(view({}), { since, at: 21_999 })).toBe(false);
    expect(isHeld(view({}), { since, at: 22_000 })).toBe(true);
  });

  test("has the patience of its phase where no time was named", () => {
    const isHeld = heldWatch(typed({ untilHeld: true }));
    for (const at of [0, 80_000_000]) expect(isHeld(view({}), { since, at })).toBe(false);
  });

  test("is not held by what its gates said before it was carried on", () => {
    const isHeld = heldWatch(typed({ heldFor: "0ms" }));
    expect(isHeld(view({ at: 49 }), { since, at: 0 })).toBe(false);
    expect(isHeld(view({ at: 50 }), { since, at: 1 })).toBe(true);
  });
});

describe("a run that waits for a person", () => {
  test.each([{ untilHeld: true }, { heldFor: "10m" }])("ends at once with %o", (options) => {
    const isHeld = heldWatch(typed(options));
    expect(isHeld(view({ phase: "AWAITING_APPROVAL", wanted: 1 }), { since, at: 0 })).toBe(true);
    expect(isHeld(view({ run: "HOLDING" }), { since, at: 0 })).toBe(true);
    expect(isHeld(view({ run: "HOLDING", at: 49 }), { since, at: 0 })).toBe(false);
    expect(isHeld(view({ phase: "RUNNING" }), { since, at: 0 })).toBe(false);
  });

  test("is carried on where nothing was asked for", () => {
    expect(heldWatch(typed({}))(view({ run: "HOLDING" }), { since, at: 0 })).toBe(false);
  });
});

test("a time that is none is refused before anything is done", () => {
  expect(() => heldWatch(typed({ heldFor: "soon" }))).toThrow(
    expect.objectContaining({ code: "CUTOVER_DURATION_INVALID" }),
  );
});
