import { faultPoint } from "../core/index.ts";
import type { QueueContext } from "./context.ts";

/** Orders removed in one commit. */
const batch = 500;
/** Commits in one look: many while nothing runs, few beside running work. */
const whileIdle = 50;
const whileBusy = 5;
/** After a look that found nothing. */
const restMs = 30_000;

/** Removes finished orders that have been kept for as long as the queue was told to. Their events stay. */
export class Pruning {
  readonly #context: QueueContext;
  readonly #busy: () => boolean;
  #restUntil = Number.NEGATIVE_INFINITY;

  constructor(context: QueueContext, busy: () => boolean) {
    this.#context = context;
    this.#busy = busy;
  }

  async run(): Promise<void> {
    const { keepMs, clock } = this.#context.settings;
    if (keepMs === undefined || clock.monotonic() < this.#restUntil) return;
    const limit = batch * (this.#busy() ? whileBusy : whileIdle);
    const removed = await prune(this.#context, keepMs, limit);
    if (removed < limit) this.#restUntil = clock.monotonic() + restMs;
  }
}

/** Resolves with how many were removed: at most `limit`. */
export async function prune(
  { store, settings }: QueueContext,
  olderThanMs: number,
  limit: number,
): Promise<number> {
  const before = store.clock.now() - olderThanMs;
  let removed = 0;
  while (removed < limit) {
    const wanted = Math.min(batch, limit - removed);
    faultPoint("queue.prune.before-commit");
    const now = await store.orders.prune(settings.name, before, wanted);
    removed += now;
    if (now < wanted) break;
  }
  return removed;
}
