import type { Orders } from "./orders.ts";

interface Counts {
  readonly waiting: number;
  readonly running: number;
  readonly unfinished: number;
}

const none: Counts = { waiting: 0, running: 0, unfinished: 0 };

/** Numbers of the server for `/health`, `/metrics` and the depth header. */
export class Gauges {
  readonly #orders: Orders;
  readonly #route: { state(): { stage: string; share: number } };
  #next: Counts = none;
  readonly #timer: NodeJS.Timeout;

  constructor(orders: Orders, route: { state(): { stage: string; share: number } }) {
    this.#orders = orders;
    this.#route = route;
    // The new side lives in another process: its counts are a tenth of a second old at most.
    this.#timer = setInterval(() => {
      orders.next.call("counts", null).then(
        (counts) => (this.#next = counts),
        () => (this.#next = none),
      );
    }, 100);
    this.#timer.unref();
  }

  depth(): number {
    return (this.#orders.old?.counts().waiting ?? 0) + this.#next.waiting;
  }

  async health(): Promise<object> {
    const { stage, share } = this.#route.state();
    const next = await this.#orders.next.call("counts", null).catch(() => null);
    return { ok: true, pid: process.pid, stage, share, old: this.#orders.old?.counts() ?? null, new: next };
  }

  async text(): Promise<string> {
    const { stage, share } = this.#route.state();
    const old = this.#orders.old?.counts() ?? none;
    const next = await this.#orders.next.call("counts", null).catch(() => none);
    const lines = [
      "# TYPE work_orders_waiting gauge",
      `work_orders_waiting{side="old"} ${old.waiting}`,
      `work_orders_waiting{side="new"} ${next.waiting}`,
      "# TYPE work_orders_running gauge",
      `work_orders_running{side="old"} ${old.running}`,
      `work_orders_running{side="new"} ${next.running}`,
      "# TYPE new_queue_starts counter",
      `new_queue_starts_total ${this.#orders.next.starts}`,
      "# TYPE route_share gauge",
      `route_share{route="queue.submit",stage="${stage}"} ${share}`,
      "# TYPE process_resident_memory_bytes gauge",
      `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    ];
    return `${lines.join("\n")}\n`;
  }

  close(): void {
    clearInterval(this.#timer);
  }
}
