import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Interval, silentLog, systemClock } from "../core/index.ts";
import { judgeIntervals } from "../gates/index.ts";
import { openSqliteStore } from "../store/index.ts";
import { createOwnerServer } from "./index.ts";

const seconds = 60;
const doors = ["a", "b", "c"];

/** What three doors measured in a minute: the new side fails twice as often, the same keys fail at every door. */
function measured(end: number): readonly Interval[] {
  const period = Math.floor(end / 3_600_000);
  return Array.from({ length: seconds }, (_, second) =>
    doors.map((door): Interval => {
      const to = end - (seconds - 1 - second) * 1_000;
      const keys = { old: [1 + second * 2, 2 + second * 2], new: [10_001 + second, 20_001 + second] };
      return {
        id: `${door}/${second}`,
        route: "r",
        door,
        epoch: 1,
        stage: "live",
        share: 20,
        from: to - 1_000,
        to,
        old: { calls: 80, errors: 2, latency: [[100, 80]] },
        new: { calls: 20, errors: 2, latency: [[110, 20]] },
        shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
        compared: 0,
        mismatches: 0,
        failedOver: 0,
        firstErrors: { old: 2, new: 2, period, keys },
        operations: {},
      };
    }),
  ).flat();
}

function post(
  socketPath: string,
  intervals: readonly Interval[],
  date?: Date,
): Promise<{ readonly stored: number }> {
  return new Promise((resolve, reject) => {
    const headers = date === undefined ? {} : { date: date.toUTCString() };
    const call = request(
      { socketPath, method: "POST", path: "/v1/intervals", agent: false, timeout: 10_000, headers },
      (response) => {
        let text = "";
        response.on("data", (part) => (text += String(part)));
        response.on("end", () => resolve(JSON.parse(text) as { stored: number }));
      },
    );
    call.on("error", reject);
    call.end(JSON.stringify({ intervals }));
  });
}

/** Delivers to an owner in these parts, at these times of the door; what its store then gives to judges. */
async function delivered(parts: readonly (readonly Interval[])[], date?: Date): Promise<readonly Interval[]> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-late-"));
  try {
    await using store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
    await using server = await createOwnerServer({
      store,
      dir,
      clock: systemClock,
      log: silentLog,
      pid: 1,
      version: "1",
      run: () => undefined,
    });
    for (const part of parts) await post(server.socket, part, date);
    return await store.routes.intervals({ route: "r", since: 0 });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

test("intervals that come late, out of order or twice give the counts and the verdict of those in order", async () => {
  const all = measured(Date.now());
  const inOrder = await delivered([all]);
  const third = Math.floor(all.length / 3);
  const late = all.slice(0, third).toReversed();
  const shuffled = await delivered([
    all.slice(third * 2),
    late,
    all.slice(third, third * 2).toReversed(),
    late,
    all,
    [...late, ...late],
  ]);
  const rule = { kind: "worse-than-old", by: 1.5, alpha: 0.01, beta: 0.05 } as const;
  const sums = (intervals: readonly Interval[]): object => ({
    count: intervals.length,
    old: intervals.reduce((sum, { old }) => sum + old.errors, 0),
    first: [
      intervals.reduce((sum, { firstErrors }) => sum + (firstErrors?.old ?? 0), 0),
      intervals.reduce((sum, { firstErrors }) => sum + (firstErrors?.new ?? 0), 0),
    ],
  });
  expect(sums(shuffled)).toEqual(sums(inOrder));
  expect(sums(inOrder)).toEqual({ count: 180, old: 360, first: [120, 120] });
  expect(shuffled.map(({ to }) => to)).toEqual(inOrder.map(({ to }) => to));
  const [one, other] = [inOrder, shuffled].map((intervals) =>
    judgeIntervals(rule, { of: "errors" }, intervals),
  );
  expect(other?.kind).toBe("fail");
  expect(one?.kind).toBe("fail");
});

test.each([
  ["an hour behind", -3_600_000, true],
  ["an hour ahead", 3_600_000, true],
  ["ten seconds ahead", 10_000, true],
  ["a second behind", -1_000, false],
  ["half a second ahead", 500, false],
])("what a door measured whose clock is %s is found by the clock of the store", async (_, off, moved) => {
  const now = Date.now();
  const one = measured(now + off).slice(-3);
  const [first, ...more] = await delivered([one], new Date(now + off));
  expect(more).toHaveLength(2);
  const [from = 0, to = 0] = [first?.from, first?.to];
  expect(to - from).toBe(1_000);
  if (!moved) return expect(to).toBe(now + off);
  expect(Math.abs(to - now)).toBeLessThan(5_000);
  expect(to).toBeLessThanOrEqual(Date.now());
});

test("a time of sending that is none moves nothing", async () => {
  const one = measured(Date.now() - 3_600_000).slice(-3);
  expect((await delivered([one], new Date(Number.NaN))).map(({ to }) => to)).toEqual(one.map(({ to }) => to));
});
