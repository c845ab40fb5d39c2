import { CutoverError } from "../../core/index.ts";
import type { CommandContext } from "../command.ts";
import { Progress } from "../progress.ts";
import { shellWord } from "../store-place.ts";
import { queueCommand } from "./use-orders.ts";

/** How far a command is that does something to many orders. A signal of the process is answered at once. */
export class ManyProgress implements Disposable {
  readonly #progress: Progress;
  readonly #interrupted: AbortSignal;
  readonly #onInterrupt = (): void =>
    this.say("stopping after those that are under way · Ctrl-C again ends at once");

  /** @param doing one word for it, e.g. `cancel` */
  constructor(context: CommandContext, doing: string, total?: number) {
    this.#progress = new Progress(context, "orders");
    this.#progress.part(doing, total);
    this.#interrupted = context.interrupted;
    this.#interrupted.addEventListener("abort", this.#onInterrupt, { once: true });
  }

  set(done: number, about: { readonly note?: string } = {}): void {
    this.#progress.set(done, 0, about);
  }

  say(line: string): void {
    this.#progress.say(line);
  }

  [Symbol.dispose](): void {
    this.#interrupted.removeEventListener("abort", this.#onInterrupt);
    this.#progress[Symbol.dispose]();
  }
}

const repeated = ["kind", "code", "state", "older-than", "reason", "by"] as const;

/**
 * What a command about many orders ends with when a signal stopped it: how much was done, and the command that goes on.
 * @param verb the command with the word that means many, e.g. `cancel --all`
 * @param said what was done until then, e.g. `200 orders cancelled`
 * @param counts the same for machines, as the command prints it at its end
 * @param left how many of `--limit` are left; absent without it
 */
export function stoppedEarly(
  context: CommandContext,
  verb: string,
  said: string,
  counts: Readonly<Record<string, number>>,
  left?: number,
): CutoverError {
  const options = repeated.flatMap((name) => {
    const value = context.args.text(name);
    return value === undefined ? [] : [` --${name} ${shellWord(value)}`];
  });
  const limit = left === undefined ? "" : ` --limit ${left}`;
  return new CutoverError("CUTOVER_INTERRUPTED", {
    message: `stopped: ${said}; the others are as they were`,
    details: counts,
    remedy: `go on with: \`${queueCommand(context, `${verb}${options.join("")}${limit}`).slice(4)}\``,
  });
}
