/**
 * Stands in for `fast-check` while `run.ts` looks for new inputs: each property is asserted again and again, with one seed
 * after the other, as far as its time reaches. Whole assertions are repeated, not runs added: what fails here fails with
 * `CUTOVER_SEED` of its message in the usual tests too.
 */
import { env } from "node:process";
import fc from "fast-check";
import { givenSeed } from "./seed.ts";

const rounds = Number(env["CUTOVER_ROUNDS"] ?? 1);
const limitMs = Number(env["CUTOVER_ROUNDS_MS"] ?? 10_000);

/** A seed for every round, the given one first; neighbours would begin with numbers that are much alike. */
function* seeds(): Generator<number> {
  const until = performance.now() + limitMs;
  for (let round = 0; round < rounds; round++) {
    yield (givenSeed() + Math.imul(round, 0x9e3779b1)) | 0;
    if (performance.now() > until) return;
  }
}

type Options = fc.Parameters<unknown>;

async function inTurn(property: fc.IAsyncProperty<unknown>, options: Options): Promise<void> {
  for (const seed of seeds()) await fc.assert(property, { ...options, seed });
}

/** `fc.assert` of every round, in turn. */
function assert(property: fc.IRawProperty<unknown>, options: Options = {}): Promise<void> | undefined {
  if (property.isAsync()) return inTurn(property as fc.IAsyncProperty<unknown>, options);
  for (const seed of seeds()) fc.assert(property as fc.IProperty<unknown>, { ...options, seed });
  return undefined;
}

const manySeeds: Omit<typeof fc, "assert"> & { readonly assert: typeof assert } = Object.assign(
  { ...fc },
  { assert },
);
export default manySeeds;
