/** The seed of all properties and chaos of one run of the tests: `CUTOVER_SEED`, otherwise always the same. */
import { env } from "node:process";

/**
 * A run of the tests guards a landing: it must end alike today and tomorrow, so it does not look for new inputs.
 * `npm run test:properties` does, with seeds of its own.
 */
export function givenSeed(usual = 1_987): number {
  const asked = env["CUTOVER_SEED"];
  if (asked === undefined || asked === "") return usual;
  const seed = Number(asked);
  if (!/^-?\d+$/.test(asked) || !Number.isSafeInteger(seed))
    throw new Error(`CUTOVER_SEED: expected a whole number, found ${JSON.stringify(asked)}`);
  return seed;
}
