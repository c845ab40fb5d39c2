import { count } from "../../report/index.ts";
import type { OrderCounts } from "../../store/index.ts";
import type { Command } from "../command.ts";
import { span } from "../draw/line.ts";
import { orderFaces, orderStateNames } from "../draw/order-face.ts";
import { flow, pad, textWidth } from "../draw/text-width.ts";
import { shownStore } from "../reach-store.ts";
import { inStore } from "../store-place.ts";
import { useOrders } from "../queue/use-orders.ts";

interface Listed {
  readonly queue: string;
  readonly paused: boolean;
  readonly counts: OrderCounts;
}

export const command: Command = {
  usage: "queue [ls | show | stats | workers | retry | cancel | pause | resume | prune]",
  help: [
    "Alone: lists the queues of the store with their orders by state. A queue lies in the store's folder, in a file of its own (--store sqlite:FILE) or on a server (--store postgres://…).",
    "Deciding commands record who (--by) and why (--reason). They may be given while workers run, on any machine.",
  ],
  options: {},
  words: 0,
  async run(context) {
    const { terminal } = context;
    const queues = await useOrders(context, async ({ orders }): Promise<readonly Listed[]> => {
      const names = (await orders.queues()).toSorted((a, b) => a.localeCompare(b));
      return Promise.all(
        names.map(async (queue) => ({
          queue,
          paused: (await orders.config(queue)).paused,
          counts: await orders.counts(queue),
        })),
      );
    });
    if (context.json) {
      terminal.json(queues);
      return 0;
    }
    if (queues.length === 0) terminal.line(`no queue was ever used in ${shownStore(context)}`);
    const width = Math.max(0, ...queues.map(({ queue }) => textWidth(queue)));
    for (const { queue, paused, counts } of queues) {
      const words = orderStateNames
        .filter((state) => counts[state] > 0)
        .map((state) => `${orderFaces[state].mark} ${count(counts[state])} ${orderFaces[state].word}`);
      const rows = flow(words.length === 0 ? ["empty"] : words, terminal.columns() - width - 4);
      for (const [index, row] of rows.entries())
        terminal.line([
          span(`  ${pad(index === 0 ? queue : "", width)}  `, "bold"),
          span(row),
          ...(index === 0 && paused ? [span("  ◐ paused", "wait")] : []),
        ]);
    }
    const [first] = queues;
    if (first !== undefined) {
      const flag = first.queue === "default" ? "" : ` --queue ${first.queue}`;
      terminal.line([
        span("  next: ", "dim"),
        span(`npx ${inStore(`cutover queue stats${flag}`, context)}`, "bold"),
      ]);
    }
    return 0;
  },
};
