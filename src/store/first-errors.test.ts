import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Interval, systemClock } from "../core/index.ts";
import { judgeIntervals } from "../gates/index.ts";
import { createRollout } from "../rollout/index.ts";
import { openSqliteStore, storeLink } from "./index.ts";

test("keys that fail at four doors of an application count once, and the verdict rests on them", async () => {
  const dir = mkdtempSync(join(tmpdir(), "cutover-first-"));
  try {
    await using store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
    await store.routes.set({ route: "r", epoch: 0, stage: "live", share: 30, by: "ann" });
    const answers = async (key: string): Promise<string> => key;
    const breaks = async (_key: string): Promise<string> => {
      throw new Error("broken");
    };
    const doors = ["a", "b", "c", "d"].map((name) => {
      const rollout = createRollout({ name, link: storeLink(store), flush: 20 });
      const call = rollout.route("r", { old: answers, new: breaks, key: (key: string) => key });
      return { rollout, call };
    });
    const end = Date.now() + 10_000;
    while (doors.some(({ call }) => call.state().stage !== "live")) {
      if (Date.now() > end) throw new Error("the doors did not hear of the stage");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const keys = Array.from({ length: 200 }, (_, n) => `customer ${n}`);
    const onNew = keys.filter((key) => doors[0]?.call.side(key) === "new").length;
    for (let round = 0; round < 3; round++)
      for (const { call } of doors) await Promise.all(keys.map((key) => call(key).catch(() => {})));
    for (const { rollout } of doors) await rollout.close();

    const intervals = await store.routes.intervals({ route: "r", since: 0 });
    const sum = (read: (interval: Interval) => number): number =>
      intervals.reduce((total, interval) => total + read(interval), 0);
    expect(sum(({ new: fresh }) => fresh.errors)).toBe(3 * 4 * onNew);
    expect([sum((i) => i.firstErrors?.old ?? 0), sum((i) => i.firstErrors?.new ?? 0)]).toEqual([0, onNew]);
    expect(intervals.some(({ firstErrors }) => firstErrors?.keys !== undefined)).toBe(false);

    const verdict = judgeIntervals(
      { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 },
      { of: "errors" },
      intervals,
    );
    expect(verdict.kind).toBe("fail");
    expect(JSON.stringify(verdict)).toContain(`"newFirst":${onNew}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
