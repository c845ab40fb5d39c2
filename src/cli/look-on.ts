import type { RunView } from "../report/index.ts";
import { hasEnded } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import { span } from "./draw/line.ts";
import { listenToKeys } from "./keys.ts";
import type { OwnerClient } from "./owner-client.ts";
import { choosePresenter } from "./presenter.ts";
import { readStore, viewRecorded } from "./reach-store.ts";

/**
 * Shows a run that another process carries, until it ends, its process goes away or the person has seen enough.
 * Resolves with the last view.
 */
export async function lookOn(
  context: CommandContext,
  owner: OwnerClient,
  id: string,
): Promise<RunView | undefined> {
  const presenter = choosePresenter(context, "p pause · b roll back · q leave running");
  const leave = new AbortController();
  const path = `/v1/runs/${encodeURIComponent(id)}`;
  let last: RunView | undefined;
  const offKeys = listenToKeys(context, presenter, {
    state: () => last?.run.state,
    pause: () => owner.post(`${path}/pause`, { by: context.by, reason: "key p in watch" }),
    continue: () => owner.post(`${path}/continue`, { by: context.by, reason: "key p in watch" }),
    rollback: () => owner.post(`${path}/rollback`, { by: context.by, reason: "key b in watch" }),
    quit: () => leave.abort(),
  });
  const signal = AbortSignal.any([leave.signal, context.interrupted]);
  try {
    for await (const view of owner.stream<RunView>(`${path}/stream`, signal)) {
      last = view;
      await presenter.show(view);
      if (hasEnded(view.run.state)) break;
    }
    // Its process may end before its last view is sent; the record has it.
    if (!signal.aborted && (last === undefined || !hasEnded(last.run.state))) {
      last = (await readStore(context, (store) => viewRecorded(context, store, id))) ?? last;
      if (last !== undefined) await presenter.show(last);
    }
  } finally {
    offKeys();
    presenter.end();
  }
  if (context.json) return last;
  const ended = last !== undefined && hasEnded(last.run.state);
  if (signal.aborted)
    context.terminal.aside([span(`left running · look again with  npx cutover watch ${id}`, "dim")]);
  else if (!ended) context.terminal.aside([span(`its process ended · see  npx cutover status ${id}`, "dim")]);
  return last;
}
