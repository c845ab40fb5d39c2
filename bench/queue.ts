/**
 * The queue beside pg-boss, graphile-worker and BullMQ: one PostgreSQL, one Redis, the same payload, in the same
 * minutes. `--only CASE` runs one case, `--quick` a tenth of the work. Each side runs in a process of its own.
 */
import { availableParallelism, cpus, loadavg } from "node:os";
import { benchOptions } from "./measure/options.ts";
import { startMachines } from "./queue/machines.ts";
import { newPayload } from "./queue/side.ts";
import { sides } from "./queue/sides.ts";
import type { Bench } from "./queue/turns.ts";

type Case = (bench: Bench) => Promise<void>;

/** Loaded when its turn comes: what the peers did is on the screen by then, whatever a case of ours needs. */
const cases: Readonly<Record<string, () => Promise<Case>>> = {
  submit: async () => (await import("./queue/cases/submit.ts")).submit,
  bulk: async () => (await import("./queue/cases/submit.ts")).bulk,
  drain: async () => (await import("./queue/cases/drain.ts")).drain,
  many: async () => (await import("./queue/cases/many.ts")).many,
  latency: async () => (await import("./queue/cases/latency.ts")).latency,
  claim: async () => (await import("./queue/cases/claim.ts")).claim,
  backlog: async () => (await import("./queue/cases/drain.ts")).backlog,
  sqlite: async () => (await import("./queue/cases/drain.ts")).sqlite,
  idle: async () => (await import("./queue/cases/idle.ts")).idle,
};

export async function run(): Promise<void> {
  const { only, quick } = benchOptions({ parts: Object.keys(cases), quick: "a tenth of the work" });
  await using machines = await startMachines();
  printHead(machines.told, quick);
  for (const [name, load] of Object.entries(cases)) {
    if (only.length > 0 && !only.includes(name)) continue;
    const measure = await load();
    await measure({ machines, quick });
  }
}

function printHead(told: readonly string[], quick: boolean): void {
  const bytes = JSON.stringify(newPayload(1)).length;
  console.log(
    `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}; ` +
      `servers and sides share them\npayload ${bytes} bytes; medians over rounds, ratios paired round by round`,
  );
  // Figures of a machine that others use meanwhile are figures of the others.
  console.log(`load before the start ${loadavg()[0]?.toFixed(1)}`);
  if (quick) console.log("quick: a look, no figures to publish");
  for (const line of told) console.log(`  ${line}`);
  console.log();
  for (const [name, { told: settings }] of Object.entries(sides)) console.log(`  ${name}: ${settings}`);
}
