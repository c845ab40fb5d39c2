/** The queue of this project, through its public door alone. */
import { openQueue, type Queue, type QueueOptions } from "../../../src/queue/index.ts";
import type { Payload, Side, SideSpec } from "../side.ts";

const kind = "noop";

export async function openSide(spec: SideSpec): Promise<Side> {
  const options = spec.settings as QueueOptions;
  let queue: Queue = await openQueue(spec.where, options);
  return {
    submit: (payload) => queue.submit(kind, payload),
    submitMany: (payloads) => queue.submitAll(payloads.map((payload) => ({ kind, payload }))),
    work: (handler) => {
      queue.work<Payload>(kind, (order) => handler(order.payload));
      return Promise.resolve();
    },
    rest: async () => {
      await queue.stop();
      queue = await openQueue(spec.where, options);
    },
    // Answers when it is so: the queue tells it by itself, nobody has to ask again and again.
    isDone: async () => {
      await queue.drain({ timeout: "5m" });
      return true;
    },
    close: () => queue.stop(),
  };
}
