import type { Clock, Timer } from "../../core/index.ts";
import type { Capacity } from "../order-records.ts";
import type { Gathered } from "../orders/gathered.ts";
import type { JobOutcome, OrderJob } from "../orders/order-io.ts";
import type { Answer, Statement } from "../sql/program.ts";
import { readUnseen } from "./order-load.ts";

export interface SecondLookOptions {
  readonly timers: Clock;
  readonly ask: (statement: Statement) => Promise<Answer>;
  /** There is something to claim in this queue. */
  readonly ring: (queue: string) => void;
}

/** What others were about to claim is claimed, or left, by then; twice as long each time it still is neither. */
const soonMs = 20;
const mostMs = 1_000;

/**
 * A claim among others passes by what they look at, which is more than they take: nobody rings for what they leave. Who
 * got less than it asked for looks once more, whether there is something now that it has not seen.
 */
export class SecondLook {
  readonly #options: SecondLookOptions;
  /** By queue. */
  readonly #timers = new Map<string, Timer>();
  readonly #waits = new Map<string, number>();
  #closed = false;

  constructor(options: SecondLookOptions) {
    this.#options = options;
  }

  /** After a commit with claims that pass others by. */
  claimed(jobs: readonly OrderJob[], outcomes: readonly JobOutcome[], { claims }: Gathered): void {
    jobs.forEach((job, index) => {
      const outcome = outcomes[index];
      if (job.do !== "claim" || outcome?.ok !== true || this.#closed) return;
      const { queue, capacity } = job;
      const got = (outcome.value as readonly unknown[]).length;
      if (got > 0) this.#waits.delete(queue);
      this.#timers.get(queue)?.cancel();
      this.#timers.delete(queue);
      if (got < capacity.max) this.#lookSoon(queue, capacity, claims.get(job)?.candidates ?? []);
    });
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #lookSoon(queue: string, capacity: Capacity, seen: readonly string[]): void {
    const wait = this.#waits.get(queue) ?? soonMs;
    const timer = this.#options.timers.after(wait, () => {
      this.#timers.delete(queue);
      this.#waits.delete(queue);
      const look = async (): Promise<void> => {
        const { rows } = await this.#options.ask(readUnseen(queue, capacity, seen));
        if (rows.length === 0 || this.#closed) return;
        this.#waits.set(queue, Math.min(mostMs, wait * 2));
        this.#options.ring(queue);
      };
      // Not to be reached: who claims asks again by itself, more slowly.
      look().catch(() => {});
    });
    timer.unref();
    this.#timers.set(queue, timer);
  }
}
