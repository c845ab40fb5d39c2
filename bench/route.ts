/**
 * The door beside calling a function directly, and beside the peers: what a call costs, what it allocates, what comparing
 * costs, and what callers of a shadowed side wait. `--only PART` runs one part.
 */
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
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
  const { values } = parseArgs({
    args: process.argv.slice(3),
    options: { only: { type: "string", multiple: true, default: [] } },
  });
  const unknown = values.only.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined)
    throw new Error(`expected --only with one of ${Object.keys(parts).join(", ")}, found ${unknown}`);
  // Figures of a machine that others use meanwhile are figures of the others.
  console.log(`Node ${process.version}, load before the start ${loadavg()[0]?.toFixed(1)}`);
  for (const [name, part] of Object.entries(parts)) {
    if (values.only.length > 0 && !values.only.includes(name)) continue;
    console.log();
    await part();
  }
}
