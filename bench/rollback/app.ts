/**
 * An application in a process of its own, as the owner of the crossing sees it from outside: one or more routes at a
 * steady rate. Arguments: folder, number of routes, calls a second on each, base error rate, `bad` or `good`.
 *
 * With `bad` the new side of every route fails every call from 1.5 s after the route went live. Each change of that kind is
 * told on standard output, one JSON line: the first bad answer, and once a second the last call the new side got.
 */
import { createRollout } from "../../src/rollout/index.ts";

const [dir = "", routes = "1", rate = "200", base = "0.01", mood = "good"] = process.argv.slice(2);
const errorRate = Number(base);
const rollout = createRollout({ dir });

interface Seen {
  live: number;
  firstBad: number;
  lastNew: number;
  calls: number;
}

const fail = (): never => {
  throw new Error("the side failed");
};

for (let index = 0; index < Number(routes); index++) {
  const seen: Seen = { live: 0, firstBad: 0, lastNew: 0, calls: 0 };
  const name = `bench.call${index}`;
  const answer = async (): Promise<number> => (Math.random() < errorRate ? fail() : 1);
  const call = rollout.route(name, {
    old: answer,
    new: async () => {
      const now = Date.now();
      if (seen.live === 0) seen.live = now;
      seen.lastNew = now;
      if (mood !== "bad" || now - seen.live < 1_500) return await answer();
      if (seen.firstBad === 0) seen.firstBad = now;
      return fail();
    },
    key: () => String(seen.calls),
    effects: "none",
    idempotent: true,
  });
  // Calls are spread evenly; a tick that came late makes up for those it missed.
  const start = performance.now();
  const tick = setInterval(() => {
    const due = Math.floor(((performance.now() - start) * Number(rate)) / 1_000);
    while (seen.calls < due) {
      seen.calls++;
      call().catch(() => {});
    }
  }, 5);
  const tell = setInterval(() => {
    process.stdout.write(`${JSON.stringify({ route: name, ...seen })}\n`);
  }, 100);
  setTimeout(
    () => {
      clearInterval(tick);
      clearInterval(tell);
    },
    Number(process.argv[7] ?? 120_000),
  );
}

process.stdin.resume().on("end", () => process.exit(0));
