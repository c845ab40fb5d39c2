import { describe, expect, test } from "vitest";
import { hasCode } from "../../core/index.ts";
import { parseFlag, parseShare, readFlags, stageOfFlags } from "./flags.ts";

const refusal = (fn: () => unknown): unknown => {
  try {
    return fn();
  } catch (error) {
    return error;
  }
};

describe("strict flags", () => {
  test.each(["false", "FALSE", "0", "no", "off", " Off ", 0, false])("%j is false", (value) => {
    expect(parseFlag(value)).toBe(false);
  });
  test.each(["true", "True", "1", "yes", "on", 1, true])("%j is true", (value) => {
    expect(parseFlag(value)).toBe(true);
  });
  test.each(["", "falsy", "2", "enabled", "null", null, undefined, 2, {}, [], ["true"], "t"])(
    "%j is refused",
    (value) => {
      expect(
        hasCode(
          refusal(() => parseFlag(value)),
          "CUTOVER_FLAG_INVALID",
        ),
      ).toBe(true);
    },
  );

  test.each([
    ["0", 0],
    ["100", 100],
    ["12.5%", 12.5],
    [" 7 ", 7],
    [33.3, 33.3],
  ])("%j is the share %d", (value, share) => {
    expect(parseShare(value)).toBe(share);
  });
  test.each(["", "-1", "101", "1e2", "ten", Number.NaN, -0.1, 100.1, null, true, "0x10", "5 %%"])(
    "%j is no share",
    (value) => {
      expect(
        hasCode(
          refusal(() => parseShare(value)),
          "CUTOVER_SHARE_INVALID",
        ),
      ).toBe(true);
    },
  );

  const names = { enabled: "NEW_QUEUE", shadow: "SHADOW", share: "PERCENT" };

  test("flags are read from an environment, and a missing one is off", () => {
    expect(readFlags({ NEW_QUEUE: "yes", PERCENT: "10" }, names)).toEqual({
      enabled: true,
      shadow: false,
      share: 10,
    });
    expect(readFlags({}, names)).toEqual({ enabled: false, shadow: false, share: 0 });
  });

  test("a malformed flag is refused by its name", () => {
    const error = refusal(() => readFlags({ SHADOW: "maybe" }, names));
    expect(String(error)).toContain("SHADOW");
    expect(hasCode(error, "CUTOVER_FLAG_INVALID")).toBe(true);
  });

  test('"false" keeps everything on the old side', () => {
    const flags = readFlags({ NEW_QUEUE: "false", SHADOW: "true", PERCENT: "100" }, names);
    expect(stageOfFlags(flags)).toEqual({ stage: "off", share: 0 });
    expect(stageOfFlags({ enabled: true, shadow: true, share: 0 })).toEqual({ stage: "shadow", share: 0 });
    expect(stageOfFlags({ enabled: true, shadow: true, share: 5 })).toEqual({ stage: "live", share: 5 });
    expect(stageOfFlags({ enabled: true, shadow: false, share: 0 })).toEqual({ stage: "off", share: 0 });
  });
});
