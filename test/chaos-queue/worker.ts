/** A worker process of the chaos: `worker.ts JSON`, see `WorkerStart`. Ends by itself only after SIGTERM. */
import { setTimeout as pause } from "node:timers/promises";
import { hasCode, isCutoverError } from "../../src/core/index.ts";
import type { Queue } from "../../src/queue/index.ts";
import { Ledger } from "./ledger.ts";
import { shortStillMs } from "./overlap.ts";
import { leaseMs, queueName, seeded, type Work, workMs } from "./plan.ts";
import { loadRooms } from "./rooms.ts";

export interface WorkerStart {
  /** `sqlite:PATH` or `postgres://…`. */
  readonly where: string;
  readonly folder: string;
  /** Of this process, in the ledger. */
  readonly name: string;
  readonly slots: number;
  readonly seed: number;
  readonly built?: string;
  /** Given to workers that stand for another machine: nobody can see that their process has ended. */
  readonly workerId?: string;
}

const { where, folder, name, slots, seed, built, workerId } = JSON.parse(
  process.argv[2] ?? "{}",
) as WorkerStart;
const rooms = await loadRooms(built);
const ledger = new Ledger(folder, name);
ledger.watch(shortStillMs);
const queue = await open();

queue.work<Work>("step", async ({ payload }, tools) => {
  const { n, limit } = payload;
  const { fence, idempotencyKey: key, attempt } = tools;
  // Somebody else has it. That the record refuses it too is to be seen, so it is tried all the same.
  if (!ledger.begin({ n, key, fence, attempt, limit })) return { n, fence };
  const random = seeded(seed * 31 + n * 7 + attempt);
  let how = "failed";
  try {
    const ms = workMs(payload, fence, random);
    // Work that is shorter never looks for its signal, as most does.
    await pause(ms, undefined, ms < 20 ? {} : { signal: tools.signal });
    if (random() < 0.03) throw new Error("fails now and then");
    const counts = ledger.effect(n, key, fence);
    if (counts && random() < 0.03) throw new Error("fails now and then, after its effect");
    how = "done";
    return { n, fence };
  } catch (error) {
    const asked: unknown =
      error instanceof Error && error.name === "AbortError" ? tools.signal.reason : error;
    if (isCutoverError(asked)) how = asked.code;
    throw error;
  } finally {
    ledger.end(n, fence, how);
  }
});

process.once("SIGTERM", () => {
  void queue.stop({ wait: "3s" }).then(() => process.exit(0));
});
// The driver is gone, in whatever way: nothing may stay behind.
process.stdin.on("end", () => process.exit(1)).resume();

/** A server that is just being restarted is no reason to give up. */
async function open(): Promise<Queue> {
  const until = performance.now() + 60_000;
  for (;;) {
    try {
      return await rooms.queue.openQueue(where, {
        name: queueName,
        slots,
        stagger: 0,
        lease: leaseMs,
        grace: 500,
        poll: 500,
        retries: 100,
        depth: 10_000_000,
        // Workers are killed all the time here: no order is to blame for it.
        poisonAfter: 1_000,
        backoff: { base: 20, cap: 500 },
        memory: { warning: 1, critical: 1 },
        ...(workerId === undefined ? {} : { workerId }),
      });
    } catch (error) {
      if (!hasCode(error, "CUTOVER_STORE_UNAVAILABLE") || performance.now() > until) throw error;
      await pause(200);
    }
  }
}
