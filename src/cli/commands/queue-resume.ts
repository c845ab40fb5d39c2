import type { Command } from "../command.ts";
import { reasonOption } from "../decide.ts";
import { setPaused } from "../queue/set-paused.ts";
import { queueOption } from "../queue/use-orders.ts";

export const command: Command = {
  usage: "queue resume [--queue NAME]",
  help: ["Workers on all machines start orders again."],
  options: { ...queueOption, ...reasonOption },
  words: 0,
  run: (context) => setPaused(context, false),
};
