/** Workers for the end-to-end tests of queues. What they do stands in `ledger.txt`, a line each. */
export const worker: string = `
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { defineWorker } from "cutover/queue";
const here = import.meta.dirname;
const note = (line) => appendFileSync(join(here, "ledger.txt"), line + "\\n");
export default defineWorker({
  queue: "jobs",
  slots: 4,
  stagger: 0,
  retries: 1,
  lease: "2s",
  grace: "500ms",
  backoff: { base: "50ms" },
  kinds: {
    note: (order, { fence }) => note(order.payload + " " + fence),
    fail: () => { throw Object.assign(new Error("it cannot be"), { code: "E_NEVER" }); },
    /** Goes on until the file named by its payload is there; an abort ends it. */
    wait: async (order, { signal, fence }) => {
      note("waits " + order.payload + " " + fence);
      while (!existsSync(join(here, order.payload))) {
        if (signal.aborted) throw signal.reason;
        await new Promise((r) => setTimeout(r, 20));
      }
      note("went " + order.payload + " " + fence);
    },
  },
});
`;

/** Submits the orders that stand in its second argument, as JSON: \`[kind, payload]\` each; prints their ids. */
export const submit: string = `
import { openQueue } from "cutover/queue";
import { openStore } from "cutover/store";
await using store = await openStore(process.argv[2]);
await using queue = await openQueue({ store }, { name: "jobs", retries: 0 });
const orders = JSON.parse(process.argv[3]).map(([kind, payload, options]) => ({ kind, payload, ...options }));
const stored = await queue.submitAll(orders);
process.stdout.write(JSON.stringify(stored.map(({ id }) => id)));
`;
