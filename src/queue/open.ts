import { openSqliteStore, type Store } from "../store/index.ts";
import type { QueueContext } from "./context.ts";
import { workerName } from "./machine.ts";
import { Meter } from "./metrics.ts";
import type { Queue } from "./queue.ts";
import { invalid, type QueueOptions, queueSettings } from "./settings.ts";
import { StoreQueue } from "./store-queue.ts";
import { openTelemetry } from "./telemetry.ts";

/**
 * Opens a queue and takes up at once what a dead predecessor on this machine left: its orders go on without waiting
 * for a lease, and what still runs of them is ended first.
 *
 * @param where `"sqlite:PATH"` (made when missing, closed with the queue) or an open store, which stays open
 * @throws CUTOVER_QUEUE_INVALID for options; CUTOVER_STORE_* when the store cannot be opened
 *
 * @example
 * await using queue = await openQueue("sqlite:work.db", { slots: 4, stagger: 0 });
 * queue.work<{ file: string }>("thumbnail", async (order, { signal }) => makeThumbnail(order.payload.file, signal));
 * await queue.submit("thumbnail", { file: "a.png" }, { key: "a.png", retries: 3 });
 */
export async function openQueue(
  where: string | { readonly store: Store },
  options: QueueOptions = {},
): Promise<Queue> {
  const settings = queueSettings(options);
  const store = typeof where === "string" ? await openStore(where, settings) : given(where);
  const closeStore = (): Promise<void> => (typeof where === "string" ? store.close() : Promise.resolve());
  const worker = options.workerId ?? workerName();
  const telemetry =
    settings.telemetry && openTelemetry(settings.telemetry, settings.name, worker, settings.log);
  const context: QueueContext = { settings, store, worker, meter: new Meter(settings.clock), telemetry };
  const queue = new StoreQueue(context, closeStore);
  try {
    await queue.begin();
  } catch (error) {
    await queue.stop();
    throw error;
  }
  return queue;
}

/** Plain JavaScript may hand in anything. */
function given(where: { readonly store: Store } | undefined): Store {
  const store = where?.store as Partial<Store> | undefined;
  if (typeof store?.orders === "object") return store as Store;
  throw invalid("where", '"sqlite:PATH" or { store }', where);
}

async function openStore(where: string, settings: ReturnType<typeof queueSettings>): Promise<Store> {
  const path = /^sqlite:(.+)$/.exec(where)?.[1];
  if (path === undefined) throw invalid("where", '"sqlite:PATH" or { store }', where);
  return openSqliteStore({ path, clock: settings.clock, log: settings.log });
}
