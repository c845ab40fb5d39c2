import { expect, test } from "vitest";
import { CutoverError } from "../../core/index.ts";
import { fenced } from "../capture-refusals.ts";
import { fencedMessage } from "../connectors/sqlite-capture.ts";
import { fencedAt } from "./refusal.ts";

const ofPostgres = Object.assign(
  new Error("expected a writer of epoch 12 or later, found epoch 3: this side is no longer in charge"),
  { code: "CUF01" },
);
const wrapped = (error: unknown, depth: number): unknown =>
  depth === 0 ? error : new Error("Failed query", { cause: wrapped(error, depth - 1) });

const errors: readonly (readonly [string, unknown, number | boolean])[] = [
  ["a store's refusal", fenced("leveldb:x", 3, 12), 12],
  ["the trigger in PostgreSQL", ofPostgres, 12],
  ["the trigger in PostgreSQL, said otherwise", Object.assign(new Error("no"), { code: "CUF01" }), true],
  ["the trigger in SQLite", new Error(fencedMessage), true],
  ["a refusal that a library wrapped twice", wrapped(ofPostgres, 2), 12],
  [
    "a refusal of PostgreSQL through a store",
    new CutoverError("CUTOVER_DATA_FENCED", { message: "no", cause: ofPostgres }),
    12,
  ],
  ["a refusal without an epoch", new CutoverError("CUTOVER_DATA_FENCED", { message: "no" }), true],
  ["a row that does not fit", new CutoverError("CUTOVER_DATA_REFUSED", { message: "no" }), false],
  ["another SQLSTATE", Object.assign(new Error("no"), { code: "23505" }), false],
  ["a text", "CUTOVER_DATA_FENCED", false],
  ["nothing", undefined, false],
];

test.each(errors)("%s is read as what it says", (_, error, expected) => {
  expect(fencedAt(error)).toBe(expected);
});

test("a chain of causes that never ends is looked at for a while", () => {
  const ring = new Error("ring");
  ring.cause = ring;
  expect(fencedAt(ring)).toBe(false);
});
