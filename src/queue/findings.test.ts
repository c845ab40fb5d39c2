import { expect, test } from "vitest";
import type { OrderState } from "../store/index.ts";
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
type Waiting = QueueFacts["waiting"][number];
const waiting = (kind: string, ...tags: string[]): Waiting => ({ kind, tags, slots: 1, memory: 2 ** 30 });
const staggered = (staggerMs: number | null): QueueFacts["workers"][number] => ({
  kinds: ["job"],
  tags: [],
  slots: 2,
  memory: 2 ** 30,
  staggerMs,
});
const well: QueueFacts = {
  counts,
  paused: false,
  ageMs: 59_999,
  ageLimitMs: 60_000,
  workers: [
    { kinds: ["job"], tags: ["eu"], slots: 4, memory: 2 ** 30, staggerMs: 0 },
    { kinds: ["other"], tags: ["gpu"], slots: 2, memory: 2 ** 31, staggerMs: 5_000 },
  ],
  waiting: [waiting("job"), waiting("job", "eu"), waiting("other", "gpu")],
};

test.each([
  ["nothing", {}, []],
  ["critical", { workers: [] }, ["no-worker: 3 orders wait and no worker is there"]],
  [
    "critical",
    { workers: [], counts: { ...counts, PENDING: 12_345 } },
    ["no-worker: 12,345 orders wait and no worker is there"],
  ],
  ["warning", { paused: true }, ["paused: paused: no worker starts anything"]],
  ["warning", { ageMs: 60_000 }, ["age: the oldest order that waits for room has been due for 01:00"]],
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
      "limit: what no living worker takes holds places of limit keys: k by o1; start a worker that takes it, or cancel it",
    ],
  ],
  [
    "warning",
    {
      limits: { "*": { concurrency: 2 } },
      behind: new Map([
        ["k", 1_000],
        ["l", 1],
      ]),
      waiting: [
        { ...waiting("strange"), id: "o1", limitKey: "k" },
        { ...waiting("strange"), id: "o2", limitKey: "l" },
        { ...waiting("job", "gpu"), id: "o3", limitKey: "k" },
      ],
    },
    [
      "unserved: no living worker takes strange",
      "tags: no living worker takes job with gpu",
      "limit: what no living worker takes holds places of limit keys: k by o1 and 1 more, at least 1,000 wait behind them; l by o2, 1 waits behind it; start a worker that takes it, or cancel it",
    ],
  ],
  [
    "warning",
    // Room counts where kind and tags are offered.
    {
      waiting: [
        { ...waiting("other"), memory: 2 ** 32 },
        { ...waiting("job", "eu"), memory: 2 ** 31 },
      ],
    },
    [
      "room: no living worker has room for other (4 GB asked, most offered 2 GB), job (2 GB asked, most offered 1 GB)",
    ],
  ],
  [
    "warning",
    { waiting: [{ ...waiting("job"), slots: 5 }] },
    ["room: no living worker has room for job (5 slots asked, most offered 4)"],
  ],
  [
    "nothing",
    // A worker of an older program does not tell its memory.
    {
      workers: [{ kinds: ["job"], tags: [], slots: 4, memory: null, staggerMs: 0 }],
      waiting: [{ ...waiting("job"), memory: 2 ** 40 }],
    },
    [],
  ],
  [
    "warning",
    // Eleven take one minute and five seconds.
    { workers: [staggered(6_000)], waiting: Array.from({ length: 11 }, () => waiting("job")) },
    [
      "stagger: the worker starts one order every 6.0 s (`stagger`): the 11 that come next take 01:06; lower it (0 turns it off), or start more workers",
    ],
  ],
  [
    "warning",
    {
      workers: [staggered(5_000), staggered(10_000)],
      waiting: Array.from({ length: 20 }, () => waiting("job")),
    },
    [
      "stagger: 2 workers start, each, one order every 5.0 s to 10 s (`stagger`): the 20 that come next take 01:07; lower it (0 turns it off), or start more workers",
    ],
  ],
  [
    "nothing",
    // One more worker takes them all at once, or of an older program nothing is known.
    { workers: [staggered(6_000), staggered(0)], waiting: Array.from({ length: 200 }, () => waiting("job")) },
    [],
  ],
  [
    "nothing",
    {
      workers: [staggered(6_000), staggered(null)],
      waiting: Array.from({ length: 200 }, () => waiting("job")),
    },
    [],
  ],
  ["nothing", { workers: [staggered(6_000)], waiting: Array.from({ length: 9 }, () => waiting("job")) }, []],
  [
    "warning",
    // What nobody takes is not waited for by those that are taken.
    { workers: [staggered(6_000)], waiting: Array.from({ length: 200 }, () => waiting("strange")) },
    ["unserved: no living worker takes strange"],
  ],
] as const)("says %s of a queue with %j", (level, change, expected) => {
  const findings = queueFindings({ ...well, ...change });
  expect(findings.map(({ code, message }) => `${code}: ${message}`)).toEqual(expected);
  for (const finding of findings) expect(finding.level).toBe(level);
});
