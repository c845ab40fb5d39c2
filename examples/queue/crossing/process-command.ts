import { readFileSync } from "node:fs";

/** Command line of a process, or an empty text where that cannot be read: an id alone may belong to somebody else by now. */
export function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}
