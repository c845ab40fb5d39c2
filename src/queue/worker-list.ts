import type { NewOrder, Store, WorkerRecord } from "../store/index.ts";
import type { QueueContext } from "./context.ts";

/** How often a worker tells that it is there. */
export const seenEveryMs = 10_000;
/** One that was not seen for so long is not counted on any more: three missed tellings. */
export const missingAfterMs: number = 3.5 * seenEveryMs;

/**
 * Under which a worker stands in the store's list. It has one line for each name, and a process that serves several queues
 * has one name: each queue after the first would take the line of the one before.
 */
const listedAs = (worker: string, queue: string): string =>
  queue === "default" ? worker : `${worker} ${queue}`;

/** Workers of a queue on all machines, as they last told; one that ended without a word stays for a day. */
export async function listWorkers({ orders }: Store, queue: string): Promise<readonly WorkerRecord[]> {
  const mark = listedAs("", queue);
  return (await orders.workers(queue)).map((worker) =>
    mark !== "" && worker.id.endsWith(mark) ? { ...worker, id: worker.id.slice(0, -mark.length) } : worker,
  );
}

/** The workers of a queue, on whatever machine, as they last told. */
export class WorkerList {
  readonly #context: QueueContext;
  readonly #startedAt: number;
  #told = false;
  #announcing: Promise<void> | undefined;

  constructor(context: QueueContext) {
    this.#context = context;
    this.#startedAt = context.store.clock.now();
  }

  /** Tells the others that this worker is there, and what it can do. */
  async seen(kinds: readonly string[]): Promise<void> {
    if (kinds.length === 0) return;
    const { store, settings, worker } = this.#context;
    const { name, tags, slots, staggerMs } = settings;
    this.#told = true;
    const [startedAt, memory] = [this.#startedAt, slots * settings.memoryPerSlot];
    await store.orders.seen({
      id: listedAs(worker, name),
      queue: name,
      kinds,
      tags,
      slots,
      memory,
      staggerMs,
      startedAt,
    });
  }

  /** The same once for all that is registered in one turn; tried again with the next look when it fails. */
  announce(kinds: () => readonly string[]): void {
    this.#announcing ??= new Promise<void>((resolve) => setImmediate(resolve))
      .then(() => {
        this.#announcing = undefined;
        return this.seen(kinds());
      })
      .catch((error: unknown) => {
        const data = { reason: String(error) };
        this.#context.settings.log.warn(
          "the queue could not tell that this worker is there; it is tried again",
          data,
        );
      });
  }

  /** Resolves when nothing is about to be announced. */
  async announced(): Promise<void> {
    await this.#announcing;
  }

  async gone(): Promise<void> {
    const { store, settings, worker } = this.#context;
    if (this.#told) await store.orders.gone(listedAs(worker, settings.name));
  }

  /** Those that were seen of late, this one among them. */
  async alive({ store, settings }: QueueContext = this.#context): Promise<readonly WorkerRecord[]> {
    const since = store.clock.now() - missingAfterMs;
    return (await listWorkers(store, settings.name)).filter(({ seenAt }) => seenAt >= since);
  }

  /** Whether a worker other than this one is large enough. */
  async othersMayTake(
    order: Pick<NewOrder, "kind" | "tags" | "slots" | "memory">,
    context: QueueContext = this.#context,
  ): Promise<boolean> {
    return (await this.alive(context)).some(
      (worker) =>
        worker.id !== this.#context.worker &&
        hasRoom(worker, order) &&
        worker.kinds.includes(order.kind) &&
        order.tags.every((tag) => worker.tags.includes(tag)),
    );
  }
}

/** Whether an order could start there if nothing else ran; of an older program the memory is not known. */
export function hasRoom(
  { slots, memory }: Pick<WorkerRecord, "slots" | "memory">,
  order: Pick<NewOrder, "slots" | "memory">,
): boolean {
  return order.slots <= slots && (memory === null || order.memory <= memory);
}
