import { expect, test } from "vitest";
import { open } from "../../test/queue/manual-queue.ts";
import { countTrail, partOf, readTrail } from "./audit-trail.ts";

test("in however many passes the log is read, each order is in one of them with everything that happened to it", async () => {
  const { queue, store, pass } = await open({ slots: 10 });
  queue.work("job", () => ({ large: "x".repeat(100) }));
  const submitted = await queue.submitAll(
    Array.from({ length: 150 }, (_, n) => ({
      kind: "job",
      payload: n,
      key: `${n % 2 === 0 ? "even" : "odd"}:${n}`,
    })),
  );
  await pass(0);
  const span = { queue: "default", from: 0, until: Infinity };
  expect((await countTrail(store, span, "even:")).events).toBe(600);
  expect((await countTrail(store, span, "even:")).keys.size).toBe(75);
  const seen = new Map<string, readonly string[]>();
  for (let part = 0; part < 4; part++) {
    const trail = await readTrail(store, span, (id) => partOf(id, 4) === part);
    for (const [id, entries] of trail.entries) {
      expect(seen.has(id)).toBe(false);
      seen.set(
        id,
        entries.map(({ event }) => event),
      );
      expect(trail.lastTransition.get(id)).toBe(entries.at(-1)?.seq);
      // Neither payloads nor results are held.
      expect(JSON.stringify(entries)).not.toContain("xxx");
    }
  }
  expect([...seen.keys()].toSorted()).toEqual(submitted.map(({ id }) => id).toSorted());
  for (const events of seen.values())
    expect(events).toEqual(["submitted", "claimed", "started", "completed"]);
});

test("what happened after the time is left out, but counts as the last transition", async () => {
  const { queue, store, clock, pass } = await open();
  const { id } = await queue.submit("job");
  await pass(1_000);
  const until = clock.now();
  await pass(1_000);
  queue.work("job", () => null);
  await pass(0);
  const trail = await readTrail(store, { queue: "default", from: 0, until }, () => true);
  expect(trail.entries.get(id)?.map(({ event }) => event)).toEqual(["submitted"]);
  expect(trail.lastTransition.get(id)).toBe((await queue.timeline(id)).at(-1)?.seq);
});
