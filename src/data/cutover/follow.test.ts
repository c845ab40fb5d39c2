import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { CutoverError } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { captureWriter } from "../capture-writer.ts";
import { openMemoryStore } from "../connectors/memory.ts";
import { openSqlite } from "../connectors/sqlite.ts";
import type { FollowEvent, FollowOptions } from "./follow-options.ts";
import { type InCharge, type SwitchFollower, followSwitch } from "./follow.ts";
import { memorySwitch } from "./memory-switch.ts";
import type { Switch } from "./switch.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);
const signal = AbortSignal.timeout(60_000);

/** An application with two stores, and a migration that is played by hand. */
async function rig(options: FollowOptions = {}, kept: Switch = memorySwitch()) {
  const clock = new ManualClock();
  const stores = { old: openMemoryStore({ name: "old" }), new: openMemoryStore({ name: "new" }) };
  const events: FollowEvent[] = [];
  const follower = await followSwitch(kept, {
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  });
  let tries = 0;
  const put =
    (key: string, value: string) =>
    ({ side, epoch }: InCharge): Promise<void> => {
      tries++;
      return captureWriter(stores[side], { epoch }).put(bytes(key), bytes(value));
    };
  const get = async (side: "old" | "new", key: string): Promise<string | undefined> => {
    const [value] = await stores[side].get("", [bytes(key)]);
    return value === undefined ? undefined : Buffer.from(value).toString();
  };
  return { clock, kept, stores, events, follower, put, get, tries: () => tries };
}

/** Whether it has settled, and how. */
function watched<T>(work: Promise<T>): { state: string } {
  const seen = { state: "waits" };
  work.then(
    () => (seen.state = "done"),
    (error: unknown) => (seen.state = (error as { code?: string }).code ?? String(error)),
  );
  return seen;
}

const typesOf = (events: readonly FollowEvent[]): string[] => events.map(({ type }) => type);

