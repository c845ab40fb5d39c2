import type { RunView } from "../report/index.ts";
import { hasEnded } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import { span } from "./draw/line.ts";
import { listenToKeys } from "./keys.ts";
import { choosePresenter } from "./presenter.ts";
import type { RunSource } from "./run-source.ts";
import { inStore } from "./store-place.ts";

/**
 * Shows a run that another process carries, until it ends, its process goes away or the person has seen enough.
 * Resolves with the last view.
 */
export async function lookOn(
  context: CommandContext,
  run: RunSource,
  id: string,
): Promise<RunView | undefined> {
  const presenter = choosePresenter(context, "p pause · b roll back · q leave running");
  const leave = new AbortController();
  let last: RunView | undefined;
  const offKeys = listenToKeys(context, presenter, {
    state: () => last?.run.state,
    pause: () => run.act("pause", "key p in watch"),
    continue: () => run.act("continue", "key p in watch"),
    rollback: () => run.act("rollback", "key b in watch"),
    quit: () => leave.abort(),
  });
  const signal = AbortSignal.any([leave.signal, context.interrupted, context.terminal.unread]);
  try {
    for await (const view of run.views(signal)) {
      last = view;
      await presenter.show(view);
      if (hasEnded(view.run.state)) break;
    }
    // Its process may end before its last view is sent; the record has it.
    if (!signal.aborted && (last === undefined || !hasEnded(last.run.state))) {
      last = (await run.recorded()) ?? last;
      if (last !== undefined) await presenter.show(last);
    }
  } finally {
    offKeys();
    presenter.end();
  }
  if (context.json) return last;
  const ended = last !== undefined && hasEnded(last.run.state);
  if (signal.aborted)
    context.terminal.aside([
      span(`left running · look again with  npx ${inStore(`cutover watch ${id}`, context)}`, "dim"),
    ]);
  else if (!ended)
    context.terminal.aside([
      span(`its process ended · see  npx ${inStore(`cutover status ${id}`, context)}`, "dim"),
    ]);
  return last;
}
