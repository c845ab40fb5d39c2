import { expect, test } from "vitest";
import type { StoredEvent } from "../run-events.ts";
import type { SqlEventLog } from "../sql/event-log.ts";
import { EventFollower } from "./event-follower.ts";

const event = (seq: number): StoredEvent => ({ seq }) as StoredEvent;

/** A log of as many events as it is told, and what its listeners heard. */
function follower(): { following: EventFollower; told: number[]; log: { follows: boolean; count: number } } {
  const told: number[] = [];
  const log = {
    follows: false,
    count: 0,
    read: ({ after = 0 }: { readonly after?: number }) =>
      Promise.resolve(Array.from({ length: log.count - after }, (_, n) => event(after + n + 1))),
    tell: (events: readonly StoredEvent[]) => void told.push(...events.map(({ seq }) => seq)),
  };
  return { following: new EventFollower(log as unknown as SqlEventLog, 0), told, log };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("own events are told, also when others have told of later ones before the answer to the commit came", () => {
  const { following, told } = follower();
  following.others(3);
  following.own([event(2)]);
  following.own([event(4)]);
  expect(told).toEqual([2, 4]);
});

test("own events that a reading came across are told once, whether others are followed then or not", async () => {
  const { following, told, log } = follower();
  following.others(2);
  log.follows = true;
  log.count = 5;
  following.others(5);
  await settled();
  following.own([event(4)]);
  following.own([event(1)]);
  log.follows = false;
  following.others(7);
  following.own([event(7)]);
  log.follows = true;
  log.count = 9;
  following.others(9);
  await settled();
  following.own([event(8), event(10)]);
  following.own([event(6)]);
  expect(told).toEqual([3, 4, 5, 1, 7, 8, 9, 10, 6]);
});
