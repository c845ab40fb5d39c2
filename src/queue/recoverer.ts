import type { QueueContext } from "./context.ts";
import { valuesInEnvironments } from "./machine.ts";
import { deadWorkers, type FindOrphan, recoverLost, type RecoverySummary } from "./recovery.ts";
import { claimMark, environmentNames } from "./sandboxes/process-group.ts";
import { findProgram } from "./sandboxes/subprocess.ts";
import type { Scheduler } from "./scheduler.ts";

/** Takes up what dead workers left, one look at a time, and sums up what was found. */
export class Recoverer {
  summary: RecoverySummary = { lost: 0, poisoned: 0, cancelled: 0, orphansEnded: 0, waiting: 0 };
  readonly #context: QueueContext;
  readonly #scheduler: () => Scheduler;
  #last: Promise<void> = Promise.resolve();

  constructor(context: QueueContext, scheduler: () => Scheduler) {
    this.#context = context;
    this.#scheduler = scheduler;
  }

  /** A look that begins after all that were asked for before. */
  recover(): Promise<void> {
    const next = this.#last.then(() => this.#recover());
    this.#last = next.catch(() => {});
    return next;
  }

  /** Looks only when a worker of this machine has ended, which is seen at once and not by its leases. */
  async recoverDead(): Promise<void> {
    if ((await deadWorkers(this.#context)).length > 0) await this.recover();
  }

  async settled(): Promise<void> {
    await this.#last;
  }

  async #recover(): Promise<void> {
    const { sandboxes, attempts } = this.#scheduler();
    // Hundreds of orders may have been with one worker; a look at every process for each of them takes seconds. What
    // is not there now does not come: only the worker could have started it.
    let claims: ReadonlySet<string> | undefined;
    const find: FindOrphan = (order) => {
      const provider = order.sandbox?.["provider"] ?? "subprocess";
      if (order.sandbox === null) {
        claims ??= valuesInEnvironments(environmentNames.claim);
        if (!claims.has(claimMark(order))) return { orphan: undefined };
      }
      // A program can be looked for without its handler, and leaves traces even when nothing was recorded.
      if (provider === "subprocess") return { orphan: findProgram(order, this.#context.settings.clock) };
      const sandbox = [...sandboxes.values()].find((known) => known.provider === provider);
      return sandbox === undefined ? undefined : { orphan: sandbox.findOrphan(order) };
    };
    const now = await recoverLost(this.#context, find, (id) => attempts.has(id));
    const before = this.summary;
    this.summary = {
      lost: before.lost + now.lost,
      poisoned: before.poisoned + now.poisoned,
      cancelled: before.cancelled + now.cancelled,
      orphansEnded: before.orphansEnded + now.orphansEnded,
      waiting: now.waiting,
      ...(now.waitingReason === undefined ? {} : { waitingReason: now.waitingReason }),
    };
  }
}
