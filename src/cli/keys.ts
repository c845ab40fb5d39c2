import type { Timer } from "../core/index.ts";
import type { RunState } from "../store/index.ts";
import type { CommandContext } from "./command.ts";
import type { Presenter } from "./presenter.ts";
import { toCutoverError } from "./print-error.ts";

export interface KeyActions {
  state(): RunState | undefined;
  pause(): Promise<unknown>;
  continue(): Promise<unknown>;
  rollback(): Promise<unknown>;
  quit(): void;
}

/** A second `b` counts only so long after the first. */
const sureMs = 5_000;
const hintMs = 4_000;

/** p pauses and goes on, b twice rolls back, q quits. Nothing here asks: a key that is not pressed does nothing. */
export function listenToKeys(context: CommandContext, presenter: Presenter, actions: KeyActions): () => void {
  const { clock, terminal } = context;
  let askedAt = Number.NEGATIVE_INFINITY;
  let hiding: Timer | undefined;
  const hint = (text: string): void => {
    hiding?.cancel();
    presenter.hint(text);
    hiding = clock.after(hintMs, () => presenter.hint(""));
    hiding.unref();
  };
  const act = async (work: Promise<unknown>, done: string): Promise<void> => {
    try {
      await work;
      hint(done);
    } catch (thrown) {
      hint(toCutoverError(thrown).message);
    }
  };
  const off = terminal.onKey((key) => {
    if (key === "p") {
      const paused = actions.state() === "PAUSED";
      void act(paused ? actions.continue() : actions.pause(), paused ? "goes on" : "paused · p goes on");
    }
    if (key === "b") {
      if (clock.monotonic() - askedAt <= sureMs) void act(actions.rollback(), "rolling back");
      else {
        askedAt = clock.monotonic();
        hint("press b again to take everything back to the old side");
      }
    }
    if (key === "q") actions.quit();
  });
  return () => {
    hiding?.cancel();
    off();
  };
}
