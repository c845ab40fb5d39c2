import { expect, test } from "vitest";
import type { Interval } from "../../core/index.ts";
import { Outbox } from "./outbox.ts";

const interval = (id: number): Interval => ({ id: String(id) }) as Interval;
const many = (from: number, count: number): Interval[] =>
  Array.from({ length: count }, (_, i) => interval(from + i));

test("without an owner the newest intervals are kept, and those given up are counted", () => {
  const outbox = new Outbox();
  for (let i = 0; i < 30; i++) outbox.add(many(i * 100, 100), []);
  expect(outbox.dropped).toBe(1_000);
  expect(outbox.intervals()[0]?.id).toBe("1000");
});

test("what was delivered is removed, also when older ones gave way meanwhile", () => {
  const outbox = new Outbox();
  outbox.add(many(0, 1_990), []);
  const sent = outbox.intervals();
  outbox.add(many(1_990, 60), []);
  outbox.remove(sent);
  expect(outbox.intervals()[0]?.id).toBe(String(sent.length));
  expect(outbox.empty).toBe(false);
});
