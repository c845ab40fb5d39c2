import { ok } from "node:assert/strict";
import { ask, health } from "../engine/client.ts";

/** Reading the new layout takes at most a tenth longer than reading the old one, in turns, under load. */
export const performance = async (dir: string): Promise<readonly string[]> => {
  const { oldP50Us, newP50Us } = (await ask(dir, "GET", "/compare-reads?reads=3000")) as {
    oldP50Us: number;
    newP50Us: number;
  };
  const { writeP99Ms } = await health(dir);
  const words = `reads: old ${oldP50Us.toFixed(0)} µs, new ${newP50Us.toFixed(0)} µs (median) · writes: p99 ${(writeP99Ms ?? 0).toFixed(1)} ms`;
  ok(newP50Us <= 1.1 * oldP50Us, `expected the new layout within 10 % of the old one, found ${words}`);
  return [words];
};
