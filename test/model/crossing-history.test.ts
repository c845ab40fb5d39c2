import fc from "fast-check";
import { expect, test } from "vitest";
import { openMemoryStore } from "../../src/data/index.ts";
import { crossingHistories, playCrossing } from "./crossing-history.ts";

test("whatever is written and whoever is killed: data crosses, comes back and crosses again, no key goes back, and nothing that was acknowledged is lost", async () => {
  await fc.assert(
    fc.asyncProperty(crossingHistories, async (history) => {
      await using old = openMemoryStore({ name: "old" });
      await using young = openMemoryStore({ name: "new" });
      const stores = { old, new: young };
      const wrong = await playCrossing(history, {
        ...stores,
        write: (side, changes, epoch) => stores[side].write(changes, { epoch }),
      });
      expect(wrong).toBeUndefined();
    }),
    { numRuns: 60 },
  );
}, 120_000);
