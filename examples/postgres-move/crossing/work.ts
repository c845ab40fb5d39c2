import { setTimeout as wait } from "node:timers/promises";
import { type Step, step } from "cutover";
import { takeWork } from "./call-service.ts";

/** Work that runs ends where it runs: nothing new is taken, and what was taken is waited for. On the way back it is taken again. */
export function closeCounter(dir: string): Step {
  return step("close-counter", {
    summary: "no new work is taken; what runs ends in the old shop",
    estimate: "1s",
    timeout: "1m",
    run: async ({ signal }) => ({ note: await drained(dir, signal) }),
    rollback: async () => {
      await takeWork(dir, true);
    },
  });
}

/** Work is taken in the new shop. On the way back what runs there ends there first. */
export function openCounter(dir: string): Step {
  return step("open-counter", {
    summary: "work is taken in the new shop",
    estimate: "1s",
    timeout: "1m",
    run: async () => {
      await takeWork(dir, true);
      return { note: "work goes on in the new shop" };
    },
    rollback: async ({ signal }) => {
      await drained(dir, signal);
    },
  });
}

async function drained(dir: string, signal: AbortSignal): Promise<string> {
  const began = Date.now();
  while ((await takeWork(dir, false)).running !== 0) {
    signal.throwIfAborted();
    await wait(50);
  }
  return `nothing runs any more, after ${Date.now() - began} ms`;
}
