import fc from "fast-check";
import { expect, test } from "vitest";
import { ManualClock } from "../../testing/index.ts";
import { walkWithModel } from "../../testing/store-contract/model-walk.ts";
import { seededRandom, starting } from "../../testing/store-contract/tools.ts";
import { openSqliteStore } from "./open.ts";

test("whatever is called, in whatever batches, answers and rows are those of a model that looks at everything", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.integer({ min: 1, max: 60 }),
      async (seed, turns) => {
        const clock = new ManualClock();
        await using store = await openSqliteStore({ path: ":memory:", clock });
        await walkWithModel({ store, clock }, seededRandom(seed), turns, (found, expected) =>
          expect(found).toEqual(expected),
        );
        for (let n = 0; n < 3; n++) await store.orders.claim("q", "w", starting(0), 1_000);
        const rows = await store.orders.list({ queue: "q", limit: 10_000 });
        await store.rebuild();
        expect(await store.orders.list({ queue: "q", limit: 10_000 })).toEqual(rows);
        const counts = await store.orders.counts("q");
        for (const [state, n] of Object.entries(counts))
          expect(rows.filter((row) => row.state === state).length).toBe(n);
      },
    ),
    { numRuns: 30 },
  );
}, 60_000);