describe("following a switch", () => {
  test("calls go to the side in charge under its epoch, and to the other one after a turn", async () => {
    const { clock, follower, kept, put, get } = await rig();
    await follower.run(put("a", "1"));
    expect(await get("old", "a")).toBe("1");
    await kept.turn({ side: "new", epoch: 1 });
    await clock.advance(1);
    await follower.run(put("a", "2"));
    expect([await get("old", "a"), await get("new", "a")]).toEqual(["1", "2"]);
    expect(follower.standing).toEqual({ side: "new", epoch: 1 });
    await follower.close();
    expect(clock.pending).toBe(0);
  });

  test("a call that is refused waits through the whole crossing, and is carried out once, on the new side", async () => {
    const { clock, follower, kept, stores, put, get, events } = await rig();
    await stores.new.fence(2, { signal });
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(100);
    expect(write.state).toBe("waits");
    expect(follower.counts.waiting).toBe(1);
    await kept.turn({ side: "new", epoch: 1 });
    await clock.advance(100);
    expect(write.state).toBe("waits");
    await stores.new.lift(1);
    // An eighth of the pause since the turn, at most.
    await clock.advance(14);
    expect(write.state).toBe("done");
    expect([await get("old", "a"), await get("new", "a")]).toEqual([undefined, "1"]);
    expect(typesOf(events)).toEqual(["waiting", "turned", "going-on"]);
    expect(events.at(-1)).toMatchObject({ calls: 1, standing: { side: "new", epoch: 1 } });
    expect(follower.counts).toMatchObject({ waiting: 0, waited: 1, gaveBack: 0, turnedAway: 0 });
    expect(follower.counts.longestWaitMs).toBeGreaterThanOrEqual(200);
  });

  test("a fence that is lifted without a turn lets calls go on where they were", async () => {
    const { clock, follower, stores, put, get } = await rig();
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(50);
    await stores.old.lift(0);
    await clock.advance(10);
    expect([write.state, await get("old", "a")]).toEqual(["done", "1"]);
  });

  test("when a migration died in its pause, the side is given back, and the migration's turn is refused", async () => {
    const { clock, follower, kept, stores, put, get, events } = await rig({ longestPause: "5s" });
    await stores.new.fence(2, { signal });
    await stores.old.fence(1, { signal });
    const writes = ["a", "b", "c"].map((key) => watched(follower.run(put(key, key))));
    await clock.advance(4_900);
    expect(writes.map(({ state }) => state)).toEqual(["waits", "waits", "waits"]);
    await clock.advance(200);
    expect(writes.map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(await get("old", "c")).toBe("c");
    expect(await kept.read()).toEqual({ side: "old", epoch: 1 });
    await expect(kept.turn({ side: "new", epoch: 1 })).rejects.toMatchObject({ code: "CUTOVER_DATA_EPOCH" });
    expect(typesOf(events)).toEqual(["waiting", "gave-back", "turned", "going-on"]);
    expect(follower.counts.gaveBack).toBe(1);
    // The next crossing takes the next epoch, and stops these writers as any others.
    await stores.old.fence(2, { signal });
    const later = watched(follower.run(put("d", "d")));
    await clock.advance(20);
    expect(later.state).toBe("waits");
  });

  test("a migration that dies after the turn leaves the new side in charge: it is opened there, not taken back", async () => {
    const { clock, follower, kept, stores, put, get } = await rig({ longestPause: "5s" });
    await stores.new.fence(2, { signal });
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(3_000);
    await kept.turn({ side: "new", epoch: 1 });
    await clock.advance(4_500);
    expect(write.state).toBe("waits");
    await clock.advance(800);
    expect([write.state, await get("new", "a"), await get("old", "a")]).toEqual(["done", "1", undefined]);
    expect(await kept.read()).toEqual({ side: "new", epoch: 2 });
  });

  test("of many processes that give back at once each goes on, and the epoch is decided once", async () => {
    const kept = memorySwitch();
    const rigs = await Promise.all([1, 2, 3].map(() => rig({ longestPause: "1s" }, kept)));
    const [first] = rigs;
    for (const { stores } of rigs) await stores.old.fence(1, { signal });
    const writes = rigs.map(({ follower, put }) => watched(follower.run(put("a", "1"))));
    for (const { clock } of rigs) await clock.advance(1_300);
    expect(writes.map(({ state }) => state)).toEqual(["done", "done", "done"]);
    expect(await first?.kept.read()).toEqual({ side: "old", epoch: 1 });
  });

  test("who may not give back fails after its own wait, with nothing carried out", async () => {
    const { clock, follower, kept, stores, put, get } = await rig({ longestPause: "5s", giveBack: false });
    await stores.old.fence(1, { signal });
    const first = follower.run(put("a", "1"));
    const seen = watched(first);
    await clock.advance(3_000);
    const second = watched(follower.run(put("b", "1")));
    await clock.advance(2_300);
    expect([seen.state, second.state]).toEqual(["CUTOVER_DATA_PAUSED", "waits"]);
    await expect(first).rejects.toThrow(/for 5\d\d\d ms; this call was not carried out/);
    await clock.advance(3_000);
    expect(second.state).toBe("CUTOVER_DATA_PAUSED");
    expect([await get("old", "a"), (await kept.read()).epoch]).toEqual([undefined, 0]);
    await follower.close();
    expect(clock.pending).toBe(0);
  });

  test("ten thousand that wait cost the store no more than one, and go on in the order they came", async () => {
    const { clock, follower, stores, put, tries } = await rig();
    await stores.old.fence(1, { signal });
    const order: number[] = [];
    const first = follower.run(put("first", ""));
    await clock.advance(1);
    const before = tries();
    const all = Array.from({ length: 9_999 }, (_, index) =>
      follower.run(async (at) => {
        await put(`k${index}`, "")(at);
        order.push(index);
      }),
    );
    await clock.advance(1_000);
    expect(tries() - before).toBeLessThan(60);
    await expect(follower.run(put("one more", ""))).rejects.toMatchObject({
      code: "CUTOVER_DATA_PAUSED",
      details: { mostWaiting: 10_000 },
    });
    expect(follower.counts).toMatchObject({ waiting: 10_000, turnedAway: 1 });
    await stores.old.lift(0);
    await clock.advance(200);
    await Promise.all([first, ...all]);
    expect(order).toEqual(all.map((_, index) => index));
  });

  test("a call that takes long holds up nobody who waits behind it", async () => {
    const { clock, follower, kept, stores, put } = await rig();
    await stores.old.fence(1, { signal });
    let finish = (): void => {};
    const slow = watched(
      follower.run(async (at) => {
        await put("slow", "")(at);
        await new Promise<void>((resolve) => (finish = resolve));
      }),
    );
    const quick = watched(follower.run(put("a", "1")));
    await clock.advance(10);
    await kept.turn({ side: "old", epoch: 1 });
    await clock.advance(40);
    expect([slow.state, quick.state]).toEqual(["waits", "waits"]);
    await clock.advance(20);
    expect([slow.state, quick.state]).toEqual(["waits", "done"]);
    expect(follower.counts.waiting).toBe(0);
    await follower.run(put("b", "1"));
    finish();
    await clock.advance(1);
    expect(slow.state).toBe("done");
  });

  test("an error that says nothing of a fence goes to its caller, also from one that waited", async () => {
    const { clock, follower, stores, put } = await rig();
    await expect(follower.run(() => Promise.reject(new RangeError("mine")))).rejects.toThrow("mine");
    await stores.old.fence(1, { signal });
    let tries = 0;
    const bad = watched(
      follower.run(async (at) => {
        if (tries++ > 0) throw new RangeError("mine");
        await put("a", "1")(at);
      }),
    );
    const good = watched(follower.run(put("b", "1")));
    await clock.advance(20);
    expect([bad.state, good.state]).toEqual(["RangeError: mine", "waits"]);
    await stores.old.lift(0);
    await clock.advance(20);
    expect(good.state).toBe("done");
  });

  test("a caller that gives up leaves the line, and gets its own reason", async () => {
    const { clock, follower, stores, put, get } = await rig();
    await stores.old.fence(1, { signal });
    const stop = new AbortController();
    const left = follower.run(put("a", "1"), { signal: stop.signal });
    const seen = watched(left);
    const stays = watched(follower.run(put("b", "1")));
    await clock.advance(20);
    stop.abort(new RangeError("enough"));
    await clock.advance(1);
    expect([seen.state, stays.state]).toEqual(["RangeError: enough", "waits"]);
    await stores.old.lift(0);
    await clock.advance(20);
    expect([stays.state, await get("old", "a")]).toEqual(["done", undefined]);
    await expect(follower.run(put("c", ""), { signal: stop.signal })).rejects.toThrow("enough");
  });

  test("a caller that gave up while its call was on its way does not wait when that is refused", async () => {
    const { clock, follower, stores, put } = await rig();
    await stores.old.fence(1, { signal });
    const stop = new AbortController();
    const call = follower.run(
      async (at) => {
        stop.abort(new RangeError("enough"));
        await put("a", "1")(at);
      },
      { signal: stop.signal },
    );
    await expect(call).rejects.toThrow("enough");
    await follower.close();
    expect(clock.pending).toBe(0);
  });

  test("reads stay with the side in charge and never wait", async () => {
    const { clock, follower, kept, stores, put } = await rig();
    await follower.run(put("a", "1"));
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "2")));
    await clock.advance(5);
    expect(await follower.read(({ side }) => Promise.resolve(side))).toBe("old");
    await kept.turn({ side: "new", epoch: 1 });
    expect(await follower.read(({ side }) => Promise.resolve(side), { fresh: true })).toBe("new");
    await clock.advance(5);
    expect(write.state).toBe("done");
  });

  test("writers of a side that is not in charge are never given the epoch of the other one", async () => {
    const { clock, follower, kept } = await rig();
    await kept.turn({ side: "new", epoch: 1 });
    await clock.advance(1);
    expect([follower.epochOf("old"), follower.epochOf("new")]).toEqual([0, 1]);
    await kept.turn({ side: "old", epoch: 7 });
    await clock.advance(1);
    expect([follower.epochOf("old"), follower.epochOf("new")]).toEqual([7, 1]);
  });

  test("a switch that cannot be read is told once; calls go on, and those that wait too long say why", async () => {
    const kept = memorySwitch();
    let broken = false;
    const trouble = new RangeError("the disk is gone");
    const shaky: Switch = {
      name: "shaky",
      read: () => (broken ? Promise.reject(trouble) : kept.read()),
      turn: (to) => (broken ? Promise.reject(trouble) : kept.turn(to)),
      // oxlint-disable-next-line require-yield -- it always fails
      async *follow() {
        await Promise.resolve();
        throw trouble;
      },
    };
    const { clock, follower, stores, put, events } = await rig({ longestPause: "2s" }, shaky);
    broken = true;
    await clock.advance(20_000);
    expect(events).toEqual([{ type: "switch-trouble", error: trouble }]);
    await follower.run(put("a", "1"));
    await stores.old.fence(1, { signal });
    const late = follower.run(put("a", "2"));
    const seen = watched(late);
    await clock.advance(2_500);
    expect(seen.state).toBe("CUTOVER_DATA_PAUSED");
    await expect(late).rejects.toMatchObject({ cause: trouble });
    // It is followed again when it is well.
    broken = false;
    await kept.turn({ side: "new", epoch: 1 });
    await follower.run(put("b", "1"));
    expect(follower.standing).toEqual({ side: "new", epoch: 1 });
    await follower.close();
    expect(clock.pending).toBe(0);
  });

  test("a switch that says nothing holds up nobody for ever", async () => {
    const kept = memorySwitch();
    let mute = false;
    const never = new Promise<never>(() => {});
    const quiet: Switch = {
      name: "quiet",
      read: () => (mute ? never : kept.read()),
      turn: () => never,
      follow: (options) => kept.follow(options),
    };
    const { clock, follower, stores, put, events } = await rig({ longestPause: "5s" }, quiet);
    await stores.old.fence(1, { signal });
    mute = true;
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(9_000);
    expect(events).toMatchObject([
      { type: "waiting" },
      { type: "switch-trouble", error: { code: "CUTOVER_DATA_UNAVAILABLE" } },
    ]);
    await clock.advance(15_000);
    expect(write.state).toBe("CUTOVER_DATA_PAUSED");
    await follower.close();
    expect(clock.pending).toBe(0);
  });

  test("a close waits for what is on its way, takes nothing new, and leaves no timer", async () => {
    const { clock, follower, stores, put, get } = await rig();
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(10);
    const closed = watched(follower.close());
    await expect(follower.run(put("b", "1"))).rejects.toMatchObject({ code: "CUTOVER_DATA_CLOSED" });
    await expect(follower.read(() => Promise.resolve())).rejects.toMatchObject({
      code: "CUTOVER_DATA_CLOSED",
    });
    await clock.advance(10);
    expect([write.state, closed.state]).toEqual(["waits", "waits"]);
    await stores.old.lift(0);
    await clock.advance(10);
    expect([write.state, closed.state, await get("old", "a")]).toEqual(["done", "done", "1"]);
    expect(clock.pending).toBe(0);
    await follower.close();
  });

  test("a close in a hurry fails those that wait and tells the bodies", async () => {
    const { clock, follower, stores, put } = await rig();
    const told = watched(
      follower.run(
        ({ signal: stop }) =>
          new Promise<void>((_, reject) =>
            stop.addEventListener("abort", () => reject(new RangeError("told"))),
          ),
      ),
    );
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(10);
    const closed = watched(follower.close({ signal: AbortSignal.abort() }));
    await clock.advance(300);
    expect([told.state, write.state, closed.state]).toEqual([
      "RangeError: told",
      "CUTOVER_DATA_CLOSED",
      "done",
    ]);
    expect(clock.pending).toBe(0);
  });

  test("a listener that throws stands in nobody's way", async () => {
    const { clock, follower, stores, put } = await rig({
      onEvent: () => {
        throw new RangeError("the log is full");
      },
    });
    await stores.old.fence(1, { signal });
    const write = watched(follower.run(put("a", "1")));
    await clock.advance(10);
    await stores.old.lift(0);
    await clock.advance(10);
    expect(write.state).toBe("done");
  });

  const wrong: readonly (readonly [FollowOptions, string])[] = [
    [{ longestPause: 0 }, "longestPause"],
    [{ longestPause: "soon" }, "duration"],
    [{ mostWaiting: 0 }, "mostWaiting"],
    [{ mostWaiting: 1.5 }, "mostWaiting"],
    [{ giveBack: "yes" } as unknown as FollowOptions, "giveBack"],
    [{ onEvent: 1 } as unknown as FollowOptions, "onEvent"],
    [{ longestpause: "5s" } as FollowOptions, "longestpause"],
  ];
  test.each(wrong)("refuses the options %j", async (options, named) => {
    await expect(followSwitch(memorySwitch(), options)).rejects.toThrow(named);
  });

  test("refuses what is no switch", async () => {
    await expect(followSwitch("data/switch" as unknown as Switch)).rejects.toMatchObject({
      code: "CUTOVER_DATA_OPTIONS",
    });
  });
});

