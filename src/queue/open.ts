import { openStore, type Store } from "../store/index.ts";
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
 * @param where `"sqlite:PATH"` or `"postgres://USER@HOST/DATABASE"` (made when missing, closed with the queue), or an
 *   open store, which stays open. PostgreSQL needs the package `pg`
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
  const { schema, clock, log } = settings;
  const store =
    typeof where === "string"
      ? await openStore(address(where, schema), { clock, log })
      : given(where, schema);
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
function given(where: { readonly store: Store } | undefined, schema: string | undefined): Store {
  if (schema !== undefined) throw invalid("schema", "nothing beside a store that is open already", schema);
  const store = where?.store as Partial<Store> | undefined;
  if (typeof store?.orders === "object") return store as Store;
  // What was meant for an address may hold a password.
  throw invalid("where", '"sqlite:PATH", "postgres://…" or { store }', where === null ? null : typeof where);
}

/** An address with the schema of the options in it. */
function address(where: string, schema: string | undefined): string {
  if (!/^(sqlite:.|postgres(ql)?:\/\/)/.test(where)) {
    const kind = /^[a-z][a-z0-9+.-]{0,20}:(?=\/\/)/i.exec(where)?.[0] ?? "no kind of address";
    throw invalid("where", '"sqlite:PATH", "postgres://…" or { store }', kind);
  }
  if (schema === undefined) return where;
  const url = URL.canParse(where) ? new URL(where) : undefined;
  const named = url?.searchParams.get("schema") ?? schema;
  if (where.startsWith("sqlite:") || url === undefined)
    throw invalid("schema", "nothing for a store that is not on PostgreSQL", schema);
  if (named !== schema) throw invalid("schema", `${named}, as the address says, or nothing`, schema);
  // Added to what was written: an address that is read and written again hides what is wrong with it.
  if (url.searchParams.has("schema")) return where;
  return `${where}${where.includes("?") ? "&" : "?"}schema=${encodeURIComponent(schema)}`;
}
