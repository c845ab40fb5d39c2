/** `node main.ts unit|integration|performance|stress DIR`: one part of the validation plan. Ends with 0 when all of it holds. */
import { argv, exit } from "node:process";
import { integration } from "./integration.ts";
import { performance } from "./performance.ts";
import { stress } from "./stress.ts";
import { unit } from "./unit.ts";

/** Gives what it found, a line each; throws when something does not hold. */
export type Part = (dir: string) => Promise<readonly string[]>;

const parts: Readonly<Record<string, Part>> = { unit, integration, performance, stress };
const [what = "", dir = "."] = argv.slice(2);
const part = parts[what];
if (part === undefined) {
  console.error(`expected one of ${Object.keys(parts).join(", ")}, found "${what}"`);
  exit(2);
}
try {
  for (const line of await part(dir)) console.log(line);
  console.log(`${what}: all hold`);
  exit(0);
} catch (error) {
  console.error(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  exit(1);
}
