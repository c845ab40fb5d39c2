import { isAbsolute, join, relative } from "node:path";
import { env } from "node:process";

/** Where the engine of this crossing has its things; the start script says it. */
export const workFolder = (): string =>
  env["LAYERED_MEMORY_DIR"] ?? join(import.meta.dirname, "../work/current");

/** The same place, as short as it can be said from here: names of stores stand in plans and reports. */
export function near(dir: string): string {
  const short = relative("", dir);
  return short.startsWith("..") || isAbsolute(short) ? dir : short;
}
