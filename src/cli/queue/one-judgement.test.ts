import { expect, test } from "vitest";
import { open } from "../../../test/queue/manual-queue.ts";
import { fatal } from "../../queue/index.ts";
import { QueueViewer } from "./queue-view.ts";

test("what is wrong with a queue for the command is wrong for health() as well, in the same words", async () => {
  const { queue, store, pass } = await open();
  const viewer = new QueueViewer(store, "default");
  const both = async (): Promise<readonly string[]> => {
    const [view, health] = [await viewer.view(), await queue.health()];
    expect(health.status).toBe(view.status);
    const said = view.reasons.map(({ code, message }) => ({ code, message }));
    expect(health.reasons).toEqual(said);
    return said.map(({ code }) => code);
  };
  expect(await both()).toEqual([]);
  queue.work("job", () => {
    throw fatal(new Error("broken"));
  });
  await queue.submitAll([
    ...Array.from({ length: 6 }, () => ({ kind: "job" })),
    { kind: "nobody-does-this" },
  ]);
  await pass(2_000);
  expect(await both()).toEqual(["unserved", "failed"]);
  await queue.submit("job", null, { needs: { tags: ["gpu"] } });
  await queue.configure({ limits: { k: { concurrency: 1 } } });
  await queue.submit("job", null, { limit: "k", needs: { tags: ["gpu"] } });
  await queue.submit("job", null, { limit: "k" });
  await queue.pause();
  await pass(600_000);
  expect(await both()).toEqual(["paused", "unserved", "tags", "limit", "age", "failed"]);
});
