import { expect, test } from "vitest";
import type { OrderRecord, OrderState } from "../store/index.ts";
import { type QueueFacts, queueFindings } from "./findings.ts";

const counts: Record<OrderState, number> = {
  PENDING: 3,
  PREPARING: 0,
  RUNNING: 0,
  WAITING_RETRY: 0,
  COMPLETED: 0,
  FAILED: 0,
  CANCELLED: 0,
};
const waiting = (kind: string, ...tags: string[]): Pick<OrderRecord, "kind" | "tags"> => ({ kind, tags });
const well: QueueFacts = {
  counts,
  paused: false,
  ageMs: 59_999,
  ageLimitMs: 60_000,
  workers: [
    { kinds: ["job"], tags: ["eu"] },
    { kinds: ["other"], tags: ["gpu"] },
  ],
  waiting: [waiting("job"), waiting("job", "eu"), waiting("other", "gpu")],
};

test.each([
  ["nothing", {}, []],
  ["critical", { workers: [] }, ["no-worker: 3 orders wait and no worker is there"]],
  ["warning", { paused: true }, ["paused: paused: no worker starts anything"]],
  ["warning", { ageMs: 60_000 }, ["age: the oldest order has waited 01:00 for room"]],
  ["warning", { counts: { ...counts, FAILED: 6 } }, ["failed: 6 failed and wait for a person"]],
  ["warning", { waiting: [waiting("strange")] }, ["unserved: no living worker takes strange"]],
  [
    "warning",
    // Another worker offers the tag, but does not do the kind.
    { waiting: [waiting("job", "gpu"), waiting("job", "eu", "gpu")] },
    ["tags: no living worker takes job with gpu, job with eu + gpu"],
  ],
  [
    "warning",
    {
      limits: { k: { concurrency: 1 } },
      waiting: [
        { ...waiting("strange"), id: "o1", limitKey: "k" },
        { ...waiting("strange"), id: "o2", limitKey: "free" },
        { ...waiting("job"), id: "o3", limitKey: "k" },
      ],
    },
    [
      "unserved: no living worker takes strange",
      "limit: what no living worker takes holds places of limit keys: k (order o1)",
    ],
  ],
] as const)("says %s of a queue with %j", (level, change, expected) => {
  const findings = queueFindings({ ...well, ...change });
  expect(findings.map(({ code, message }) => `${code}: ${message}`)).toEqual(expected);
  for (const finding of findings) expect(finding.level).toBe(level);
});
