import type { Command } from "../command.ts";
import { reasonOption } from "../decide.ts";
import { setPaused } from "../queue/set-paused.ts";
import { queueOption } from "../queue/use-orders.ts";

export const command: Command = {
  usage: "queue pause [--queue NAME] --reason TEXT",
  help: [
    "From now on no worker of this queue, on any machine, starts an order. What runs goes on, and orders can still be submitted. It lasts until `cutover queue resume`, over restarts.",
  ],
  options: { ...queueOption, ...reasonOption },
  words: 0,
  run: (context) => setPaused(context, true),
};
