import { setTimeout as wait } from "node:timers/promises";
import { CutoverError, type JsonObject, type Step, type StepContext, step } from "cutover";
import { places, readRecord } from "../server/settings.ts";
import { readOnce } from "./old-folder.ts";
import { callServer } from "./server-control.ts";

/** How long the last orders of the old queue may take to end. */
const drainLimitMs = 30_000;

/**
 * Takes the old queue out of the server and archives its folder. The server refuses while the route is not complete or
 * anything in the old queue has not ended; afterwards old orders are read back through the API.
 */
export function retireOldPath(workDir: string): Step {
  const files = places(workDir);
  return step("retire-old-path", {
    irreversible: true,
    estimate: "2s",
    timeout: "1m",
    summary: `takes the old queue out of the server · archives its folder`,
    run: (context) => retire(context, workDir, files.old),
  });
}

async function retire(context: StepContext, workDir: string, oldDir: string): Promise<JsonObject> {
  const saved = context.checkpoint() as { samples: string[]; aside: string[]; files: number } | undefined;
  const before = saved ?? look(oldDir, readRecord<string[]>(places(workDir).damaged) ?? []);
  if (saved === undefined) await context.saveCheckpoint(before);
  const limit = context.clock.monotonic() + drainLimitMs;
  for (;;) {
    context.signal.throwIfAborted();
    const { body } = await callServer(workDir, "POST", "/crossing/retire", { ids: before.aside });
    const { retired, reason } = body as { retired: boolean; reason: string };
    if (retired) break;
    context.progress({ note: `waits for the old queue: ${reason}` });
    if (context.clock.monotonic() > limit)
      throw new CutoverError("CUTOVER_STEP_FAILED", {
        message: `expected the old queue to be empty within ${drainLimitMs / 1_000} s, found: ${reason}`,
      });
    await wait(200);
  }
  for (const id of before.samples) await callServer(workDir, "GET", `/work-orders/${encodeURIComponent(id)}`);
  await context.evidence("retired", { ...before, samples: before.samples.length });
  return {
    note: `old queue gone · ${before.files} order files archived · ${before.samples.length} old orders read back`,
  };
}

/**
 * What the folder holds before it goes: orders to read back afterwards. Only what was damaged before anything began may
 * stay unfinished; anything else that waits there is work not done.
 */
function look(oldDir: string, aside: string[]): { samples: string[]; aside: string[]; files: number } {
  const { orders } = readOnce(oldDir);
  const stay = orders.filter(({ movedTo }) => movedTo === undefined);
  const every = Math.max(1, Math.floor(stay.length / 50));
  return {
    samples: stay.filter((_, index) => index % every === 0).map(({ id }) => id),
    aside,
    files: orders.length,
  };
}
