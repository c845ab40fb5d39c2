/**
 * A worker process whose work blocks its thread: `blocked-worker.ts STORE LEASE`. Orders of kind `block` stand still for
 * `payload.ms` without one turn of the event loop, and complete with the fence they ran under.
 */
import { openQueue } from "../../src/queue/index.ts";

const [where = "", lease = "15s"] = process.argv.slice(2);
const queue = await openQueue(where, { slots: 1, stagger: 0, poll: "50ms", lease });
queue.work<{ ms: number }>("block", ({ payload }, { fence }) => {
  process.send?.({ blocked: fence });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, payload.ms);
  return fence;
});
process.once("message", () => void queue.stop().then(() => process.disconnect?.()));
