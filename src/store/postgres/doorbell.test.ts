import { expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { Doorbell, type DoorbellOptions } from "./doorbell.ts";
import type { Session } from "./session.ts";

type Listener = Parameters<DoorbellOptions["openListener"]>[0];

/** A bell of which another process has heard, if there is one, and what it has sent since. */
async function bell(company = true): Promise<{
  bell: Doorbell;
  clock: ManualClock;
  sent: object[];
  hear: (told: object) => void;
}> {
  const clock = new ManualClock();
  const sent: object[] = [];
  let listener: Listener | undefined;
  const made = new Doorbell({
    timers: clock,
    random: () => 0,
    channel: "test",
    self: "self",
    openListener: (hooks) => {
      listener = hooks;
      const session = { script: () => Promise.resolve(), end: () => Promise.resolve(), destroy() {} };
      return Promise.resolve(session as unknown as Session);
    },
    notify: (payload) => Promise.resolve(sent.push(JSON.parse(payload) as object)),
    heard: () => {},
    follows: () => false,
    missed: () => {},
  });
  await made.start();
  const hear = (told: object): void =>
    listener?.notified({ channel: "test", payload: JSON.stringify({ seq: 0, queues: [], ...told }) });
  if (company) hear({ from: "other", hello: true, follows: false });
  sent.length = 0;
  return { bell: made, clock, sent, hear };
}

const work = (seq: number, ...queues: readonly string[]) => ({ seq, queues, notable: undefined });

test("work is told at once, though what brings none was to be told later", async () => {
  const { bell: made, clock, sent } = await bell();
  made.ring(work(1, "q"));
  made.ring(work(2));
  made.ring(work(3, "p"));
  expect(sent).toEqual([{ from: "self", seq: 1, queues: ["q"] }]);
  await clock.advance(5);
  expect(sent.slice(1)).toEqual([{ from: "self", seq: 3, queues: ["p"] }]);
  made.ring(work(4));
  await clock.advance(249);
  expect(sent).toHaveLength(2);
  await clock.advance(1);
  expect(sent.slice(2)).toEqual([{ from: "self", seq: 4, queues: [] }]);
  await made.close();
});

test("work that others were still to be told of is told before the bell is closed", async () => {
  const { bell: made, sent } = await bell();
  made.ring(work(1, "q"));
  made.ring(work(2, "p"));
  await made.close();
  expect(sent.slice(1)).toEqual([{ from: "self", seq: 2, queues: ["p"] }]);
});

test("what was to be told does not go along with a commit that may not get through", async () => {
  const { bell: made, clock, sent } = await bell();
  made.ring(work(1, "q"));
  made.ring(work(2, "p"));
  // The timer is late.
  clock.monotonic = () => 10;
  expect(made.announce(work(3, "r"))).toBeUndefined();
  made.ring(work(3, "r"));
  expect(sent.slice(1)).toEqual([{ from: "self", seq: 3, queues: ["p", "r"] }]);
  expect(made.announce(work(4))).toBeUndefined();
  await made.close();
});

test("an order that is too long to be told is left out before the names of queues are", async () => {
  const { bell: made, clock } = await bell();
  const facts = { queue: "q", kind: "k", priority: 0, memory: 1, slots: 1, turn: 1, createdAt: 1 };
  const long = { ...facts, id: "o", tags: ["é".repeat(4_000)], trail: [1] };
  const told = JSON.parse(made.announce({ ...work(1, "q"), offer: long }) ?? "") as unknown;
  expect(told).toEqual({ from: "self", seq: 1, queues: ["q"] });
  await clock.advance(5);
  const many = Array.from({ length: 2_000 }, (_, n) => `queue-${n}`);
  const others = JSON.parse(made.announce({ ...work(2, ...many), offer: long }) ?? "") as unknown;
  expect(others).toEqual({ from: "self", seq: 2, queues: null });
  await made.close();
});

test("whoever has only begun to listen rings, and who was not answered does not", async () => {
  const { bell: made, clock, sent } = await bell(false);
  made.ring(work(1, "q"));
  expect(sent).toEqual([{ from: "self", seq: 1, queues: ["q"] }]);
  await clock.advance(1_000);
  made.ring(work(2, "q"));
  expect(sent).toHaveLength(1);
  await made.close();
  const { bell: brief, sent: told } = await bell(false);
  brief.ring(work(1, "q"));
  brief.ring(work(2, "p"));
  await brief.close();
  expect(told.slice(1)).toEqual([{ from: "self", seq: 2, queues: ["p"] }]);
});

test("who has rung before it listened is greeted when it asks, and nobody greets for ever", async () => {
  const { bell: made, sent, hear } = await bell();
  hear({ from: "new", seq: 1, queues: ["q"] });
  expect(sent).toEqual([]);
  hear({ from: "new", hello: true, follows: false, asks: true });
  expect(sent).toEqual([
    { from: "self", seq: 0, queues: [], hello: true, follows: false },
    { from: "self", seq: 0, queues: null },
  ]);
  hear({ from: "new", hello: true, follows: false });
  expect(sent).toHaveLength(2);
  await made.close();
});
