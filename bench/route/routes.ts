/** Routes of our own at a stage, and calls through anything, made in the same way. */
import { createRollout, memoryLink, type MemoryLink, type Rollout } from "../../src/rollout/index.ts";
import { answerNew, answerOld, type Call, type Order, orders } from "./sides.ts";

/** Shadow work is done between two turns of the event loop; so many calls are made in one turn. */
export const perTurn = 50;

export const stages = ["off", "share", "shadow", "complete"] as const;
export type Stage = (typeof stages)[number];

export function routed(
  stage: Stage,
  idempotent: boolean,
): { call: Call; rollout: Rollout; link: MemoryLink } {
  const link = memoryLink();
  const rollout = createRollout({
    link,
    // As fast as they can be made, shadow calls take more of the process than any application would allow.
    overhead: 100,
    state: [{ route: "bench", stage: stage === "share" ? "live" : stage, share: 50 }],
  });
  const call = rollout.route("bench", {
    old: answerOld,
    new: answerNew,
    key: (order) => order.id,
    effects: "none",
    idempotent,
    shadowConcurrency: perTurn,
  });
  return { call, rollout, link };
}

export async function callInTurns(call: Call, count: number, of: readonly Order[] = orders): Promise<void> {
  for (let i = 0; i < count; i++) {
    await call(of[i % of.length] as Order);
    if (i % perTurn === perTurn - 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
