import { asError, formatDuration } from "../core/index.ts";
import type { QueueContext } from "./context.ts";
import type { RecoverySummary } from "./recovery.ts";
import { headOfQueue, type QueueFinding, queueFindings } from "./findings.ts";
import { countBehind } from "./held-places.ts";
import { judgeHealth, type QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { Scheduler } from "./scheduler.ts";
import { unfinished } from "./states.ts";
import type { QueueGauges } from "./telemetry-instruments.ts";
import type { WorkerList } from "./worker-list.ts";

/** How long health waits for the store: one that is away is asked again for half a minute before it says so itself. */
const answerMs = 2_000;

/** What health asks the store for. */
interface Waiting {
  readonly unfinished: number;
  readonly findings: readonly QueueFinding[];
}

/** What a queue tells of itself, read from the store and from what runs here. */
export class Figures {
  readonly #context: QueueContext;
  readonly #scheduler: Scheduler;
  readonly #workers: WorkerList;
  /** As it was when the store answered last. */
  #last: Waiting = { unfinished: 0, findings: [] };

  constructor(context: QueueContext, scheduler: Scheduler, workers: WorkerList) {
    this.#context = context;
    this.#scheduler = scheduler;
    this.#workers = workers;
  }

  /** @param recovered what the looks for orders of dead workers have found */
  async health(stopped: boolean, recovered: RecoverySummary): Promise<QueueHealth> {
    const scheduler = this.#scheduler;
    // The store may be closed already.
    const { trouble, ...waiting } = stopped
      ? { unfinished: 0, findings: [], trouble: undefined }
      : await this.#inTime();
    return judgeHealth({
      settings: this.#context.settings,
      admission: scheduler.admission(),
      memory: scheduler.memory,
      memoryTrouble: scheduler.memoryTrouble,
      usedSlots: scheduler.usedSlots,
      handlers: scheduler.sandboxes.size,
      leftBehind: [...new Set(scheduler.sandboxes.values())].reduce(
        (sum, sandbox) => sum + (sandbox.leftBehind?.() ?? 0),
        0,
      ),
      stopped,
      trouble: trouble ?? scheduler.trouble,
      waitingOrphans: recovered.waiting,
      orphanTrouble: recovered.waitingReason,
      heartbeatTrouble: scheduler.heartbeatTrouble,
      lostTail: this.#context.store.lostTail,
      ...waiting,
    });
  }

  /** @param context of the call */
  async metrics(context: QueueContext): Promise<QueueMetrics> {
    const { meter, store, settings } = context;
    const counts = await store.orders.counts(settings.name);
    return {
      counts,
      depth: unfinished(counts),
      ageMs: await this.#ageMs(context),
      wait: meter.wait.summary(),
      run: meter.run.summary(),
      throughput: meter.throughput(),
      events: { ...meter.events },
      late: meter.late,
    };
  }

  async gauges(): Promise<QueueGauges> {
    const { store, settings } = this.#context;
    const counts = await store.orders.counts(settings.name);
    const slots = { used: this.#scheduler.usedSlots, total: settings.slots };
    return { counts, ageMs: await this.#ageMs(), slots };
  }

  /** With `trouble` and the figures of before where the store does not answer, or refuses. */
  async #inTime(): Promise<Waiting & { readonly trouble: string | undefined }> {
    const late = Promise.withResolvers<string>();
    const timer = this.#context.settings.clock.after(answerMs, () =>
      late.resolve(`the store did not answer within ${formatDuration(answerMs)}`),
    );
    const answered = this.#waiting().then(
      (waiting) => void (this.#last = waiting),
      (error: unknown) => asError(error).message,
    );
    const trouble = await Promise.race([answered, late.promise]);
    timer.cancel();
    return { ...this.#last, trouble: trouble ?? undefined };
  }

  async #waiting(): Promise<Waiting> {
    const { store, settings } = this.#context;
    const { ageLimitMs, name, tags, slots, staggerMs } = settings;
    const [counts, { paused, limits }, ageMs, alive, waiting] = await Promise.all([
      store.orders.counts(name),
      store.orders.config(name),
      this.#ageMs(),
      this.#workers.alive(),
      store.orders.waiting(name, headOfQueue),
    ]);
    // This one, too, counts from its first work() on, before it has told of itself.
    const { kinds } = this.#scheduler;
    const memory = slots * settings.memoryPerSlot;
    const others = alive.filter(({ id }) => id !== this.#context.worker);
    const workers = kinds.length === 0 ? others : [...others, { kinds, tags, slots, memory, staggerMs }];
    const facts = { counts, paused, ageMs, ageLimitMs, workers, waiting, limits };
    const findings = queueFindings({ ...facts, behind: await countBehind(store.orders, name, facts) });
    return { unfinished: unfinished(counts), findings };
  }

  async #ageMs({ store, settings }: QueueContext = this.#context): Promise<number> {
    const oldest = await store.orders.oldestDue(settings.name);
    return oldest === undefined ? 0 : Math.max(0, store.clock.now() - oldest);
  }
}
