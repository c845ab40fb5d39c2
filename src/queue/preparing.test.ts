import { describe, expect, test } from "vitest";
import { gate, open } from "../../test/queue/manual-queue.ts";
import type { Sandbox } from "./index.ts";
import { subprocess } from "./index.ts";

const minute = 60_000;

/** A sandbox that has to wait for what it needs, and where work goes on until it is let go. */
function waits() {
  const [ready, work] = [gate<undefined>(), gate<null>()];
  const sandbox: Sandbox = {
    provider: "waits",
    async prepare(_, { signal }) {
      const aborted = new Promise<never>((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
      );
      aborted.catch(() => {});
      await Promise.race([ready.work(), aborted]);
      return {
        run: () => Promise.race([work.work(), aborted]),
        cancel: () => aborted.catch(() => {}),
        cleanup: () => Promise.resolve(),
      };
    },
    findOrphan: () => undefined,
  };
  return { sandbox, ready, work };
}

describe("the time of an order", () => {
  test("counts from the start of its work: what it waits for before is not its doing", async () => {
    const { queue, pass } = await open();
    const { sandbox, ready, work } = waits();
    queue.work("job", sandbox);
    const { id } = await queue.submit("job", null, { timeout: "1m", retries: 0 });
    await pass(5 * minute);
    ready.finish(undefined);
    await pass(minute - 1_000);
    expect(await queue.get(id)).toMatchObject({ state: "RUNNING" });
    work.finish(null);
    await pass(0);
    expect(await queue.get(id)).toMatchObject({ state: "COMPLETED" });
  });

  test("is over when its work has taken it", async () => {
    const { queue, pass } = await open();
    const { sandbox, ready } = waits();
    queue.work("job", sandbox);
    const { id } = await queue.submit("job", null, { timeout: "1m", retries: 0 });
    await pass(5 * minute);
    ready.finish(undefined);
    await pass(0);
    await pass(minute);
    expect(await queue.get(id)).toMatchObject({
      state: "FAILED",
      error: { code: "CUTOVER_ORDER_TIMEOUT", message: expect.stringContaining("did not end within") },
    });
  });

  test("has a bound for being made ready as well", async () => {
    const { queue, pass } = await open();
    queue.work("job", waits().sandbox);
    const { id } = await queue.submit("job", null, { timeout: "1m", retries: 0 });
    await pass(14 * minute);
    expect(await queue.get(id)).toMatchObject({ state: "PREPARING" });
    await pass(minute);
    expect(await queue.get(id)).toMatchObject({
      state: "FAILED",
      error: { message: expect.stringContaining("was not made ready to run within 15") },
    });
  });

  test("holds for what makes a command of it: that is its own code", async () => {
    const { clock, queue, pass } = await open();
    queue.work("job", subprocess({ command: () => new Promise<never>(() => {}) }, clock));
    const { id } = await queue.submit("job", null, { timeout: "1m", retries: 0 });
    await pass(0);
    await pass(minute);
    expect(await queue.get(id)).toMatchObject({ state: "FAILED", error: { code: "CUTOVER_ORDER_TIMEOUT" } });
  });
});
