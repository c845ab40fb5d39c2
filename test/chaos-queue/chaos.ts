import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Queue } from "../../src/queue/index.ts";
import type { Span } from "./book.ts";
import { disturb } from "./disturbances.ts";
import { makePlace } from "./place.ts";
import { type Plan, queueName } from "./plan.ts";
import { insist, produce, type Produced } from "./producer.ts";
import { loadRooms } from "./rooms.ts";
import { judge, type Verdict } from "./verdict.ts";
import { WorkerPool } from "./worker-pool.ts";

export interface Outcome extends Verdict {
  readonly disturbances: Readonly<Record<string, number>>;
  readonly clockJumps: number;
  /** Calls of the submitter that were made again because they failed. */
  readonly again: number;
  /** From the end of the disturbances until the last order was finished. */
  readonly calmedMs: number;
}

/** One run: workers over one store, disturbed while orders come in; then calm until all are finished; then the verdict. */
export async function runChaos(plan: Plan, say: (line: string) => void = () => {}): Promise<Outcome> {
  const rooms = await loadRooms(plan.built);
  const folder = mkdtempSync(join(tmpdir(), "cutover-chaos-"));
  const place = await makePlace(plan, folder, rooms);
  const store = await place.open();
  const pool = new WorkerPool(plan, place.where, folder);
  const failed = new AbortController();
  const away: Span[] = [];
  let closed = false;
  try {
    const queue = await rooms.queue.openQueue(
      { store },
      { name: queueName, depth: 10_000_000, memory: anyMemory },
    );
    const disturbing = disturb(plan, place, pool, say, { away, signal: failed.signal });
    // Looked at when all orders are submitted; until then nobody waits for it.
    disturbing.catch(() => {});
    const produced = await produce(plan, queue, away).catch(async (error: unknown) => {
      failed.abort();
      await disturbing.catch(() => {});
      throw error;
    });
    const disturbances = await disturbing;
    const calm = performance.now();
    const stuck = await finished(queue, produced, plan.calmMs, say);
    const calmedMs = Math.round(performance.now() - calm);
    say("all are finished");
    await queue.stop();
    await pool.close(20_000);
    say("all workers have ended");
    closed = true;
    const verdict = await judge(store, folder, produced);
    const wrong = [...stuck, ...pool.ownEnds, ...verdict.wrong];
    return { ...verdict, wrong, disturbances, clockJumps: jumps(folder), again: produced.again, calmedMs };
  } finally {
    if (!closed) await pool.close(2_000);
    await store.close().catch(() => {});
    await place[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
}

const anyMemory = { warning: 1, critical: 1 };

/** Waits until no order is unfinished. What still is by then is stuck. */
async function finished(
  queue: Queue,
  produced: Produced,
  limitMs: number,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const until = performance.now() + limitMs;
  for (let told = 0; ;) {
    const { PENDING, PREPARING, RUNNING, WAITING_RETRY } = await insist(produced, () => queue.counts());
    const left = { PENDING, PREPARING, RUNNING, WAITING_RETRY };
    if (PENDING + PREPARING + RUNNING + WAITING_RETRY === 0) return [];
    if (performance.now() > until) {
      const waiting = (await insist(produced, () => unfinished(queue))).join("; ");
      return [`stuck after ${limitMs} ms of calm: ${JSON.stringify(left)}: ${waiting}`];
    }
    if (performance.now() - told > 5_000) {
      told = performance.now();
      say(`calm, left: ${JSON.stringify(left)}`);
    }
    await pause(100);
  }
}

/** What the first of those that are left wait for, or who has them, so that a stuck one tells why. Times from now. */
async function unfinished(queue: Queue): Promise<readonly string[]> {
  const states = ["PENDING", "PREPARING", "RUNNING", "WAITING_RETRY"] as const;
  const [orders, workers] = await Promise.all([queue.list({ states, limit: 20 }), queue.workers()]);
  const now = Date.now();
  const from = (at: number | null): string => (at === null ? "none" : `${at - now} ms`);
  const seen = new Map(workers.map(({ id, seenAt }) => [id, from(seenAt)]));
  return orders.map(
    ({ id, state, waits, runAt, limitKey, blockedBy, worker, fence, leaseUntil, attempt, maxRetries }) =>
      `${id} ${state} waits ${waits}, due ${from(runAt)}, limit ${limitKey}, blocked by ${blockedBy}, ` +
      `attempt ${attempt} of ${maxRetries + 1}, fence ${fence}, worker ${worker} (seen ` +
      `${seen.get(worker ?? "") ?? "never"}), lease ${from(leaseUntil)}`,
  );
}

function jumps(folder: string): number {
  try {
    return readFileSync(join(folder, "jumps"), "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
}
