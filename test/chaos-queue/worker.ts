/** A worker process of the chaos: `worker.ts JSON`, see `WorkerStart`. Ends by itself only after SIGTERM. */
import { setTimeout as pause } from "node:timers/promises";
import { hasCode } from "../../src/core/index.ts";
import type { Queue } from "../../src/queue/index.ts";
import { Ledger } from "./ledger.ts";
import { leaseMs, queueName, seeded } from "./plan.ts";
import { loadRooms } from "./rooms.ts";

export interface WorkerStart {
  /** `sqlite:PATH` or `postgres://…`. */
  readonly where: string;
  readonly folder: string;
  readonly seed: number;
  readonly built?: string;
  /** Given to workers that stand for another machine: nobody can see that their process has ended. */
  readonly workerId?: string;
}

const { where, folder, seed, built, workerId } = JSON.parse(process.argv[2] ?? "{}") as WorkerStart;
const rooms = await loadRooms(built);
const ledger = new Ledger(folder, `${process.pid}-${Math.round(performance.timeOrigin)}`);
const queue = await open();

queue.work<{ n: number }>("step", async ({ payload: { n } }, { fence, idempotencyKey, attempt }) => {
  ledger.begin({ n, key: idempotencyKey, fence, attempt });
  const random = seeded(seed * 31 + n * 7 + attempt);
  // Most work is short, some lasts long enough to be hit by whatever comes.
  await pause(random() < 0.1 ? 50 + random() * 300 : random() * 8);
  if (random() < 0.03) throw new Error("fails now and then");
  ledger.effect(n, idempotencyKey);
  if (random() < 0.03) throw new Error("fails now and then, after its effect");
  return { n, fence };
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
        slots: 8,
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
