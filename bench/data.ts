/**
 * Moving data beside plain ways of doing the same: the same rows, the same minutes, each way in a process of its own, in turns.
 * `--only CASE` runs one case, `--quick` a tenth of the rows.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Bench } from "./data/bench.ts";
import { benchOptions } from "./measure/options.ts";

type Case = (bench: Bench) => Promise<void>;

const cases: Readonly<Record<string, () => Promise<Case>>> = {
  embedded: async () => (await import("./data/cases/embedded.ts")).embedded,
  postgres: async () => (await import("./data/cases/postgres.ts")).postgres,
  differences: async () => (await import("./data/cases/differences.ts")).differences,
  capture: async () => (await import("./data/cases/capture.ts")).capture,
  pause: async () => (await import("./data/cases/pause.ts")).pause,
  memory: async () => (await import("./data/cases/memory.ts")).memory,
};

export async function run(): Promise<void> {
  const { only, quick } = benchOptions({ parts: Object.keys(cases), quick: "a tenth of the rows" });
  printHead(quick);
  const folder = mkdtempSync(join(tmpdir(), "cutover-bench-data-"));
  try {
    for (const [name, load] of Object.entries(cases)) {
      if (only.length > 0 && !only.includes(name)) continue;
      const measure = await load();
      await measure({ folder, rows: quick ? 100_000 : 1_000_000, rounds: quick ? 3 : 7 });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function printHead(quick: boolean): void {
  console.log(
    `${availableParallelism()} × ${cpus()[0]?.model ?? "unknown processor"}, Node ${process.version}; ` +
      "medians over rounds, ratios paired round by round",
  );
  // Figures of a machine that others use meanwhile are figures of the others.
  console.log(`load before the start ${loadavg()[0]?.toFixed(1)}`);
  if (quick) console.log("quick: a look, no figures to publish");
}
