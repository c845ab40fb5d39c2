import { compare, type Difference } from "cutover/rollout";
import { QueueFull } from "../old/old-queue.ts";
import type { Placed } from "./orders.ts";

/** The answer of a side that has no room now: an answer like others, not a failure. */
export const full = "full";

export async function orFull(answer: Promise<Placed>): Promise<Placed | typeof full> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof QueueFull) return full;
    throw error;
  }
}

/**
 * Do both sides answer the same? Time and place may differ. That one queue is full at this moment says nothing about
 * what it would have answered.
 */
export function sameAnswer(old: unknown, other: unknown): boolean | readonly Difference[] {
  if (old === full || other === full) return true;
  const { differences } = compare(old, other, { ignore: ["createdAt", "side"] });
  return differences.length === 0 || differences;
}
