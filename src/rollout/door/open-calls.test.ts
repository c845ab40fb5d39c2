import fc from "fast-check";
import { expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { memoryLink } from "./memory-link.ts";
import { createRollout } from "./rollout.ts";

type Ending = "answers" | "throws" | "resolves" | "rejects" | "hangs" | "rejects late";
const endings: readonly Ending[] = ["answers", "throws", "resolves", "rejects", "hangs", "rejects late"];

const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ call: fc.nat(12), ends: fc.constantFrom(...endings) }) },
  { weight: 2, arbitrary: fc.constant("settle one" as const) },
  { weight: 1, arbitrary: fc.constant("flush" as const) },
  { weight: 1, arbitrary: fc.constant("deadline" as const) },
);

test("however calls end, each is counted once, and each key that failed once on the side of its share", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 60 }), fc.boolean(), async (events, idempotent) => {
      const clock = new ManualClock();
      const link = memoryLink();
      const state = [{ route: "r", stage: "live", share: 50, epoch: 1, salt: "s" }] as const;
      const rollout = createRollout({ clock, link, state });
      const waiting: {
        readonly ends: Ending;
        readonly resolve: () => void;
        readonly reject: (e: Error) => void;
      }[] = [];
      const side = (_key: string, ends: Ending): unknown => {
        if (ends === "answers") return 1;
        if (ends === "throws") throw new Error("at once");
        return new Promise<void>((resolve, reject) => waiting.push({ ends, resolve, reject }));
      };
      const fn = rollout.route("r", { old: side, new: side, key: (key) => key, deadline: 1_000, idempotent });
      const failed = new Set<string>();
      const model = { calls: 0, errors: 0 };
      const settle = async (): Promise<void> => {
        const next = waiting.findIndex(({ ends }) => ends === "resolves" || ends === "rejects");
        const [found] = next < 0 ? [] : waiting.splice(next, 1);
        if (found?.ends === "resolves") found.resolve();
        found?.reject(new Error("rejected"));
        await clock.advance(0);
      };
      for (const each of events) {
        if (each === "settle one") await settle();
        else if (each === "flush") rollout.flush();
        else if (each === "deadline") {
          await clock.advance(3_000);
          rollout.flush();
          await clock.advance(3_000);
          rollout.flush();
        } else {
          const key = `k${each.call}`;
          const onNew = fn.side(key) === "new";
          model.calls++;
          try {
            void Promise.resolve(fn(key, each.ends)).catch(() => {});
          } catch {
            // thrown at once
          }
          if (each.ends !== "answers" && each.ends !== "resolves") {
            model.errors++;
            failed.add(`${onNew ? "new" : "old"} ${key}`);
          }
        }
      }
      // What can end ends in time; the rest is past its deadline.
      while (waiting.some(({ ends }) => ends === "resolves" || ends === "rejects")) await settle();
      for (let i = 0; i < 4; i++) {
        await clock.advance(3_000);
        rollout.flush();
      }
      for (const { reject } of waiting.splice(0)) reject(new Error("late"));
      await clock.advance(0);
      rollout.flush();
      const sum = (read: (interval: (typeof link.intervals)[number]) => number): number =>
        link.intervals.reduce((total, interval) => total + read(interval), 0);
      const slow = events.includes("deadline");
      const calls = sum((i) => i.old.calls + i.new.calls);
      const errors = sum((i) => i.old.errors + i.new.errors);
      expect(calls).toBe(model.calls);
      // A call that would have ended well may have met its deadline first.
      if (slow) expect(errors).toBeGreaterThanOrEqual(model.errors);
      else expect(errors).toBe(model.errors);
      const first = [sum((i) => i.firstErrors?.old ?? 0), sum((i) => i.firstErrors?.new ?? 0)];
      const wanted = ["old", "new"].map((name) => [...failed].filter((key) => key.startsWith(name)).length);
      if (slow) first.forEach((count, i) => expect(count).toBeGreaterThanOrEqual(wanted[i] ?? 0));
      else expect(first).toEqual(wanted);
      const hashes = link.intervals.flatMap(({ firstErrors }) => [
        ...(firstErrors?.keys?.old ?? []),
        ...(firstErrors?.keys?.new ?? []),
      ]);
      expect(new Set(hashes).size).toBe(hashes.length);
      await rollout.close();
    }),
    { numRuns: 150 },
  );
});
