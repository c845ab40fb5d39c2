/** The process that holds the new queue: `node process.ts WORK_DIR`, started by the server with a channel to it. */
import { argv } from "node:process";
import { hasCode } from "cutover";
import type { CallMessage, CallName, NewQueueCalls, ReplyMessage } from "./messages.ts";
import { NewQueue } from "./new-queue.ts";

const send = (message: ReplyMessage): void => {
  // The server may be gone this very moment; "disconnect" comes next and ends this process.
  if (process.connected) process.send?.(message, () => {});
};

const queue = await NewQueue.open(argv[2] ?? "", (order) => send({ ended: order }));

const calls: { [Name in CallName]: (input: NewQueueCalls[Name]["in"]) => unknown } = {
  submit: (submission) => queue.submit(submission),
  intend: (submission) => queue.intend(submission),
  settle: ({ id }) => queue.settle(id),
  get: ({ id }) => queue.get(id),
  list: () => queue.list(),
  cancel: ({ id }) => queue.cancel(id),
  counts: () => queue.counts(),
  integrate: ({ id }) => queue.integrate(id),
  adopt: (released) => queue.adopt(released),
  giveBack: ({ id }) => queue.giveBack(id),
  importHistory: ({ orders }) => ({ stored: queue.importHistory(orders) }),
  stop: () => stop(),
};

process.on("message", (message: CallMessage) => {
  const { call, number, input } = message;
  const work = calls[call] as (input: unknown) => unknown;
  Promise.resolve()
    .then(() => work(input))
    .then(
      (value) => send({ number, ok: true, value: value ?? null }),
      (error: unknown) =>
        send({ number, ok: false, full: hasCode(error, "CUTOVER_QUEUE_FULL"), message: String(error) }),
    );
});

let stopping: Promise<void> | undefined;
function stop(): Promise<void> {
  stopping ??= queue.close().finally(() => setImmediate(() => process.exit(0)));
  return stopping;
}
// The server is gone: what runs goes back into the queue, for the next process.
process.on("disconnect", () => void stop());
setImmediate(() => send({ ready: true }));
