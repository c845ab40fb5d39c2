import { CutoverError } from "../core/index.ts";
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
  if (schema !== undefined)
    throw invalid("schema", "nothing beside a store that is open already", schema, "open the store in it");
  const store = where?.store as Partial<Store> | undefined;
  if (typeof store?.orders === "object") return store as Store;
  if (where === undefined || where === null) throw notAStore(String(where));
  throw notAStore(typeof where === "object" ? "an object without a store" : `a ${typeof where}`);
}

/** @param found never all of an address: it may hold a password */
const notAStore = (found: string): CutoverError =>
  new CutoverError("CUTOVER_QUEUE_INVALID", {
    message: `where: expected "sqlite:PATH", "postgres://…" or { store }, found ${found}`,
    place: "where",
    details: { field: "where", found },
    remedy: 'say where the queue lies: "sqlite:work.db", "postgres://user@host/database", or an open store',
  });

/** An address with the schema of the options in it. */
function address(where: string, schema: string | undefined): string {
  if (!/^(sqlite:.|postgres(ql)?:\/\/)/.test(where)) {
    const kind = /^[a-z][a-z0-9+.-]{0,20}:(?=\/\/|$)/i.exec(where)?.[0];
    if (kind !== undefined) throw notAStore(`an address that begins with ${JSON.stringify(kind)}`);
    throw notAStore(/^[^:@]{0,80}$/.test(where) ? JSON.stringify(where) : "a text that begins otherwise");
  }
  if (schema === undefined) return where;
  if (where.startsWith("sqlite:"))
    throw invalid("schema", "nothing for a store that is not on PostgreSQL", schema, "leave out schema");
  // What is wrong with such an address is said by who opens it.
  if (!URL.canParse(where)) return where;
  const url = new URL(where);
  const named = url.searchParams.get("schema") ?? schema;
  if (named !== schema)
    throw invalid("schema", `${named}, as the address says, or nothing`, schema, "name it in one place");
  // Added to what was written: an address that is read and written again hides what is wrong with it.
  if (url.searchParams.has("schema")) return where;
  return `${where}${where.includes("?") ? "&" : "?"}schema=${encodeURIComponent(schema)}`;
}
