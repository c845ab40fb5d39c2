import { describe, expect, test } from "vitest";
import {
  decisionBody,
  declarationsBody,
  intervalsBody,
  routeBody,
  settleBody,
  triggerBody,
} from "./wire-shapes.ts";

const side = { calls: 4, errors: 1, latency: [[3, 4]] };
const interval = {
  id: "i",
  route: "r",
  door: "d",
  epoch: 1,
  stage: "live",
  share: 10,
  from: 0,
  to: 1,
  old: side,
  new: side,
  shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
  compared: 2,
  mismatches: 1,
  failedOver: 0,
  operations: { submit: 2 },
};
const hashes = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

describe("an interval of a door", () => {
  test("is taken with all that a door may tell", () => {
    const full = {
      ...interval,
      firstErrors: { old: 1, new: 2, period: 494_000, keys: { old: [1], new: [2, Number.MAX_SAFE_INTEGER] } },
      cohorts: { eu: 2 },
      differing: { operations: { submit: 1 }, cohorts: { eu: 1 } },
      refused: { charge: 3 },
    };
    expect(intervalsBody({ intervals: [full, interval] }, "")).toEqual({ intervals: [full, interval] });
  });

  test.each([
    [{ firstErrors: { old: 1, new: 0, keys: { old: [], new: [] } } }, "firstErrors.keys.old"],
    [{ firstErrors: { old: 0, new: 1, keys: { old: [], new: [1, 2] } } }, "firstErrors.keys.new"],
    [{ firstErrors: { old: 1, new: 0, keys: { old: [0], new: [] } } }, "firstErrors.keys.old[0]"],
    [{ firstErrors: { old: 1, new: 0, keys: { old: [1.5], new: [] } } }, "firstErrors.keys.old[0]"],
    [{ firstErrors: { old: 1, new: 0, keys: { old: [2 ** 53], new: [] } } }, "firstErrors.keys.old[0]"],
    [{ firstErrors: { old: 501, new: 0, keys: { old: hashes(501), new: [] } } }, "firstErrors.keys.old"],
    [{ firstErrors: { old: -1, new: 0 } }, "firstErrors.old"],
    [{ firstErrors: { old: 0, new: 0, period: -1 } }, "firstErrors.period"],
    [{ firstErrors: { old: 0, new: 0, hashes: [] } }, "firstErrors.hashes"],
    [{ refused: { charge: -1 } }, "refused.charge"],
    [{ cohorts: ["eu"] }, "cohorts"],
    [{ differing: { operations: {} } }, "differing.cohorts"],
    [{ old: { ...side, errors: 5 } }, "old.errors"],
    [{ mismatches: 3 }, "mismatches"],
    [{ share: Number.NaN }, "share"],
    [{ to: -1 }, "to"],
  ])("with %j is refused at its place", (wrong, place) => {
    expect(() => intervalsBody({ intervals: [{ ...interval, ...wrong }] }, "")).toThrow(
      expect.objectContaining({ code: "CUTOVER_REQUEST_INVALID", place: `intervals[0].${place}` }) as Error,
    );
  });
});

test("a declaration may name cohorts and what never goes to both sides, and nothing that is unknown", () => {
  const declaration = { route: "r", door: "d", operations: ["get"], stages: ["off"] };
  const full = { ...declaration, cohorts: ["eu"], never: { charge: "non-idempotent" } };
  expect(declarationsBody({ declarations: [full] }, "")).toEqual({ declarations: [full] });
  expect(() => declarationsBody({ declarations: [{ ...declaration, nevr: {} }] }, "")).toThrow(
    expect.objectContaining({ place: "declarations[0].nevr" }) as Error,
  );
});

describe("a person's decision", () => {
  const bodies = [
    ["about a run", (by: unknown) => decisionBody({ by, reason: "r" }, "body")],
    ["about a step", (by: unknown) => settleBody({ step: "a/b", outcome: "done", by, reason: "r" }, "body")],
    ["about a trigger", (by: unknown) => triggerBody({ trigger: "t", by, reason: "r" }, "body")],
    ["about a route", (by: unknown) => routeBody({ stage: "live", share: 1, by, reason: "r" }, "body")],
  ] as const;

  test.each(bodies)("%s has a name that people can read", (_, read) => {
    expect(read("Zo\u00eb").by).toBe("Zo\u00eb");
    for (const by of ["a\nb", "\u001b[2J", " ", "\u200b", ""])
      expect(() => read(by)).toThrow(expect.objectContaining({ place: "body.by" }));
  });
});
