import { setTimeout as pause } from "node:timers/promises";
import type { Span } from "./book.ts";
import { ledgerTime } from "./ledger.ts";
import type { Place } from "./place.ts";
import { between, leaseMs, type Plan, seeded } from "./plan.ts";
import type { WorkerPool } from "./worker-pool.ts";

export type Disturbance = "kill" | "stand still" | "drain" | "end connections" | "restart the server";

const weights: Readonly<Record<Plan["store"], readonly (readonly [Disturbance, number])[]>> = {
  sqlite: [
    ["kill", 60],
    ["stand still", 30],
    ["drain", 10],
  ],
  postgres: [
    ["kill", 40],
    ["stand still", 20],
    ["drain", 8],
    ["end connections", 25],
    ["restart the server", 7],
  ],
};

const disturbsStore = (what: Disturbance): boolean =>
  what === "end connections" || what === "restart the server";

/** Disturbs until `forMs` are over, one thing after the other at random times, several at once. Counts what it did. */
export async function disturb(
  plan: Plan,
  place: Place,
  pool: WorkerPool,
  say: (line: string) => void,
  { away, signal }: { readonly away: Span[]; readonly signal: AbortSignal },
): Promise<Readonly<Record<string, number>>> {
  const random = seeded(plan.seed);
  const done: Record<string, number> = {};
  const running = new Set<Promise<void>>();
  const until = performance.now() + plan.forMs;
  // A soak is not disturbed so often that nothing but starting processes happens.
  const [least, most] = plan.forMs > 120_000 ? [500, 4_000] : [250, 1_200];
  try {
    for (;;) {
      const wait = between(random, least, most);
      if (performance.now() + wait > until) break;
      await pause(wait, undefined, { signal });
      const what = draw(random, weights[plan.store]);
      const worker = between(random, 0, pool.size);
      const ms = random();
      done[what] = (done[what] ?? 0) + 1;
      say(`${what}${what === "kill" || what === "stand still" || what === "drain" ? ` ${worker}` : ""}`);
      const from = ledgerTime();
      const one = act(what, place, pool, worker, ms).finally(() => {
        running.delete(one);
        // Who had a connection finds it out with its next call, and makes another.
        if (disturbsStore(what)) away.push({ from, to: ledgerTime() + leaseMs / 3 });
      });
      running.add(one);
    }
  } finally {
    await Promise.all(running);
  }
  return done;
}

function draw(random: () => number, from: readonly (readonly [Disturbance, number])[]): Disturbance {
  let left = random() * from.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [what, weight] of from) if ((left -= weight) < 0) return what;
  return "kill";
}

let restarting: Promise<void> | undefined;

async function act(
  what: Disturbance,
  { server }: Place,
  pool: WorkerPool,
  worker: number,
  share: number,
): Promise<void> {
  switch (what) {
    case "kill":
      return pool.kill(worker, 50 + share * 500);
    case "drain":
      return pool.drain(worker, 50 + share * 500);
    case "stand still":
      return pool.standStill(worker, leaseMs * (1.2 + share));
    case "end connections":
      // While the server is down there is nothing to end.
      if (server === undefined || restarting !== undefined) return;
      await server
        .query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND random() < $1`,
          [0.1 + share * 0.5],
        )
        .catch(() => []);
      return;
    case "restart the server":
      if (server === undefined || restarting !== undefined) return;
      restarting = (async () => {
        await server.halt("immediate");
        await pause(share * 1_500);
        await server.start();
      })().finally(() => (restarting = undefined));
      return restarting;
  }
}
