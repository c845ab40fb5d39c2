/**
 * Many small programs through the queue for a long time, looking at the memory of the queue's own process:
 *
 *   npx node test/soak/queue-soak.ts --minutes 10 --concurrency 100 [--store sqlite:PATH]
 *
 * Prints rate and memory every few seconds. Ends with 1 when an order failed or got lost, or when memory grew by more than a
 * tenth over the last half of the time; with 130 after Ctrl-C.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { openQueue, subprocess } from "../../src/queue/index.ts";

interface Sample {
  readonly seconds: number;
  /**
   * Resident memory without the young generation of the heap: the engine doubles that as it sees fit, up to some 100 MB, and
   * nothing in it outlives the next collection. Measured at first with it: +50 MB in one step while all else stood still.
   */
  readonly held: number;
  /** Live objects. */
  readonly heap: number;
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    concurrency: { type: "string", default: "100" },
    store: { type: "string" },
  },
});
const minutes = Number(values.minutes);
const concurrency = Number(values.concurrency);
if (!(minutes > 0) || !Number.isInteger(concurrency) || concurrency < 1) {
  console.error("expected --minutes above 0 and --concurrency as a whole number above 0");
  process.exit(2);
}

// Garbage that nobody had reason to collect yet is no leak: each sample is taken after a collection.
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const folder = mkdtempSync(join(tmpdir(), "cutover-soak-"));
const lease = 15_000;
const queue = await openQueue(values.store ?? `sqlite:${join(folder, "soak.db")}`, {
  slots: concurrency,
  memoryPerSlot: "64 MB",
  stagger: 0,
  depth: 1_000_000,
  grace: "2s",
  lease: `${lease}ms`,
});
queue.work<{ readonly ms: number }>(
  "program",
  subprocess<{ readonly ms: number }>({
    command: ({ payload }) => ({ file: "sh", args: ["-c", `sleep ${payload.ms / 1_000}; echo done`] }),
  }),
);

// An order that lasts has the queue start the thread that watches over its heartbeats. On a busy machine it would come in
// the middle, and its 20 MB would look like growth.
const lasting = await queue.submit("program", { ms: lease / 2 }, { retries: 0 });
await queue.waitFor(lasting.id);

const begin = performance.now();
const seconds = (): number => (performance.now() - begin) / 1_000;
const MB = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const samples: Sample[] = [];
let submitted = 1;
let interrupted = false;
let wake: () => void = () => {};
const wait = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    wake = () => (clearTimeout(timer), resolve());
  });
const interrupt = (): void => {
  interrupted = true;
  wake();
};
process.once("SIGINT", interrupt);
process.once("SIGTERM", interrupt);

/** Submits so many that each slot has two orders waiting behind it. */
async function fill(): Promise<void> {
  const { COMPLETED, FAILED, CANCELLED } = await queue.counts();
  const missing = 3 * concurrency - (submitted - COMPLETED - FAILED - CANCELLED);
  if (missing <= 0) return;
  await queue.submitAll(
    Array.from({ length: missing }, (_, i) => ({
      kind: "program",
      payload: { ms: 300 + (((submitted + i) * 37) % 700) },
      retries: 0,
    })),
  );
  submitted += missing;
}

async function look(sinceSeconds: number, doneBefore: number): Promise<number> {
  collect();
  const heap = process.memoryUsage().heapUsed;
  // The collection itself takes room, and gives it back a moment later.
  await wait(300);
  const rss = process.memoryUsage.rss();
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  const held = rss - (young?.physical_space_size ?? 0);
  const { COMPLETED, RUNNING, FAILED } = await queue.counts();
  const rate = (COMPLETED - doneBefore) / Math.max(0.001, seconds() - sinceSeconds);
  samples.push({ seconds: seconds(), held, heap });
  const files = readdirSync("/proc/self/fd").length;
  console.log(
    `${seconds().toFixed(0).padStart(5)} s  ${rate.toFixed(1).padStart(6)} orders/s  ${String(RUNNING).padStart(4)} running  ` +
      `${COMPLETED} done  ${FAILED} failed  rss ${MB(rss)}  held ${MB(held)}  heap ${MB(heap)}  ${files} files open`,
  );
  return COMPLETED;
}

/** By how much a line through the samples rises from the first to the last of them, bytes. */
function rise(of: readonly Sample[], member: "held" | "heap"): number {
  const mean = (pick: (sample: Sample) => number): number =>
    of.reduce((sum, s) => sum + pick(s), 0) / of.length;
  const [x, y] = [mean((s) => s.seconds), mean((s) => s[member])];
  const square = of.reduce((sum, s) => sum + (s.seconds - x) ** 2, 0);
  const slope = of.reduce((sum, s) => sum + (s.seconds - x) * (s[member] - y), 0) / (square || 1);
  return slope * ((of.at(-1)?.seconds ?? 0) - (of[0]?.seconds ?? 0));
}

const everySeconds = Math.min(5, Math.max(1, minutes * 3));
let [done, lookedAt] = [0, 0];
while (!interrupted && seconds() < minutes * 60) {
  await fill();
  if (seconds() - lookedAt >= everySeconds) {
    done = await look(lookedAt, done);
    lookedAt = seconds();
  }
  await wait(250);
}

const trouble: string[] = [];
if (interrupted) console.log("interrupted: ending what runs");
else {
  await queue.drain({ timeout: "60s" });
  const { COMPLETED, FAILED } = await queue.counts();
  if (COMPLETED !== submitted)
    trouble.push(`${submitted} submitted, ${COMPLETED} completed, ${FAILED} failed`);
  const half = samples.filter((sample) => sample.seconds >= (minutes * 60) / 2);
  for (const member of ["held", "heap"] as const) {
    const grew = rise(half, member);
    const level = half.reduce((sum, sample) => sum + sample[member], 0) / half.length;
    console.log(`${member} over the last half: about ${MB(level)}, ${grew < 0 ? "" : "+"}${MB(grew)}`);
    if (half.length >= 5 && grew > level / 10)
      trouble.push(`${member} grew by ${MB(grew)} over the last half`);
  }
}
await queue.stop();
rmSync(folder, { recursive: true, force: true });
for (const line of trouble) console.error(`failed: ${line}`);
if (interrupted) console.log(`interrupted after ${submitted} orders; nothing is left running`);
else if (trouble.length === 0) console.log(`${submitted} orders submitted, each completed`);
process.exitCode = interrupted ? 130 : trouble.length > 0 ? 1 : 0;
