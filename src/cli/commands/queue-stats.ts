import { CutoverError, parseDuration, sleep } from "../../core/index.ts";
import type { Command, CommandContext } from "../command.ts";
import { queueLine, queueScreen, type ScreenOptions } from "../draw/queue-screen.ts";
import { LiveScreen } from "../live-screen.ts";
import { type QueueView, QueueViewer } from "../queue/queue-view.ts";
import { queueName, queueOption, useOrders } from "../queue/use-orders.ts";
import { shownStore } from "../reach-store.ts";

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

function screenOptions(context: CommandContext, keys: string, rows: number): ScreenOptions {
  return {
    columns: context.terminal.columns(),
    rows,
    store: shownStore(context),
    keys,
    storeFlag: context.storeFlag,
  };
}

/** After this time without an answer of the store, who watches is told. */
const lateMs = 2_000;
const lateText = "the store does not answer; it is asked again";

/** Shows views until the person has seen enough. */
export async function watch(
  context: CommandContext,
  viewer: Pick<QueueViewer, "view">,
  everyMs: number,
): Promise<number> {
  const leave = new AbortController();
  const signal = AbortSignal.any([leave.signal, context.interrupted]);
  const off = context.terminal.onKey((key) => {
    if (key === "q") leave.abort();
  });
  const shown = showQueue(context, "q leave");
  try {
    const left = new Promise<undefined>((resolve) =>
      signal.addEventListener("abort", () => resolve(undefined), { once: true }),
    );
    while (!signal.aborted) {
      const asked = viewer.view();
      // A store that is away is asked again for half a minute: whoever watches is told, and need not wait for it to leave.
      const late = context.clock.after(lateMs, () => shown.late());
      const view = await Promise.race([asked, left]).finally(() => late.cancel());
      asked.catch(() => {});
      if (view === undefined) break;
      shown.show(view);
      await Promise.race([sleep(context.clock, everyMs), left]);
    }
  } finally {
    off();
    shown.end();
  }
  return 0;
}

/** A queue shown again and again: painted over on a terminal, a line each time elsewhere. */
export function showQueue(
  context: CommandContext,
  keys: string,
): { show(view: QueueView): void; late(): void; end(): void } {
  const { terminal, json } = context;
  const toStderr = (): void => terminal.aside(lateText);
  if (json)
    return { show: (view) => terminal.json({ type: "queue", view }, true), late: toStderr, end: () => {} };
  if (!terminal.live)
    return { show: (view) => terminal.line(queueLine(view)), late: toStderr, end: () => {} };
  const screen = new LiveScreen(terminal);
  let last: QueueView | undefined;
  let foot = keys;
  const draw = (): void => {
    if (last !== undefined)
      screen.paint(queueScreen(last, screenOptions(context, foot, terminal.rows() - 1)));
  };
  const offResize = terminal.onResize(() => {
    screen.invalidate();
    draw();
  });
  return {
    show: (view) => {
      last = view;
      foot = keys;
      draw();
    },
    late: () => {
      foot = `${lateText} · ${keys}`;
      if (last === undefined) toStderr();
      else draw();
    },
    end: () => {
      offResize();
      screen.clear();
      if (last === undefined) return;
      for (const line of queueScreen(last, screenOptions(context, "", Number.POSITIVE_INFINITY)))
        terminal.line(line);
    },
  };
}
