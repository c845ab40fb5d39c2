import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Interval, systemClock } from "../core/index.ts";
import { openSqliteStore, type Store } from "../store/index.ts";
import { MetricsPage } from "./metrics-page.ts";
import { openMetrics } from "./open-metrics.ts";

let dir: string;
let store: Store;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "cutover-metrics-"));
  store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

const interval = (id: string, more: Partial<Interval> = {}): Interval => ({
  id,
  route: "r",
  door: "d",
  epoch: 2,
  stage: "live",
  share: 12.5,
  from: Date.now(),
  to: Date.now() + 1_000,
  old: { calls: 7, errors: 1, latency: [[100, 6]] },
  new: { calls: 3, errors: 2, latency: [[0, 1]] },
  shadow: { calls: 4, errors: 1, timeouts: 1, skipped: 2 },
  compared: 3,
  mismatches: 1,
  failedOver: 2,
  operations: {},
  ...more,
});
const valueOf = (page: string, sample: string): number | undefined => {
  const line = page.split("\n").find((each) => each.startsWith(`${sample} `));
  return line === undefined ? undefined : Number(line.slice(sample.length + 1));
};

test("tells how runs, routes and queues stand, in a form that ends with its end", async () => {
  await store.runs.commit("r1", [
    {
      type: "run.created",
      data: {
        migration: 'odd "name"\n',
        hash: "a".repeat(64),
        source: "m.ts",
        by: "ann",
        graph: { phases: [] },
      },
    },
  ]);
  await store.routes.set({ route: "r", epoch: 0, stage: "live", share: 12.5, by: "ann" });
  const page = await new MetricsPage(store, "1.2.3", systemClock).read(3);
  expect(page.endsWith("\n# EOF\n")).toBe(true);
  expect(valueOf(page, 'cutover_build_info{version="1.2.3"}')).toBe(1);
  expect(page).toContain(String.raw`migration="odd \"name\"\n"`);
  expect(valueOf(page, 'cutover_route_stage{route="r",stage="live"}')).toBe(1);
  expect(valueOf(page, 'cutover_route_stage{route="r",stage="off"}')).toBe(0);
  expect(valueOf(page, 'cutover_route_share_ratio{route="r"}')).toBe(0.125);
  expect(valueOf(page, "cutover_doors")).toBe(3);
  // Every line is a comment or a name with labels and a number.
  for (const line of page.trimEnd().split("\n"))
    expect(line).toMatch(/^(# (TYPE|HELP|EOF).*|[a-z_]+(\{([a-z]+="([^"\\]|\\.)*",?)*\})? -?[\d.e+-]+)$/);
});

test("adds up what doors report, each interval once, however many read at the same time", async () => {
  await store.routes.set({ route: "r", epoch: 0, stage: "live", share: 12.5, by: "ann" });
  const page = new MetricsPage(store, "1", systemClock);
  await store.routes.recordIntervals([interval("1"), interval("1")]);
  await Promise.all([page.read(0), page.read(0), page.read(0)]);
  await store.routes.recordIntervals([interval("2")]);
  const text = await page.read(0);
  expect(valueOf(text, 'cutover_route_calls_total{route="r",side="old"}')).toBe(14);
  expect(valueOf(text, 'cutover_route_errors_total{route="r",side="new"}')).toBe(4);
  expect(valueOf(text, 'cutover_route_failed_over_total{route="r"}')).toBe(4);
  expect(valueOf(text, 'cutover_route_shadow_calls_total{route="r",result="skipped"}')).toBe(4);
  expect(valueOf(text, 'cutover_route_mismatches_total{route="r"}')).toBe(2);
  expect(valueOf(text, 'cutover_route_latency_seconds_count{route="r",side="old"}')).toBe(12);
  expect(valueOf(text, 'cutover_route_latency_seconds_bucket{route="r",side="new",le="0.00001"}')).toBe(2);
  expect(valueOf(text, 'cutover_route_latency_seconds_bucket{route="r",side="old",le="+Inf"}')).toBe(12);
  // Bucket 100 ends at 22 ms: the bounds about it are 20.4 ms and 40.7 ms.
  const bounds = [...text.matchAll(/_bucket\{route="r",side="old",le="([\d.]+)"\} (\d+)/g)].map(
    ([, bound, count]) => [Number(bound), Number(count)] as const,
  );
  expect(bounds.filter(([bound]) => bound < 0.0219).every(([, count]) => count === 0)).toBe(true);
  expect(bounds.filter(([bound]) => bound > 0.022).every(([, count]) => count === 12)).toBe(true);
  expect(bounds.toSorted((a, b) => a[0] - b[0])).toEqual(bounds);
});

test("a family without a sample is left out", () => {
  expect(openMetrics([{ name: "x", type: "gauge", help: "None.", samples: [] }])).toBe("# EOF\n");
});
