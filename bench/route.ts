/**
 * The door beside calling a function directly, and beside the peers: what a call costs, what it allocates, what comparing
 * costs, and what callers of a shadowed side wait. `--only PART` runs one part.
 */
import { loadavg } from "node:os";
import { benchOptions } from "./measure/options.ts";
import { allocation } from "./route/allocation.ts";
import { besideShadow } from "./route/beside-shadow.ts";
import { calls } from "./route/calls.ts";
import { comparing } from "./route/comparing.ts";

const parts: Readonly<Record<string, () => Promise<void>>> = {
  calls,
  allocation,
  comparing,
  "beside-shadow": besideShadow,
};

export async function run(): Promise<void> {
  const { only } = benchOptions({ parts: Object.keys(parts) });
  // Figures of a machine that others use meanwhile are figures of the others.
  console.log(`Node ${process.version}, load before the start ${loadavg()[0]?.toFixed(1)}`);
  for (const [name, part] of Object.entries(parts)) {
    if (only.length > 0 && !only.includes(name)) continue;
    console.log();
    await part();
  }
}
