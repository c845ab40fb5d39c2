import type { QueueContext } from "./context.ts";
import type { RecoverySummary } from "./recovery.ts";
import { judgeHealth, type QueueHealth } from "./health.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { Scheduler } from "./scheduler.ts";
import { unfinished } from "./states.ts";
import type { QueueGauges } from "./telemetry-instruments.ts";
import type { WorkerList } from "./worker-list.ts";

/** What a queue tells of itself, read from the store and from what runs here. */
export class Figures {
  readonly #context: QueueContext;
  readonly #scheduler: Scheduler;
  readonly #workers: WorkerList;

  constructor(context: QueueContext, scheduler: Scheduler, workers: WorkerList) {
    this.#context = context;
    this.#scheduler = scheduler;
    this.#workers = workers;
  }

  /** @param recovered what the looks for orders of dead workers have found */
  async health(stopped: boolean, recovered: RecoverySummary): Promise<QueueHealth> {
    const scheduler = this.#scheduler;
    return judgeHealth({
      settings: this.#context.settings,
      admission: scheduler.admission(),
      memory: scheduler.memory,
      usedSlots: scheduler.usedSlots,
      handlers: scheduler.sandboxes.size,
      stopped,
      trouble: scheduler.trouble,
      waitingOrphans: recovered.waiting,
      orphanTrouble: recovered.waitingReason,
      heartbeatTrouble: scheduler.heartbeatTrouble,
      // The store may be closed already.
      ...(stopped ? { unfinished: 0, paused: false, ageMs: 0, missingTags: [] } : await this.#waiting()),
    });
  }

  async metrics(): Promise<QueueMetrics> {
    const { meter, store, settings } = this.#context;
    const counts = await store.orders.counts(settings.name);
    return {
      counts,
      depth: unfinished(counts),
      ageMs: await this.#ageMs(),
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

  async #waiting(): Promise<{
    readonly unfinished: number;
    readonly paused: boolean;
    readonly ageMs: number;
    readonly missingTags: readonly string[];
  }> {
    const { store, settings } = this.#context;
    const [counts, { paused }, ageMs, missingTags] = await Promise.all([
      store.orders.counts(settings.name),
      store.orders.config(settings.name),
      this.#ageMs(),
      this.#workers.missingTags(),
    ]);
    return { unfinished: unfinished(counts), paused, ageMs, missingTags };
  }

  async #ageMs(): Promise<number> {
    const { store, settings } = this.#context;
    const oldest = await store.orders.oldestDue(settings.name);
    return oldest === undefined ? 0 : Math.max(0, store.clock.now() - oldest);
  }
}
