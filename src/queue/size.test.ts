import { describe, expect, test } from "vitest";
import { formatSize, parseSize } from "./size.ts";

describe("sizes", () => {
  test.each([
    ["512 MB", 512 * 2 ** 20],
    ["1.5 GB", 1.5 * 2 ** 30],
    ["64kb", 65_536],
    ["1 MiB", 2 ** 20],
    [0, 0],
    [10.2, 11],
  ])("%j is %d bytes", (text, bytes) => expect(parseSize(text, "memory")).toBe(bytes));

  test.each(["", "MB", "-1 MB", "12 parsecs", Number.NaN, -1, 1e300, "9999 TB", 5n as never])(
    "%s is refused with the name of the field",
    (text) => {
      expect(() => parseSize(text, "needs.memory")).toThrow(
        expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID", place: "needs.memory" }),
      );
    },
  );

  test("are shown in the largest unit that is not below one", () => {
    expect([512, 2048, 3.25 * 2 ** 30].map(formatSize)).toEqual(["512 B", "2 kB", "3.3 GB"]);
  });
});
