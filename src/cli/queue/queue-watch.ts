import { sleep } from "../../core/index.ts";
import type { CommandContext } from "../command.ts";
import { queueLine, queueScreen, type ScreenOptions } from "../draw/queue-screen.ts";
import { LiveScreen } from "../live-screen.ts";
import { shownStore } from "../reach-store.ts";
import type { QueueView, QueueViewer } from "./queue-view.ts";

/** After this time without an answer of the store, who watches is told. */
const lateMs = 2_000;
const lateText = "the store does not answer; it is asked again";

export interface Watching {
  readonly everyMs: number;
  /** What keys do; empty when there are none. */
  readonly keys: string;
  /** Ends it at once: nobody who leaves waits for a look that is under way. */
  readonly signal: AbortSignal;
  /** Whether a look that fails ends it with its error. A worker goes on with its work, and so does its picture. */
  readonly failing: "ends" | "goes on";
}

/** Looks at a queue again and again, and shows it, until the signal aborts. A store that is late or away is told of. */
export async function watchQueue(
  context: CommandContext,
  viewer: Pick<QueueViewer, "view">,
  { everyMs, keys, signal, failing }: Watching,
): Promise<void> {
  const { clock } = context;
  const shown = showQueue(context, keys);
  const left = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const look = async (): Promise<void> => {
    const late = clock.after(lateMs, () => shown.late());
    try {
      const view = await Promise.race([viewer.view(), left]);
      if (view !== undefined) shown.show(view);
    } catch (error) {
      if (failing === "ends") throw error;
      shown.late();
    } finally {
      late.cancel();
    }
  };
  try {
    while (!signal.aborted) {
      await look();
      if (!signal.aborted) await Promise.race([sleep(clock, everyMs), left]);
    }
  } finally {
    shown.end();
  }
}

/** A queue shown again and again: painted over on a terminal, a line each time elsewhere. */
function showQueue(
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
      screen.paint(
        queueScreen(last, {
          ...screenOptions(context, foot, terminal.rows() - 1),
          columns: terminal.columns() - 1,
        }),
      );
  };
  const offResize = terminal.onResize(() => {
    screen.invalidate();
    draw();
  });
  const offOthers = terminal.divert((text) => screen.above(text));
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
      offOthers();
      screen.clear();
      if (last === undefined) return;
      for (const line of queueScreen(last, screenOptions(context, "", Number.POSITIVE_INFINITY)))
        terminal.line(line);
    },
  };
}

export function screenOptions(context: CommandContext, keys: string, rows: number): ScreenOptions {
  return {
    columns: context.terminal.columns(),
    rows,
    store: shownStore(context),
    keys,
    storeFlag: context.storeFlag,
  };
}
