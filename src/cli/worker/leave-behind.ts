import { plural } from "../../report/index.ts";
import type { Queue } from "../../queue/index.ts";
import type { OrderRecord, Store } from "../../store/index.ts";
import type { CommandContext } from "../command.ts";
import { span } from "../draw/line.ts";
import { endAtOnce } from "../end-at-once.ts";

/** How long the store is asked what holds up the end. */
const answerMs = 2_000;
const mostShown = 5;

/** Whether work that could not be ended goes on in this process. */
export async function leftBehind(queues: readonly Queue[]): Promise<boolean> {
  const healths = await Promise.all(queues.map((queue) => queue.health()));
  return healths.some(({ reasons }) => reasons.some(({ code }) => code === "left-behind"));
}

/** Ends the process though not all is recorded, and says why: work that does not end, or a store that is away. */
export async function leaveBehind(
  context: CommandContext,
  store: Store,
  queues: readonly string[],
  workers: ReadonlySet<string>,
): Promise<void> {
  const held = await heldBy(context, store, queues, workers);
  const text =
    held.length === 0
      ? "the store does not answer: left as after a crash; what ran here goes on when its lease is over"
      : `${plural(held.length, "order")} did not end: ${shown(held)}; left as after a crash, to go on elsewhere`;
  if (context.json) context.terminal.json({ type: "left", text: `✖ ${text}` }, true);
  else context.terminal.aside([span("✖ ", "bad"), span(text)]);
  endAtOnce(6);
}

/** Orders that these workers hold; none when the store does not say. */
async function heldBy(
  { clock }: CommandContext,
  { orders }: Store,
  queues: readonly string[],
  workers: ReadonlySet<string>,
): Promise<readonly OrderRecord[]> {
  const late = Promise.withResolvers<readonly OrderRecord[]>();
  const timer = clock.after(answerMs, () => late.resolve([]));
  const lists = queues.map((queue) => orders.list({ queue, states: ["PREPARING", "RUNNING"], limit: 1_000 }));
  const found = Promise.all(lists).then(
    (all) => all.flat(),
    () => [],
  );
  const all = await Promise.race([found, late.promise]);
  timer.cancel();
  return all.filter(({ worker }) => worker !== null && workers.has(worker));
}

const shown = (orders: readonly OrderRecord[]): string =>
  orders
    .slice(0, mostShown)
    .map(({ id, kind }) => `${id} (${kind})`)
    .join(", ") + (orders.length > mostShown ? ", …" : "");
