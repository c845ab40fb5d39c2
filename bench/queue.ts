/**
 * The queue beside pg-boss, graphile-worker and BullMQ: one PostgreSQL, one Redis, the same payload, in the same
 * minutes. `--only CASE` runs one case, `--quick` a tenth of the work. Each side runs in a process of its own.
 */
import { availableParallelism, cpus } from "node:os";
import { parseArgs } from "node:util";
import { claim } from "./queue/cases/claim.ts";
import { backlog, drain, sqlite } from "./queue/cases/drain.ts";
import { idle } from "./queue/cases/idle.ts";
import { latency } from "./queue/cases/latency.ts";
import { bulk, submit } from "./queue/cases/submit.ts";
import { startMachines } from "./queue/machines.ts";
import { newPayload } from "./queue/side.ts";
import { sides } from "./queue/sides.ts";
import type { Bench } from "./queue/turns.ts";

const cases: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  submit,
  bulk,
  drain,
  latency,
  claim,
  backlog,
  sqlite,
  idle,
};

export async function run(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: {
      only: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
    },
  });
  const unknown = values.only.find((name) => !Object.hasOwn(cases, name));
  if (unknown !== undefined)
    throw new Error(`expected --only with one of ${Object.keys(cases).join(", ")}, found ${unknown}`);
  await using machines = await startMachines();
  printHead(machines.told, values.quick);
  for (const [name, measure] of Object.entries(cases)) {
    if (values.only.length === 0 || values.only.includes(name))
      await measure({ machines, quick: values.quick });
  }
}

function printHead(told: readonly string[], quick: boolean): void {
  const bytes = JSON.stringify(newPayload(1)).length;
  console.log(
    `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}; ` +
      `servers and sides share them\npayload ${bytes} bytes; medians over rounds, ratios paired round by round`,
  );
  if (quick) console.log("quick: a look, no figures to publish");
  for (const line of told) console.log(`  ${line}`);
  console.log();
  for (const [name, { told: settings }] of Object.entries(sides)) console.log(`  ${name}: ${settings}`);
}
