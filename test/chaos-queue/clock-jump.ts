/** Loaded with `--import`: the wall clock of this process jumps by hours, forth and back, again and again. */
import { appendFileSync } from "node:fs";
import { env } from "node:process";
import { between, seeded } from "./plan.ts";

const random = seeded(Number(env["CHAOS_CLOCK_SEED"] ?? 1));
const real = Date.now;
let shift = 0;
Date.now = () => real() + shift;

function jumpLater(): void {
  setTimeout(
    () => {
      shift = between(random, -5, 6) * 3_600_000 + between(random, 0, 60_000);
      const log = env["CHAOS_CLOCK_LOG"];
      if (log !== undefined) appendFileSync(log, `${shift}\n`);
      jumpLater();
    },
    between(random, 300, 3_000),
  ).unref();
}
jumpLater();
