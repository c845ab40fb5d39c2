import type { QueueContext } from "./context.ts";
import { noteOf } from "./timeline.ts";

/** What the error of a cancelled order says, the same however far the order had come. */
export const cancelledText = (id: string, reason: string | undefined): string =>
  `work order ${id} was cancelled${reason === undefined ? "" : `: ${reason}`}`;

/** Why somebody asked for the end of an order, where that was not heard: from the record. A record that is away holds up no end. */
export async function askedReason({ store }: QueueContext, id: string): Promise<string | undefined> {
  const history = await store.orders.history(id).catch(() => []);
  const asked = history.findLast(({ event }) => event === "cancel-requested");
  return (asked && noteOf(asked)) ?? undefined;
}
