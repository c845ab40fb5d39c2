import { join } from "node:path";
import type { CommandOptions } from "cutover";

/** One part of the validation, as a program that ends with 0 when all of it holds. */
export const checkCommand = (
  what: "unit" | "integration" | "performance" | "stress",
  dir: string,
): CommandOptions => ({
  run: [
    process.execPath,
    ...process.execArgv.filter((word) => word.startsWith("--conditions")),
    join(import.meta.dirname, "../checks/main.ts"),
    what,
    dir,
  ],
  expect: { output: "all hold" },
  summary: `${what} tests of the engine`,
  estimate: "3s",
  timeout: "2m",
});
