import { describe, expect, test } from "vitest";
import type { Interval, RouteDeclaration } from "../core/index.ts";
import { routeCoverage } from "./route-coverage.ts";

const side = { calls: 0, errors: 0, latency: [] };
const interval = (more: Partial<Interval>): Interval => ({
  id: "i",
  route: "r",
  door: "d",
  epoch: 1,
  stage: "shadow",
  share: 0,
  from: 0,
  to: 1,
  old: side,
  new: side,
  shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
  compared: 0,
  mismatches: 0,
  failedOver: 0,
  operations: {},
  ...more,
});
const declaration = (more: Partial<RouteDeclaration>): RouteDeclaration => ({
  route: "r",
  door: "d",
  operations: [],
  stages: ["off", "shadow"],
  ...more,
});

describe("coverage of a route", () => {
  test("adds up all doors and says of each name whether it was compared, untested, undeclared or never", () => {
    const coverage = routeCoverage(
      [
        interval({ compared: 3, mismatches: 1, operations: { get: 2, extra: 1 }, cohorts: { eu: 3 } }),
        interval({
          compared: 2,
          mismatches: 1,
          operations: { get: 2 },
          differing: { operations: { get: 1 }, cohorts: { eu: 1 } },
          cohorts: { eu: 1, asia: 1 },
          refused: { charge: 4 },
        }),
      ],
      [
        declaration({
          operations: ["get", "list"],
          cohorts: ["eu", "us"],
          never: { charge: "non-idempotent" },
        }),
        declaration({ door: "e", operations: ["get", "find"] }),
      ],
    );
    expect(coverage).toEqual({
      compared: 5,
      mismatches: 2,
      declared: true,
      fields: [],
      operations: [
        { name: "get", compared: 4, mismatches: 1, state: "compared" },
        { name: "list", compared: 0, mismatches: 0, state: "untested" },
        { name: "find", compared: 0, mismatches: 0, state: "untested" },
        { name: "extra", compared: 1, mismatches: 0, state: "undeclared" },
        { name: "charge", compared: 0, mismatches: 0, state: "never", reason: "non-idempotent", refused: 4 },
      ],
      cohorts: [
        { name: "eu", compared: 4, mismatches: 1, state: "compared" },
        { name: "us", compared: 0, mismatches: 0, state: "untested" },
        { name: "asia", compared: 1, mismatches: 0, state: "undeclared" },
      ],
    });
  });

  test("without a connected application nothing is called undeclared or untested", () => {
    const coverage = routeCoverage(
      [interval({ compared: 1, operations: { get: 1 }, refused: { charge: 2 } })],
      [],
    );
    expect(coverage).toMatchObject({
      declared: false,
      operations: [
        { name: "get", state: "compared" },
        { name: "charge", state: "never", refused: 2 },
      ],
      cohorts: [],
    });
  });

  test("an operation that one application refuses is never, whatever another compared of it", () => {
    const coverage = routeCoverage(
      [interval({ operations: { charge: 2 } })],
      [declaration({ operations: ["charge"] }), declaration({ door: "e", never: { charge: "personal" } })],
    );
    expect(coverage.operations).toEqual([
      { name: "charge", compared: 2, mismatches: 0, state: "never", reason: "personal", refused: 0 },
    ]);
  });
});
