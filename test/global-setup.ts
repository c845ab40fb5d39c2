import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** The end-to-end tests drive the built command line, so it is built once before all tests. */
export default function setup(): void {
  execFileSync(process.execPath, [join(import.meta.dirname, "../scripts/build.ts")], { stdio: "inherit" });
}
