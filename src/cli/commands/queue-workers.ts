import type { Command } from "../command.ts";
import { workerLines } from "../draw/queue-screen.ts";
import { QueueViewer } from "../queue/queue-view.ts";
import { lineWidthOf } from "../terminal.ts";
import { queueName, queueOption, useOrders, warnUnseen } from "../queue/use-orders.ts";

export const command: Command = {
  usage: "queue workers",
  help: [
    "Lists the workers of a queue on all machines: slots, kinds, tags, and when each last told of itself. One that is silent holds nothing for longer than its lease; it is forgotten after a day.",
  ],
  options: queueOption,
  words: 0,
  async run(context) {
    const view = await useOrders(context, async (store) => {
      const seen = await new QueueViewer(store, queueName(context)).view();
      if (seen.workers.length === 0) await warnUnseen(context, store);
      return seen;
    });
    if (context.json) context.terminal.json(view.workers);
    else
      for (const line of workerLines(view, lineWidthOf(context.terminal), Number.POSITIVE_INFINITY))
        context.terminal.line(line);
    return 0;
  },
};
