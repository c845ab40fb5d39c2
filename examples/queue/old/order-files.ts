import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { QueueEntry, WorkOrder } from "./work-order.ts";

export interface QueueState {
  readonly version: string;
  readonly queue: readonly QueueEntry[];
  readonly running: readonly string[];
  readonly waitTimes: readonly number[];
  readonly savedAt: string;
}

/**
 * A work order file. `movedTo` marks an order that was handed to the other queue. `entry` is the place of a waiting
 * order: the queue state is written after it, and a process may end in between.
 */
export type StoredOrder = WorkOrder & { readonly movedTo?: MoveMark; readonly entry?: QueueEntry };

/** While it stands in an order's file, the old queue never runs that order. It holds what is needed to take it back. */
export interface MoveMark {
  readonly side: "new";
  readonly entry: QueueEntry;
}

/** The old server's data folder: `work-orders/ID.json` and `queue-state.json`. */
export class OrderFiles {
  readonly dir: string;
  #last: Promise<void> = Promise.resolve();
  #stateWaiting: Promise<void> | undefined;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** Everything readable, and the names of the files that are not. */
  readAll(): { orders: StoredOrder[]; unreadable: string[]; state: QueueState | undefined } {
    const orders: StoredOrder[] = [];
    const unreadable: string[] = [];
    for (const name of readdirSync(join(this.dir, "work-orders")).sort()) {
      if (!name.endsWith(".json")) continue;
      try {
        orders.push(JSON.parse(readFileSync(join(this.dir, "work-orders", name), "utf8")) as StoredOrder);
      } catch {
        unreadable.push(name);
      }
    }
    return { orders, unreadable, state: this.#readState() };
  }

  /** Writes one order file; writes happen one after the other, so the last one asked for is the one that stays. */
  saveOrder(order: StoredOrder): Promise<void> {
    return this.#next(() => this.#replace(join("work-orders", `${order.id}.json`), order));
  }

  /** Writes the queue state as it is when its turn comes; callers that wait for a turn share it. */
  saveState(read: () => QueueState): Promise<void> {
    this.#stateWaiting ??= this.#next(() => {
      this.#stateWaiting = undefined;
      return this.#replace("queue-state.json", read());
    });
    return this.#stateWaiting;
  }

  /** Resolves when everything asked for so far is on disk. */
  settled(): Promise<void> {
    return this.#last;
  }

  #readState(): QueueState | undefined {
    try {
      return JSON.parse(readFileSync(join(this.dir, "queue-state.json"), "utf8")) as QueueState;
    } catch {
      return undefined;
    }
  }

  #next(write: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(write);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #replace(name: string, value: unknown): Promise<void> {
    const target = join(this.dir, name);
    await mkdir(join(this.dir, "tmp"), { recursive: true });
    const fresh = join(this.dir, "tmp", randomBytes(6).toString("hex"));
    await writeFile(fresh, `${JSON.stringify(value, null, 2)}\n`);
    await rename(fresh, target);
  }
}
