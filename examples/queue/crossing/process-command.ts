import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * True while process `pid` runs `script`. The number alone may belong to somebody else by now, and stays taken by a
 * process that ended but was not waited for.
 */
export function runsScript(pid: number, script: string): boolean {
  return commandOf(pid).includes(script);
}

function commandOf(pid: number): string {
  try {
    if (process.platform === "linux")
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    return execFileSync("ps", ["-o", "command=", "-p", String(pid)], { encoding: "utf8" });
  } catch {
    return "";
  }
}
