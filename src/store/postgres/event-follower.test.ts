import { describe, expect, test } from "vitest";
import type { StoredEvent } from "../run-events.ts";
import type { SqlEventLog } from "../sql/event-log.ts";
import { EventFollower } from "./event-follower.ts";

const event = (seq: number, type = "orders.transition"): StoredEvent => ({
  seq,
  at: seq,
  stream: "queue:q",
  type,
  data: {},
  previous: "",
  hash: "",
});

/** A log of so many events, and what its listeners were told. */
function follower(count: number, follows: boolean) {
  const told: number[] = [];
  const reads: number[] = [];
  const log = {
    follows,
    tell: (events: readonly StoredEvent[]) => told.push(...events.map(({ seq }) => seq)),
    read: ({ after = 0, limit, types }: { after?: number; limit: number; types?: readonly string[] }) => {
      reads.push(after);
      const all = Array.from({ length: count }, (_, index) =>
        event(index + 1, index % 10 === 9 ? "route.changed" : undefined),
      );
      const wanted = all.filter(({ seq, type }) => seq > after && (types?.includes(type) ?? true));
      return Promise.resolve(wanted.slice(0, limit));
    },
  };
  return { log, told, reads, followed: new EventFollower(log as unknown as SqlEventLog, 0) };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe("a process that follows nobody", () => {
  test("reads nothing, and is told of its own commits, also when it heard of later ones before their answer", async () => {
    const { told, reads, followed } = follower(9, false);
    followed.own([event(1)]);
    followed.others(6);
    followed.own([event(4), event(5)]);
    followed.own([event(7)]);
    await settled();
    expect([told, reads]).toEqual([[1, 4, 5, 7], []]);
    expect(followed.newest).toBe(7);
  });

  test("hears of notable events of others, each once, also when somebody begins to follow meanwhile", async () => {
    const { log, told, followed } = follower(25, false);
    await followed.notable(10, 12);
    expect(told).toEqual([10, 20]);
    log.follows = true;
    followed.others(25);
    await settled();
    expect(told.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
    await followed.notable(10, 12);
    expect(told).toHaveLength(25);
  });

  test("hears of each notable event once, however many rings tell of them before the first is read", async () => {
    const { told, followed } = follower(45, false);
    followed.own([event(20, "route.changed")]);
    await Promise.all([followed.notable(10, 12), followed.notable(30, 31), followed.notable(10, 45)]);
    expect(told).toEqual([20, 10, 30, 40]);
  });

  test("that was told of events that there are not hears of those that come, once somebody follows", async () => {
    const { log, told, followed } = follower(8, false);
    followed.looked(5);
    followed.others(1_000_000);
    followed.looked(5);
    followed.looked(5);
    log.follows = true;
    followed.others(8);
    await settled();
    expect(told).toEqual([6, 7, 8]);
  });
});

describe("a process that follows others", () => {
  test("is told of each event once, whichever way it is heard of first", async () => {
    const { told, followed } = follower(8, true);
    followed.own([event(3)]);
    followed.others(5);
    await settled();
    followed.own([event(4)]);
    followed.own([event(8)]);
    await settled();
    expect(told.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test("goes on from where it is when it began to follow late", async () => {
    const { log, told, followed } = follower(8, false);
    followed.others(4);
    log.follows = true;
    followed.others(6);
    await settled();
    expect(told).toEqual([5, 6, 7, 8]);
    followed.own([event(3)]);
    followed.own([event(6)]);
    expect(told).toEqual([5, 6, 7, 8, 3]);
  });
});
