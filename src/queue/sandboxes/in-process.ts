import type { Clock, Json } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import type { Execution, Sandbox, WorkTools } from "./sandbox.ts";

/** An order as its handler sees it: the stored record with the payload's own type. */
export type WorkOrder<Payload = Json> = Omit<OrderRecord, "payload"> & { readonly payload: Payload };

export type Handler<Payload, Result> = (
  order: WorkOrder<Payload>,
  tools: WorkTools,
) => Promise<Result> | Result;

/**
 * Runs a function of this process. It cannot be forced to end: one that ignores its signal is left behind after
 * the grace time, its slot is given on, and what it returns later is refused by the fence.
 */
export function inProcess<Payload, Result>(handler: Handler<Payload, Result>, clock: Clock): Sandbox {
  const left = { count: 0 };
  return {
    provider: "in-process",
    instant: true,
    prepare: (order, tools) => Promise.resolve(execution(handler, order, tools, clock, left)),
    // A function ends with its process.
    findOrphan: () => undefined,
    leftBehind: () => left.count,
  };
}

function execution<Payload, Result>(
  handler: Handler<Payload, Result>,
  order: OrderRecord,
  tools: WorkTools,
  clock: Clock,
  left: { count: number },
): Execution {
  let running: Promise<unknown> = Promise.resolve();
  return {
    run() {
      const work = (async () => (await handler(order as WorkOrder<Payload>, tools)) as Json | undefined)();
      running = work.catch(() => {});
      return work;
    },
    cancel: (graceMs) =>
      new Promise((resolve) => {
        let late = false;
        const timer = clock.after(graceMs, () => {
          late = true;
          left.count++;
          resolve();
        });
        void running.then(() => {
          if (late) left.count--;
          timer.cancel();
          resolve();
        });
      }),
    cleanup: () => Promise.resolve(),
  };
}
