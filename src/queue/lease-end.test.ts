import { expect, test } from "vitest";
import { replacing } from "../../test/queue/failing-store.ts";
import { gate, open } from "../../test/queue/manual-queue.ts";
import { openQueue } from "./index.ts";

test.each([
  ["fails", () => Promise.reject(new Error("the store is away"))],
  ["is never answered", () => new Promise<never>(() => {})],
])(
  "each order is asked to end when a third of its lease is left, whenever it was claimed, where every heartbeat %s",
  async (_, trouble) => {
    const { store, clock, pass } = await open();
    let troubled = false;
    const cut = replacing(store, () => (troubled ? { renew: trouble } : {}));
    const queue = await openQueue({ store: cut }, { clock, lease: "15s", stagger: 0, slots: 4 });
    const begin = clock.now();
    const claimed: number[] = [];
    const asked: number[] = [];
    const door = gate<string>();
    queue.work<{ at: number }>("job", ({ payload }, { signal }) => {
      claimed.push(clock.now() - begin);
      signal.addEventListener("abort", () => (asked[payload.at] = clock.now() - begin));
      return door.work();
    });
    // Heartbeats come at 5, 10 and 15 s, of whatever is held then.
    for (const at of [0, 1, 2, 3]) {
      await queue.submit("job", { at });
      await pass([1, 1_999, 2_999, 0][at] ?? 0);
    }
    expect(claimed).toEqual([0, 1, 2_000, 4_999]);
    troubled = true;
    for (let second = 5; second < 16; second++) await pass(1_000);
    expect(asked).toEqual([10_000, 10_001, 12_000, 14_999]);

    troubled = false;
    for (let left = 0; left < 4; left++) door.finish("too late");
    await pass(0);
    const stopping = queue.stop({ wait: 0 });
    await pass(60_000);
    await stopping;
  },
);
