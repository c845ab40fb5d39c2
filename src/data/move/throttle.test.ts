import { expect, test } from "vitest";
import { defaultSizing, firstChunk, nextChunk } from "./chunk-size.ts";
import { defaultHoldLimits, holdReason } from "./holding.ts";
import { RateMeter } from "./progress.ts";

const rows = (count: number): { readonly rows: number; readonly bytes: number } => ({
  rows: count,
  bytes: 4_194_304,
});

test("chunks grow until one takes the target time, at most twofold at a time and up to the limit", () => {
  expect(firstChunk(defaultSizing).rows).toBe(1_000);
  expect(nextChunk(defaultSizing, rows(1_000), { rows: 1_000, ms: 1 }).rows).toBe(2_000);
  expect(nextChunk(defaultSizing, rows(1_000), { rows: 1_000, ms: 400 }).rows).toBe(1_250);
  expect(nextChunk(defaultSizing, rows(9_000), { rows: 9_000, ms: 10 }).rows).toBe(10_000);
});

test("chunks that take too long become smaller, down to one row", () => {
  expect(nextChunk(defaultSizing, rows(1_000), { rows: 1_000, ms: 800 }).rows).toBe(625);
  expect(nextChunk(defaultSizing, rows(1_000), { rows: 10, ms: 60_000 }).rows).toBe(500);
  expect(nextChunk(defaultSizing, rows(1), { rows: 1, ms: 60_000 }).rows).toBe(1);
});

test("a chunk that was cut by its bytes or the end of the range says nothing about more rows", () => {
  expect(nextChunk(defaultSizing, rows(1_000), { rows: 3, ms: 2 }).rows).toBe(1_000);
});

test("copying is held back by changes that wait, by a log that grows and by the old system's latency", () => {
  const calm = { lagMs: 0, retainedBytes: undefined, latencyMs: undefined };
  expect(holdReason(defaultHoldLimits, calm)).toBeUndefined();
  expect(holdReason(defaultHoldLimits, { ...calm, lagMs: 12_000 })).toBe(
    "changes wait 12.0 s to be applied, more than 10.0 s",
  );
  expect(holdReason(defaultHoldLimits, { ...calm, retainedBytes: 2 * 2 ** 30 })).toMatch(/keeps 2048.0 MiB/);
  const latency = { measure: () => 0, limitMs: 50 };
  expect(holdReason({ ...defaultHoldLimits, latency }, { ...calm, latencyMs: 80 })).toMatch(
    /80 ms, more than 50/,
  );
  expect(holdReason({ ...defaultHoldLimits, latency }, calm)).toBeUndefined();
});

test("a rate is that of the last seconds", () => {
  const meter = new RateMeter(10_000);
  expect(meter.at(0)).toEqual({ rows: 0, bytes: 0 });
  meter.add(0, { rows: 0, bytes: 0 });
  meter.add(1_000, { rows: 100, bytes: 1_000 });
  expect(meter.at(1_000)).toEqual({ rows: 100, bytes: 1_000 });
  for (let at = 2; at <= 30; at++) meter.add(at * 1_000, { rows: 100 + at * 10, bytes: 0 });
  expect(meter.at(30_000).rows).toBeCloseTo(10, 0);
});
