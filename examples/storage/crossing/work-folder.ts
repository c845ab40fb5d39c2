import { join } from "node:path";
import { env } from "node:process";

/** Where the engine of this crossing has its things; the start script says it. */
export const workFolder = (): string =>
  env["LAYERED_MEMORY_DIR"] ?? join(import.meta.dirname, "../work/current");
