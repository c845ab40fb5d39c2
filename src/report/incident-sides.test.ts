import { expect, test } from "vitest";
import { incidentLines } from "./incident-sides.ts";

test("an incident tells in words what both sides did, where routes stood and since when it was bad", () => {
  const seen = {
    old: { calls: 1_657, errors: 0 },
    new: { calls: 97, errors: 12 },
    failedOver: 12,
    routes: { "queue.submit": { stage: "live", share: 50, epoch: 3 } },
    firstBadAt: 9_000,
  };
  expect(incidentLines(seen, 10_400)).toEqual([
    "old side: 1,657 calls, 0 errors (0 %)",
    "new side: 97 calls, 12 errors (12 %)",
    "12 calls that failed on the new side were answered by the old one",
    "queue.submit stood at live 50 %, epoch 3",
    "first bad interval 1.4 s before the incident was opened",
  ]);
});

test("an incident that saw something else altogether is not guessed at", () => {
  expect(incidentLines({}, 1)).toEqual([]);
  expect(
    incidentLines({ old: "gone", new: { calls: "many" }, routes: { r: null }, firstBadAt: 5 }, 1),
  ).toEqual([]);
});
