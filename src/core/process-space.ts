import { readlinkSync } from "node:fs";
import { hostname } from "node:os";

/**
 * Whose process numbers these are: host name, and the namespace where the system tells it. Containers may share a host
 * name (and a machine's kernel): a number that names no process here may name one there. A container that is started
 * again is another one.
 */
export function processSpace(): string {
  try {
    return `${hostname()}/${readlinkSync("/proc/self/ns/pid").replaceAll(/\D/g, "")}`;
  } catch {
    return hostname();
  }
}
