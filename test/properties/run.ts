/**
 * Looks for inputs that break a property, with new seeds and many more of them than the usual tests draw:
 *
 *     npm run test:properties -- [--seed N] [--rounds 30] [--seconds 10] [FILE…]
 *
 * Each property is asserted `rounds` times, each time with a seed of its own, for at most about `seconds`. Prints the first
 * seed, and ends with 1 when a property does not hold. Its message names the seed that shows it again:
 * `CUTOVER_SEED=N npx vitest run FILE`.
 */
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { env, exit } from "node:process";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";

const root = resolve(import.meta.dirname, "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    rounds: { type: "string", default: "30" },
    seconds: { type: "string", default: "10" },
  },
});
const [seed, rounds, seconds] = [values.seed, values.rounds, values.seconds].map(Number);
if (!(
  Number.isSafeInteger(seed) &&
  Number.isSafeInteger(rounds) &&
  (rounds ?? 0) > 0 &&
  (seconds ?? 0) > 0
)) {
  console.error("expected --seed as a whole number, --rounds as one above 0, --seconds as a number above 0");
  exit(2);
}

const files = globSync("{src,test,examples}/**/*.test.ts", { cwd: root })
  .filter((file) => /fast-check|arbitrary/.test(readFileSync(join(root, file), "utf8")))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)));
if (files.length === 0) {
  console.error(`no file with properties has a name with ${positionals.join(" or ")}`);
  exit(2);
}

env["CUTOVER_SEED"] = String(seed);
env["CUTOVER_ROUNDS"] = String(rounds);
env["CUTOVER_ROUNDS_MS"] = String((seconds ?? 0) * 1_000);
console.log(`${files.length} files, ${rounds} seeds from ${seed} on, ${seconds} s for each property`);

const manySeeds = join(import.meta.dirname, "many-seeds.ts");
await startVitest(
  files,
  // A test may hold several properties. Their own limits of time stay where they have some.
  { root, run: true, watch: false, testTimeout: 600_000 },
  {
    plugins: [
      {
        name: "many-seeds",
        enforce: "pre",
        resolveId: (source, importer) =>
          source === "fast-check" && importer !== manySeeds ? manySeeds : undefined,
      },
    ],
  },
);