describe("an application of plain SQL on SQLite", () => {
  test("waits at the fence, and gets its file back from a migration that died", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-follow-"));
    let follower: SwitchFollower | undefined;
    try {
      const db = new DatabaseSync(join(folder, "app.db"));
      db.exec("PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER)");
      await using store = await openSqlite(join(folder, "app.db"));
      await store.capture("move");
      const clock = new ManualClock();
      const kept = memorySwitch();
      follower = await followSwitch(kept, {
        clock,
        longestPause: "1s",
        giveBack: ({ epoch }) => store.lift(epoch),
      });
      const insert = (id: number): Promise<void> =>
        (follower as SwitchFollower).run(() =>
          Promise.resolve(void db.prepare("INSERT INTO orders VALUES (?, 5)").run(id)),
        );
      await insert(1);
      await store.fence(1, { signal });
      const write = watched(insert(2));
      await clock.advance(900);
      expect(write.state).toBe("waits");
      await clock.advance(400);
      expect(write.state).toBe("done");
      expect(await kept.read()).toEqual({ side: "old", epoch: 1 });
      await insert(3);
      expect(db.prepare("SELECT count(*) AS rows FROM orders").get()).toEqual({ rows: 3 });
      db.close();
    } finally {
      await follower?.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("a side that still refuses after it was given back fails the call instead of holding it for ever", async () => {
    const clock = new ManualClock();
    const refusing = (): Promise<never> =>
      Promise.reject(new CutoverError("CUTOVER_DATA_FENCED", { message: "never", details: { least: 1 } }));
    for (const giveBack of [true, () => Promise.resolve()]) {
      const follower = await followSwitch(memorySwitch(), { clock, longestPause: "1s", giveBack });
      const write = watched(follower.run(refusing));
      await clock.advance(5_000);
      expect(write.state).toBe("CUTOVER_DATA_PAUSED");
      await follower.close();
    }
    expect(clock.pending).toBe(0);
  });

  test("a give-back that fails is told, and the call fails with its reason", async () => {
    const { clock, follower, stores, put, events } = await rig({
      longestPause: "1s",
      giveBack: () => Promise.reject(new RangeError("no lift")),
    });
    await stores.old.fence(1, { signal });
    const write = follower.run(put("a", "1"));
    const seen = watched(write);
    await clock.advance(1_500);
    expect(seen.state).toBe("CUTOVER_DATA_PAUSED");
    await expect(write).rejects.toMatchObject({ cause: new RangeError("no lift") });
    expect(typesOf(events)).toContain("switch-trouble");
  });
});
