/**
 * The long form of the chaos, and any other:
 *
 *     node test/chaos-queue/run.ts --store postgres --workers 8 --orders 20000 --minutes 5 [--seed N] [--mix plain] [--built dist]
 *
 * Prints the seed, and ends with exit code 1 and what is wrong when something is.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { runChaos } from "./chaos.ts";

const { values } = parseArgs({
  options: {
    store: { type: "string", default: "postgres" },
    workers: { type: "string", default: "8" },
    orders: { type: "string", default: "20000" },
    mix: { type: "string", default: "all" },
    minutes: { type: "string", default: "4" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    built: { type: "string" },
    quiet: { type: "boolean", default: false },
  },
});

if (values.store !== "sqlite" && values.store !== "postgres") throw new Error("--store sqlite or postgres");
if (values.mix !== "all" && values.mix !== "plain") throw new Error("--mix all or plain");
const plan = {
  store: values.store,
  mix: values.mix,
  workers: Number(values.workers),
  orders: Number(values.orders),
  seed: Number(values.seed),
  forMs: Number(values.minutes) * 60_000,
  calmMs: 180_000,
  built: values.built === undefined ? undefined : resolve(values.built),
} as const;
for (const [name, value] of Object.entries(plan)) {
  if (typeof value === "number" && !(value > 0))
    throw new Error(`${name}: expected a number above 0, found ${value}`);
}

const began = performance.now();
const seconds = (): string => ((performance.now() - began) / 1_000).toFixed(1).padStart(7);
const say = (line: string): void => {
  if (!values.quiet) console.log(`${seconds()}  ${line}`);
};
console.log(
  `chaos: ${plan.store}, ${plan.workers} workers, ${plan.orders} orders, --mix ${plan.mix} --seed ${plan.seed}`,
);
const { wrong, disturbances, ...figures } = await runChaos(plan, say);
console.log(JSON.stringify(disturbances));
console.log(JSON.stringify(figures));
for (const line of wrong.slice(0, 50)) console.log(`wrong: ${line}`);
if (wrong.length > 50) console.log(`wrong: … and ${wrong.length - 50} more`);
console.log(
  wrong.length === 0
    ? `all is well after ${seconds().trim()} s`
    : `something is wrong; run it again with --mix ${plan.mix} --seed ${plan.seed}`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
