import type { QueueContext } from "./context.ts";
import type { Scheduler } from "./scheduler.ts";
import { unfinished } from "./states.ts";
import { takeUpInbox } from "./submitter.ts";

/** Whether no order of the queue is unfinished; while it is paused, whether none runs here. */
export async function isEmpty(
  context: QueueContext,
  scheduler: Pick<Scheduler, "attempts" | "ring">,
): Promise<boolean> {
  const { store, settings } = context;
  const none = async (): Promise<boolean> => unfinished(await store.orders.counts(settings.name)) === 0;
  if (scheduler.attempts.size > 0) return false;
  if (await none()) return true;
  if (await takeUpInbox(context)) {
    scheduler.ring();
    // Some of it may have been dropped.
    if (await none()) return true;
  }
  return (await store.orders.config(settings.name)).paused;
}
