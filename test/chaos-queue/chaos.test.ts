import { expect, test } from "vitest";
import { givenSeed } from "../properties/seed.ts";
import { runChaos } from "./chaos.ts";
import type { Plan } from "./plan.ts";

/** Another one is tried with `CUTOVER_SEED=N`; the long form, `run.ts`, takes a new one each time. */
const seed = givenSeed(7);

const plans: readonly Omit<Plan, "seed" | "built">[] = [
  { store: "postgres", workers: 8, orders: 1_500, forMs: 14_000, calmMs: 60_000, mix: "all" },
  { store: "postgres", workers: 8, orders: 4_000, forMs: 14_000, calmMs: 60_000, mix: "plain" },
  { store: "sqlite", workers: 4, orders: 800, forMs: 12_000, calmMs: 60_000, mix: "all" },
];

test.each(plans)(
  "$store, $mix: $workers workers that are killed, stopped and cut off do each of $orders orders once",
  async (plan) => {
    const { wrong, ...figures } = await runChaos({ ...plan, seed, built: undefined });
    console.log(`CUTOVER_SEED=${seed} ${JSON.stringify(figures)}`);
    expect(wrong).toEqual([]);
    expect(figures.disturbances["kill"]).toBeGreaterThan(0);
    expect(figures.completed + figures.cancelled).toBe(plan.orders);
  },
  150_000,
);
