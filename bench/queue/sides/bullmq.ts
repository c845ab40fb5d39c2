/** BullMQ on Redis. What its durability is depends on the Redis it is given. */
import { loadPeer } from "../load-peer.ts";
import type { Payload, Side, SideSpec } from "../side.ts";

interface BullMq {
  readonly Queue: new (
    name: string,
    options: object,
  ) => {
    add(name: string, data: Payload, options: object): Promise<unknown>;
    addBulk(
      jobs: readonly { readonly name: string; readonly data: Payload; readonly opts: object }[],
    ): Promise<unknown>;
    getJobCounts(...types: readonly string[]): Promise<Readonly<Record<string, number>>>;
    close(): Promise<void>;
  };
  readonly Worker: new (
    name: string,
    handler: (job: { readonly data: Payload }) => Promise<void>,
    options: object,
  ) => {
    waitUntilReady(): Promise<unknown>;
    on(event: "error", listener: (error: Error) => void): unknown;
    close(): Promise<void>;
  };
}

const name = "noop";
/** As graphile-worker and our own queue's live rows: what is done does not stay where work is looked for. */
const opts: object = { removeOnComplete: true };

export async function openSide(spec: SideSpec): Promise<Side> {
  const { Queue, Worker } = await loadPeer<BullMq>("bullmq");
  const { hostname: host, port, pathname } = new URL(spec.where);
  const place = {
    connection: { host, port: Number(port), maxRetriesPerRequest: null },
    prefix: `bench${pathname.replaceAll("/", "-")}`,
  };
  const queue = new Queue(name, place);
  let worker: InstanceType<BullMq["Worker"]> | undefined;
  const rest = async (): Promise<void> => {
    await worker?.close();
    worker = undefined;
  };
  return {
    submit: (payload) => queue.add(name, payload, opts),
    submitMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name, data, opts }))),
    work: async (handler) => {
      worker = new Worker(name, (job) => Promise.resolve(handler(job.data)), { ...place, ...spec.settings });
      worker.on("error", (error) => console.error(`bullmq: ${error.message}`));
      await worker.waitUntilReady();
    },
    rest,
    isDone: async () => {
      const counts = await queue.getJobCounts("waiting", "active", "prioritized", "delayed");
      return Object.values(counts).every((count) => count === 0);
    },
    close: async () => {
      await rest();
      await queue.close();
    },
  };
}
