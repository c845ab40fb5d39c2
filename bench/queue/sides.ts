/** Who is measured, with which settings. Every name in a table is a name of this list. */
import type { Machines } from "./machines.ts";
import type { SideSpec } from "./side.ts";

export type SideName =
  | "cutover PostgreSQL"
  | "cutover SQLite"
  | "graphile-worker"
  | "graphile-worker local queue"
  | "pg-boss"
  | "pg-boss polling"
  | "BullMQ fsync always"
  | "BullMQ fsync everysec"
  | "bare INSERT";

interface SideKind extends Omit<SideSpec, "name" | "where"> {
  readonly where: "postgres" | "sqlite" | "redis always" | "redis everysec";
  /** What the head of the report says of it. */
  readonly told: string;
}

/**
 * Jobs that one worker has in hand at most, the same for every side. How many of them it does at the same time is what
 * its documentation advises, or what was fastest of the few settings that were tried here.
 */
const inHand = 500;

const cutover: Omit<SideKind, "where" | "told"> = {
  kind: "cutover",
  settings: { slots: inHand, claimBatch: inHand, memoryPerSlot: "1 MB", stagger: 0, depth: 100_000_000 },
};
const bullmq: Omit<SideKind, "where"> = {
  kind: "bullmq",
  settings: { concurrency: inHand },
  told: `concurrency ${inHand}, removeOnComplete; no history`,
};

export const sides: Readonly<Record<SideName, SideKind>> = {
  "cutover PostgreSQL": {
    ...cutover,
    where: "postgres",
    told: `${inHand} slots, claimBatch ${inHand}; each submit, claim, start and end audited in a hash chain, fences and leases; orders stay when done`,
  },
  "cutover SQLite": { ...cutover, where: "sqlite", told: "the same" },
  "graphile-worker": {
    kind: "graphile",
    where: "postgres",
    settings: { concurrentJobs: 24, maxPoolSize: 25 },
    told: "0.18.0, concurrentJobs 24, pool 25; a row is deleted when done, no history",
  },
  "graphile-worker local queue": {
    kind: "graphile",
    where: "postgres",
    settings: {
      concurrentJobs: 10,
      maxPoolSize: 12,
      localQueue: { size: inHand },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
    told: `0.18.0, concurrentJobs 10, localQueue ${inHand}, completeJobBatchDelay 0; the same`,
  },
  "pg-boss": {
    kind: "pg-boss",
    where: "postgres",
    settings: { notify: true, work: { batchSize: inHand, burstWhenBatchFull: true } },
    told: `12.27.0, batchSize ${inHand}, burstWhenBatchFull, LISTEN/NOTIFY; rows stay when done, no history`,
  },
  "pg-boss polling": {
    kind: "pg-boss",
    where: "postgres",
    // The lock that NOTIFY takes lets only one submit commit at a time; without it a start waits for half a second.
    settings: {
      notify: false,
      work: { batchSize: inHand, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
    },
    told: "the same without LISTEN/NOTIFY, polling twice a second",
  },
  "BullMQ fsync always": { ...bullmq, where: "redis always", told: `6.7.0, ${bullmq.told}` },
  "BullMQ fsync everysec": { ...bullmq, where: "redis everysec", told: "the same" },
  "bare INSERT": {
    kind: "insert",
    where: "postgres",
    settings: {},
    told: "no queue, one prepared statement and its commit: the floor of this machine",
  },
};

/** A side with nothing in it. @throws when what it needs is missing on this machine */
export async function specOf(name: SideName, machines: Machines): Promise<SideSpec> {
  const { kind, settings, where } = sides[name];
  const place = {
    postgres: () => machines.postgres(),
    sqlite: () => machines.sqlite(),
    "redis always": () => machines.redis("always"),
    "redis everysec": () => machines.redis("everysec"),
  }[where];
  return { kind, name, settings, where: await place() };
}
