import type { PostgresSides } from "cutover/data";
import { setTimeout as wait } from "node:timers/promises";
import type { Client } from "./pool.ts";
import type { Shop, Task } from "./shop.ts";

type Side = "old" | "new";
const atOnce = 4;
/** Packing takes a while. */
const workMs = 25;

/**
 * Packs what was paid: takes a task, works on it, and writes what came of it in one transaction, so that a task that is taken up
 * again after a crash still counts once.
 */
export class Workers {
  /** New tasks are taken. */
  taking: boolean;
  readonly #sides: PostgresSides<Client>;
  readonly #shops: Readonly<Record<Side, Shop>>;
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(sides: PostgresSides<Client>, shops: Readonly<Record<Side, Shop>>, taking: boolean) {
    this.taking = taking;
    this.#sides = sides;
    this.#shops = shops;
  }

  async run(): Promise<void> {
    const { signal } = this.#stopping;
    this.#running = Promise.all(
      Array.from({ length: atOnce }, async (_, index) => {
        // What somebody who died left running is taken up again, by one of them.
        let left = index === 0 ? await this.#leftovers() : [];
        while (!signal.aborted) {
          const [task = await this.#next(), ...rest] = left;
          left = rest;
          if (task === undefined) await wait(20, undefined, { signal }).catch(() => {});
          else await this.#work(task);
        }
      }),
    );
    await this.#running;
  }

  /** With false, what runs goes on to its end and nothing new is taken. */
  async take(taking: boolean): Promise<{ readonly taking: boolean; readonly running: number }> {
    this.taking = taking;
    const running = await this.#try(async (client, shop) => (await shop.runningTasks(client)).length);
    return { taking, running: running ?? -1 };
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #leftovers(): Promise<readonly Task[]> {
    for (;;) {
      const found = await this.#try((client, shop) => shop.runningTasks(client));
      if (found !== undefined || this.#stopping.signal.aborted) return found ?? [];
      await wait(100);
    }
  }

  async #next(): Promise<Task | undefined> {
    return this.taking ? await this.#try((client, shop) => shop.takeTask(client)) : undefined;
  }

  async #work(task: Task): Promise<void> {
    await wait(workMs);
    const document = Number(task.id) % 23 === 0 ? "failed" : Buffer.from(`packed\0${task.id}`);
    for (let tries = 0; tries < 200; tries++) {
      if ((await this.#try((client, shop) => shop.endTask(client, task, document))) !== undefined) return;
      await wait(50);
    }
  }

  /** Undefined when the database did not answer: it is asked again later. */
  async #try<T>(body: (client: Client, shop: Shop) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#sides.transaction((client, { side }) => body(client, this.#shops[side]));
    } catch {
      return undefined;
    }
  }
}
