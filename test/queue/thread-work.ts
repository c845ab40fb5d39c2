/** Functions that tests run in worker threads. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { fatal } from "../../src/queue/failure.ts";
import type { WorkOrder, WorkTools } from "../../src/queue/index.ts";

interface Payload {
  readonly ms?: number;
}

let calls = 0;

export default function echo(
  { payload, id }: WorkOrder,
  { fence, attempt, idempotencyKey }: WorkTools,
): unknown {
  return { id, payload, fence, attempt, idempotencyKey, threadId, calls: ++calls };
}

export async function tell(_: WorkOrder, { progress, log }: WorkTools): Promise<string> {
  progress({ done: 1 });
  log.info("half way", { n: 1 });
  log.warn("odd", { fn: () => {} } as never);
  await sleep(20);
  progress({ done: 2 });
  return "told";
}

export async function polite(_: WorkOrder, { signal, progress }: WorkTools): Promise<string> {
  progress({ started: true });
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  progress({ reason: (signal.reason as { code: string }).code });
  return "ended by itself";
}

export function spin({ payload }: WorkOrder<Payload>, { progress }: WorkTools): string {
  progress({ started: true });
  const end = performance.now() + (payload.ms ?? 1e9);
  while (performance.now() < end);
  return "spun";
}

/** The same amount of work on a quick and on a busy machine. */
export function compute({ payload }: WorkOrder<{ readonly rounds: number }>): number {
  let x = 1;
  for (let i = 0; i < payload.rounds; i++) x = (Math.imul(x, 31) + i) | 0;
  return x;
}

export function fillHeap(): never {
  const kept: unknown[] = [];
  for (;;) kept.push(Array.from({ length: 1_000 }, (_, i) => ({ i })));
}

export async function fillBuffers(): Promise<never> {
  const kept: Buffer[] = [];
  for (;;) {
    kept.push(Buffer.alloc(4 * 2 ** 20, 1));
    await sleep(5);
  }
}

export function refuse(): never {
  throw fatal(Object.assign(new Error("no such picture"), { code: "EPICTURE" }));
}

export function missing(): never {
  throw new TypeError("outer", { cause: Object.assign(new Error("inner"), { code: "ENOENT" }) });
}

export function exit(): void {
  process.exit(7);
}

export function crashLater(): Promise<never> {
  setTimeout(() => {
    throw Object.assign(new Error("nobody caught this"), { code: "ELATE" });
  }, 10);
  return new Promise(() => {});
}

const next = Promise.withResolvers<void>();

/** The first order leaves something behind that comes while the second one runs. */
export async function leftovers(
  { payload }: WorkOrder<{ readonly leave?: "words" | "error" | "exit" }>,
  { progress, log }: WorkTools,
): Promise<string> {
  const { leave } = payload;
  if (leave === undefined) {
    next.resolve();
    await sleep(50);
    return "second";
  }
  void next.promise.then(() => {
    progress({ of: "first" });
    log.info("of the first");
    if (leave === "error") setTimeout(() => void fail("left behind"), 0);
    if (leave === "exit") setTimeout(() => process.exit(9), 0);
  });
  return "first";
}

function fail(message: string): never {
  throw new Error(message);
}

/** Blocks in a call of the system until somebody opens the pipe to write. */
export function readPipe({ payload }: WorkOrder<{ readonly pipe: string }>, { progress }: WorkTools): string {
  progress({ started: true });
  return readFileSync(payload.pipe, "utf8");
}

export function throwOdd({ payload }: WorkOrder<{ readonly what: "plain" | "bare" | "secret" }>): never {
  if (payload.what === "plain") throw { code: "ENOENT", message: "no such picture" };
  if (payload.what === "bare") throw Object.create(null);
  throw Object.defineProperty(new Error("x"), "message", {
    get: () => {
      throw new Error("not to be read");
    },
  });
}

export function strange(): unknown {
  return { fn: () => {} };
}

export const notAFunction = 3;
