import type { Json, JsonObject, Log } from "../../src/core/index.ts";
import { silentLog } from "../../src/core/index.ts";
import type { Execution, Sandbox } from "../../src/queue/index.ts";
import type { OrderRecord } from "../../src/store/index.ts";

/** An order as it stands when its sandbox gets it: claimed for the first time. */
export function claimedOrder(members: Partial<OrderRecord> = {}): OrderRecord {
  return {
    id: "order-1",
    queue: "default",
    kind: "work",
    state: "RUNNING",
    payload: null,
    priority: 0,
    memory: 2 ** 30,
    slots: 1,
    tags: [],
    attempt: 0,
    maxRetries: 0,
    timeoutMs: 60_000,
    tenant: "",
    limitKey: null,
    uniqueKey: null,
    runAt: 0,
    createdAt: 0,
    startedAt: null,
    endedAt: null,
    worker: "host:1:1",
    fence: 1,
    leaseUntil: null,
    cancelRequested: false,
    waits: null,
    blockedBy: 0,
    sandbox: null,
    progress: null,
    result: null,
    error: null,
    usage: null,
    carrier: null,
    crashes: 0,
    ...members,
  };
}

/** One attempt inside a sandbox, with what a queue would hand it. */
export interface SandboxAttempt {
  readonly execution: Promise<Execution>;
  readonly outcome: Promise<Json | undefined>;
  readonly abort: AbortController;
  readonly traces: JsonObject[];
  readonly progress: JsonObject[];
  readonly logged: string[];
}

/** Prepares, runs and cleans up, as the queue does. */
export function attempt(sandbox: Sandbox, members: Partial<OrderRecord> = {}): SandboxAttempt {
  const order = claimedOrder(members);
  const abort = new AbortController();
  const [traces, progress, logged]: [JsonObject[], JsonObject[], string[]] = [[], [], []];
  const note = (message: string): void => void logged.push(message);
  const log: Log = { ...silentLog, debug: note, info: note, warn: note };
  const execution = sandbox.prepare(order, {
    signal: abort.signal,
    fence: order.fence,
    idempotencyKey: order.id,
    attempt: order.attempt + 1,
    progress: (state) => void progress.push(state),
    log,
  });
  const outcome = execution.then(async (ready) => {
    try {
      return await ready.run(async (trace) => void traces.push(trace));
    } finally {
      await ready.cleanup();
    }
  });
  outcome.catch(() => {});
  return { execution, outcome, abort, traces, progress, logged };
}
