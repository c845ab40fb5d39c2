import { execFileSync, spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { CutoverError } from "cutover";

/** Command line of a process, empty when there is none: a number alone may be somebody else's by now. */
export function commandOf(pid: number): string {
  try {
    if (process.platform === "linux")
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}

export const runs = (pid: number | undefined, script: string): boolean =>
  pid !== undefined && commandOf(pid).includes(`postgres-move/${script}`);

/** Starts a program of the example so that it outlives this process; its output goes to a file of the work folder. */
export function startDetached(script: string, dir: string, log: string): number {
  const out = openSync(log, "a");
  const words = [...process.execArgv, join(import.meta.dirname, "..", script), dir];
  const child = spawn(process.execPath, words, { detached: true, stdio: ["ignore", out, out] });
  child.unref();
  if (child.pid !== undefined) return child.pid;
  throw new CutoverError("CUTOVER_INTERNAL", { message: `${script} could not be started; see ${log}` });
}

/** Ends a program of the example: politely, after ten seconds at once. */
export async function end(pid: number | undefined, script: string): Promise<void> {
  if (pid === undefined || !runs(pid, script)) return;
  process.kill(pid, "SIGTERM");
  for (let i = 0; i < 240 && runs(pid, script); i++) await wait(50);
  if (runs(pid, script)) process.kill(pid, "SIGKILL");
}
