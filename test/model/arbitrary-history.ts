import fc from "fast-check";
import { type History, keySpace, moveFaults } from "./data-history.ts";

const key = fc.integer({ min: 0, max: keySpace - 1 });

/** Moves of a few dozen rows under up to 60 transactions, 4 crashes and 2 pauses. */
export const histories: fc.Arbitrary<History> = fc.record({
  initial: fc.array(key, { maxLength: keySpace, size: "max" }),
  writes: fc.array(fc.array(fc.record({ key, gone: fc.boolean() }), { minLength: 1, maxLength: 3 }), {
    maxLength: 60,
    size: "max",
  }),
  pace: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
  delays: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 6 }),
  crashes: fc.array(
    fc.record({
      point: fc.integer({ min: 0, max: moveFaults.length - 1 }),
      hit: fc.integer({ min: 1, max: 8 }),
    }),
    { maxLength: 4 },
  ),
  pauses: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 2 }),
  map: fc.constantFrom("none", "values", "keys"),
  split: fc.boolean(),
  chunkRows: fc.integer({ min: 1, max: 5 }),
});
