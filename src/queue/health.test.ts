import { describe, expect, test } from "vitest";
import { admission } from "./capacity.ts";
import type { QueueFinding } from "./findings.ts";
import { type HealthInput, judgeHealth } from "./health.ts";

const finding = (code: QueueFinding["code"], level: QueueFinding["level"]): QueueFinding => ({
  code,
  level,
  message: "x",
});
const settings = {
  slots: 4,
  memoryPerSlot: 100,
  warning: 0.8,
  critical: 0.9,
  depth: 100,
};
const given = (share: number, more: Partial<HealthInput> = {}): HealthInput => {
  const memory = { limit: 1_000, used: share * 1_000, source: "test" };
  return {
    settings,
    admission: admission(settings, { slots: 1, memory: 100 }, memory),
    memory,
    memoryTrouble: undefined,
    unfinished: 10,
    usedSlots: 1,
    leftBehind: 0,
    handlers: 1,
    findings: [],
    stopped: false,
    trouble: undefined,
    waitingOrphans: 0,
    orphanTrouble: undefined,
    heartbeatTrouble: undefined,
    lostTail: undefined,
    ...more,
  };
};

describe("health", () => {
  test("is ok without reasons when nothing is wrong", () => {
    expect(judgeHealth(given(0.5))).toMatchObject({
      status: "ok",
      reasons: [],
      slots: { total: 4, admitted: 4, used: 1 },
      depth: { unfinished: 10, limit: 100 },
    });
  });

  test.each([
    ["memory-warning", "warning", given(0.85)],
    ["memory-critical", "critical", given(0.95)],
    ["memory-unread", "warning", given(0.5, { memoryTrouble: "memory.read failed: gone" })],
    ["store", "critical", given(0.5, { trouble: "disk full" })],
    ["stopped", "critical", given(0.5, { stopped: true })],
    ["paused", "warning", given(0.5, { findings: [finding("paused", "warning")] })],
    ["no-worker", "critical", given(0.5, { findings: [finding("no-worker", "critical")] })],
    ["depth", "warning", given(0.5, { unfinished: 80 })],
    ["no-handlers", "warning", given(0.5, { handlers: 0 })],
    ["orphans", "warning", given(0.5, { waitingOrphans: 2 })],
    ["heartbeat", "warning", given(0.5, { heartbeatTrouble: "its thread is gone" })],
    ["memory-configured", "warning", given(0.5, { settings: { ...settings, memoryPerSlot: 1_000 } })],
  ] as const)("says %s and is %s", (code, status, input) => {
    const health = judgeHealth(input);
    expect(health.reasons.map((reason) => reason.code)).toEqual([code]);
    expect(health.status).toBe(status);
  });

  test("says in words how much memory is in use and what follows", () => {
    expect(judgeHealth(given(0.85)).reasons[0]?.message).toBe(
      "85 % of 1000 B in use (test); 2 of 4 slots are given out",
    );
  });
});
