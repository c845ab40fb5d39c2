import { CutoverError, parseDuration } from "../../core/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { queueScreen } from "../draw/queue-screen.ts";
import { QueueViewer } from "../queue/queue-view.ts";
import { screenOptions, watchQueue } from "../queue/queue-watch.ts";
import { queueName, queueOption, useOrders } from "../queue/use-orders.ts";

export const command: Command = {
  usage: "queue stats [--watch] [--every DURATION]",
  help: [
    "Orders by state, rates and times of the last minute over all machines, workers, and what stands in the way. With --watch it stays: a live picture on a terminal (q leaves), one line each time elsewhere, NDJSON with --json.",
    "Exit code 0 when the queue is well, 3 when it needs a look, 6 when it stands still; with --watch 0.",
  ],
  options: {
    ...queueOption,
    watch: { type: "boolean", short: "w", help: "stay and look again and again" },
    every: { type: "string", value: "DURATION", help: "with --watch: how often (default 1s)" },
  },
  words: 0,
  run(context) {
    const everyMs = paceOf(context);
    return useOrders(context, async (store) => {
      const viewer = new QueueViewer(store, queueName(context));
      if (context.args.flag("watch")) return watch(context, viewer, everyMs);
      const view = await viewer.view();
      if (context.json) context.terminal.json(view);
      else
        for (const line of queueScreen(view, screenOptions(context, "", Number.POSITIVE_INFINITY)))
          context.terminal.line(line);
      return { ok: 0, warning: 3, critical: 6 }[view.status];
    });
  },
};

function paceOf({ args }: CommandContext): number {
  const everyMs = parseDuration(args.text("every") ?? "1s");
  if (everyMs >= 100 && (args.text("every") === undefined || args.flag("watch"))) return everyMs;
  if (everyMs >= 100)
    throw new CutoverError("CUTOVER_CLI_USAGE", {
      message: "expected --every together with --watch: without it one look is all",
    });
  throw new CutoverError("CUTOVER_CLI_USAGE", {
    message: `expected at least 100 ms for --every, found ${everyMs} ms`,
  });
}

/** Shows views until the person has seen enough, or nobody reads them any more. */
async function watch(context: CommandContext, viewer: QueueViewer, everyMs: number): Promise<number> {
  const { terminal, interrupted } = context;
  const leave = new AbortController();
  const off = terminal.onKey((key) => {
    if (key === "q") leave.abort();
  });
  const signal = AbortSignal.any([leave.signal, interrupted, terminal.unread]);
  try {
    await watchQueue(context, viewer, { everyMs, keys: "q leave", signal, failing: "ends" });
  } finally {
    off();
  }
  return 0;
}
