import { expect, test } from "vitest";
import { settle } from "../../../test/queue/manual-queue.ts";
import { openSqliteStore } from "../../store/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { CommandContext } from "../command.ts";
import { type QueueView, QueueViewer } from "./queue-view.ts";
import { watchQueue } from "./queue-watch.ts";

const late = "the store does not answer; it is asked again";

/** Whoever watches, with what is said to them, and looks that the test answers. */
function watching(failing: "ends" | "goes on"): {
  readonly clock: ManualClock;
  readonly said: string[];
  readonly looks: PromiseWithResolvers<QueueView>[];
  readonly leave: AbortController;
  readonly over: Promise<string>;
} {
  const clock = new ManualClock();
  const said: string[] = [];
  const looks: PromiseWithResolvers<QueueView>[] = [];
  const leave = new AbortController();
  const terminal = {
    live: false,
    line: () => void said.push("a picture"),
    aside: (line: string) => void said.push(line),
  };
  const context = { clock, terminal, json: false } as unknown as CommandContext;
  const view = (): Promise<QueueView> => {
    const look = Promise.withResolvers<QueueView>();
    looks.push(look);
    return look.promise;
  };
  const over = watchQueue(context, { view }, { everyMs: 500, keys: "", signal: leave.signal, failing }).then(
    () => "left",
    (error: unknown) => String(error),
  );
  return { clock, said, looks, leave, over };
}

async function aView(): Promise<QueueView> {
  await using store = await openSqliteStore({ path: ":memory:", clock: new ManualClock() });
  return await new QueueViewer(store, "jobs").view();
}

test("who watches a queue whose store does not answer is told so, and may leave at once", async () => {
  const { clock, said, looks, leave, over } = watching("ends");
  await clock.advance(1_999);
  expect(said).toEqual([]);
  await clock.advance(1);
  expect(said).toEqual([late]);
  leave.abort();
  expect(await over).toBe("left");
  looks[0]?.reject(new Error("nobody hears of this any more"));
  expect(clock.pending).toBe(0);
});

test("a look that fails ends the picture of who only looks", async () => {
  const { looks, over } = watching("ends");
  looks[0]?.reject(new Error("the server is away"));
  expect(await over).toBe("Error: the server is away");
});

test("the picture of a worker says that it is late, outlives a look that failed, and is left at once", async () => {
  const { clock, said, looks, leave, over } = watching("goes on");
  await clock.advance(2_000);
  expect(said).toEqual([late]);
  looks[0]?.reject(new Error("the server is away"));
  await settle();
  await clock.advance(500);
  looks[1]?.resolve(await aView());
  await settle();
  expect(said).toEqual([late, late, "a picture"]);
  await clock.advance(500);
  expect(looks).toHaveLength(3);
  // The third look is under way.
  leave.abort();
  expect(await over).toBe("left");
});
