import { expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { CommandContext } from "../command.ts";
import { watch } from "./queue-stats.ts";

test("who watches a queue whose store does not answer is told so, and may leave at once", async () => {
  const clock = new ManualClock();
  const interrupted = new AbortController();
  const said: string[] = [];
  const aside = (line: string): void => void said.push(line);
  const terminal = { live: false, aside, onKey: () => () => {} };
  const context = { clock, terminal, json: false, interrupted: interrupted.signal };
  const away = Promise.withResolvers<never>();
  const watching = watch(context as unknown as CommandContext, { view: () => away.promise }, 1_000);
  await clock.advance(1_999);
  expect(said).toEqual([]);
  await clock.advance(1);
  expect(said).toEqual(["the store does not answer; it is asked again"]);
  interrupted.abort();
  expect(await watching).toBe(0);
  away.reject(new Error("nobody hears of this any more"));
  expect(clock.pending).toBe(0);
});
