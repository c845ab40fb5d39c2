import fc from "fast-check";
import { expect, test } from "vitest";
import { openMemoryStore } from "../../src/data/index.ts";
import { histories } from "./arbitrary-history.ts";
import { play } from "./data-history.ts";

test("whatever is written, crashes or pauses: no key goes back, and at the cutover both sides are equal", async () => {
  await fc.assert(
    fc.asyncProperty(histories, async (history) => {
      await using source = openMemoryStore({ name: "old" });
      await using target = openMemoryStore({ name: "new" });
      expect(
        await play(history, { source, write: (changes) => source.write(changes), target }),
      ).toBeUndefined();
    }),
    { numRuns: 300 },
  );
}, 120_000);
