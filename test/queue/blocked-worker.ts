/**
 * A worker process whose work blocks its thread: `blocked-worker.ts ADDRESS LEASE`. Orders of kind
 * `block` stand still for `payload.ms` without one turn of the event loop, and complete with the fence they ran under.
 */
import { openQueue } from "../../src/queue/index.ts";
import { openStore } from "../../src/store/index.ts";

const [address = "", lease = "15s"] = process.argv.slice(2);
const store = await openStore(address);
const queue = await openQueue({ store }, { slots: 1, stagger: 0, poll: "50ms", lease });
queue.work<{ ms: number }>("block", ({ payload }, { fence }) => {
  process.send?.({ blocked: fence });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, payload.ms);
  return fence;
});
process.once("message", () => {
  void queue
    .stop()
    .then(() => store.close())
    .then(() => process.disconnect?.());
});
