import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ManualClock } from "../../testing/manual-clock.ts";
import { fileSwitch } from "./file-switch.ts";
import { memorySwitch } from "./memory-switch.ts";
import type { Standing, Switch } from "./switch.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cutover-switch-"));
  folder = join(root, "orders", "switch");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const kinds: readonly (readonly [string, () => Switch])[] = [
  ["a switch in a folder", () => fileSwitch(folder, { create: true })],
  ["a switch in memory", () => memorySwitch()],
];

describe.each(kinds)("%s", (_, make) => {
  test("begins with the old side in charge, at epoch 0", async () => {
    expect(await make().read()).toEqual({ side: "old", epoch: 0 });
  });

  test("is turned, also to stay, and each epoch is decided once", async () => {
    const shared = make();
    await shared.turn({ side: "new", epoch: 1 });
    expect(await shared.read()).toEqual({ side: "new", epoch: 1 });
    await shared.turn({ side: "new", epoch: 1 });
    await expect(shared.turn({ side: "old", epoch: 1 })).rejects.toMatchObject({
      code: "CUTOVER_DATA_EPOCH",
      details: { wanted: { side: "old", epoch: 1 }, found: { side: "new", epoch: 1 } },
    });
    await shared.turn({ side: "new", epoch: 5 });
    await expect(shared.turn({ side: "new", epoch: 4 })).rejects.toMatchObject({
      code: "CUTOVER_DATA_EPOCH",
    });
    await shared.turn({ side: "old", epoch: 6 });
    expect(await shared.read()).toEqual({ side: "old", epoch: 6 });
  });

  test("the beginning can be turned to itself, and to nothing else", async () => {
    const shared = make();
    await shared.turn({ side: "old", epoch: 0 });
    await expect(shared.turn({ side: "new", epoch: 0 })).rejects.toMatchObject({
      code: "CUTOVER_DATA_EPOCH",
    });
    expect(await shared.read()).toEqual({ side: "old", epoch: 0 });
  });

  test.each([
    { side: "both", epoch: 1 },
    { side: "new" },
    { side: "new", epoch: 1.5 },
    { side: "new", epoch: -1 },
    undefined,
    { side: "new", epoch: 1, by: "me" },
  ])("refuses to turn to %j", async (to) => {
    const shared = make();
    await expect(shared.turn(to as Standing)).rejects.toMatchObject({ code: "CUTOVER_DATA_OPTIONS" });
    expect(await shared.read()).toEqual({ side: "old", epoch: 0 });
  });

  test("of two who decide the same epoch at once, exactly one is right", async () => {
    const shared = make();
    for (let epoch = 1; epoch <= 10; epoch++) {
      const outcomes = await Promise.allSettled([
        shared.turn({ side: "old", epoch }),
        shared.turn({ side: "new", epoch }),
      ]);
      expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      const { side } = await shared.read();
      expect(outcomes[side === "old" ? 0 : 1]?.status).toBe("fulfilled");
    }
  });

  test("who follows it hears the standing now and each one after, and ends with the signal", async () => {
    const shared = make();
    await shared.turn({ side: "old", epoch: 1 });
    const stop = new AbortController();
    const heard: Standing[] = [];
    for await (const standing of shared.follow({ signal: stop.signal })) {
      heard.push(standing);
      if (standing.epoch < 4) await shared.turn({ side: "new", epoch: standing.epoch + 1 });
      else stop.abort();
    }
    expect(heard.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4]);
  });

  test("who follows under a signal that has aborted hears nothing", async () => {
    for await (const standing of make().follow({ signal: AbortSignal.abort() }))
      expect(standing).toBe("never");
  });
});

describe("a switch in a folder", () => {
  test("keeps its history for people, with time and author", async () => {
    const clock = new ManualClock(Date.UTC(2026, 4, 1));
    await fileSwitch(folder, { create: true, clock, by: "migration" }).turn({ side: "new", epoch: 1 });
    await clock.advance(1_000);
    const later = fileSwitch(folder, { clock });
    await later.turn({ side: "old", epoch: 3 });
    expect(await later.history()).toEqual([
      { side: "new", epoch: 1, at: Date.UTC(2026, 4, 1), by: "migration" },
      { side: "old", epoch: 3, at: Date.UTC(2026, 4, 1, 0, 0, 1) },
    ]);
    expect(readdirSync(folder)).toEqual(["00000001.json", "00000002.json"]);
    expect(JSON.parse(readFileSync(join(folder, "00000001.json"), "utf8"))).toMatchObject({
      side: "new",
      epoch: 1,
      at: "2026-05-01T00:00:00.000Z",
      by: "migration",
    });
  });

  test("a turn is seen by a follower that shares nothing but the folder", async () => {
    const stop = AbortSignal.timeout(10_000);
    const standings = fileSwitch(folder, { create: true }).follow({ signal: stop });
    expect((await standings.next()).value).toEqual({ side: "old", epoch: 0 });
    const next = standings.next();
    await fileSwitch(folder).turn({ side: "new", epoch: 1 });
    expect((await next).value).toEqual({ side: "new", epoch: 1 });
    await standings.return();
  });

  test("a folder that is not there is refused, as a misspelt one would follow nobody", async () => {
    const shared = fileSwitch(folder);
    const missing = { code: "CUTOVER_DATA_MISSING", place: `switch:${folder}` };
    await expect(shared.read()).rejects.toMatchObject(missing);
    await expect(shared.turn({ side: "new", epoch: 1 })).rejects.toMatchObject(missing);
    await expect(shared.follow({ signal: AbortSignal.timeout(5_000) }).next()).rejects.toMatchObject(missing);
    expect(readdirSync(root)).toEqual([]);
  });

  test("unknown options and a folder without a name are refused", () => {
    expect(() => fileSwitch(folder, { creat: true } as object)).toThrow('"creat"');
    expect(() => fileSwitch("")).toThrow("expected the folder of the switch");
  });

  test("a file in the place of the folder is refused", async () => {
    writeFileSync(join(root, "file"), "");
    for (const create of [true, false])
      await expect(fileSwitch(join(root, "file"), { create }).read()).rejects.toMatchObject({
        code: "CUTOVER_DATA_FORMAT",
      });
  });

  test("a folder with other things in it is refused, and left as it is", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "CURRENT"), "MANIFEST-000002\n");
    const shared = fileSwitch(folder, { create: true });
    await expect(shared.turn({ side: "new", epoch: 1 })).rejects.toMatchObject({
      code: "CUTOVER_DATA_FORMAT",
      place: join(folder, "CURRENT"),
    });
    expect(readdirSync(folder)).toEqual(["CURRENT"]);
  });

  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ["is empty", (file) => writeFileSync(file, "")],
    ["is no JSON", (file) => writeFileSync(file, "new 2")],
    [
      "says another side",
      (file) => writeFileSync(file, readFileSync(file, "utf8").replace('"old"', '"new"')),
    ],
    [
      "says another epoch",
      (file) => writeFileSync(file, readFileSync(file, "utf8").replace('"epoch":2', '"epoch":3')),
    ],
    ["is a copy of another", (file) => cpSync(join(folder, "00000001.json"), file)],
    ["is of a newer format", (file) => writeFileSync(file, '{"format":2}')],
  ];
  test.each(damages)("a decision that %s is refused by name", async (_, damage) => {
    const shared = fileSwitch(folder, { create: true });
    await shared.turn({ side: "new", epoch: 1 });
    await shared.turn({ side: "old", epoch: 2 });
    const file = join(folder, "00000002.json");
    damage(file);
    const calls: readonly (() => Promise<unknown>)[] = [
      () => fileSwitch(folder).read(),
      () => fileSwitch(folder).turn({ side: "old", epoch: 2 }),
      () => shared.history(),
    ];
    for (const call of calls)
      await expect(call()).rejects.toMatchObject({ code: "CUTOVER_DATA_FORMAT", place: file });
  });

  test("a decision that was taken away is noticed by who has seen it, and in the history", async () => {
    const shared = fileSwitch(folder, { create: true });
    await shared.turn({ side: "new", epoch: 1 });
    await shared.turn({ side: "old", epoch: 2 });
    rmSync(join(folder, "00000001.json"));
    await expect(shared.history()).rejects.toMatchObject({ code: "CUTOVER_DATA_FORMAT" });
    rmSync(join(folder, "00000002.json"));
    await expect(shared.read()).rejects.toMatchObject({ code: "CUTOVER_DATA_FORMAT" });
  });

  test("what a killed turn left is removed by a later one, once it is old", async () => {
    const shared = fileSwitch(folder, { create: true });
    await shared.read();
    mkdirSync(join(folder, ".turn-dead00"));
    mkdirSync(join(folder, ".turn-young0"));
    utimesSync(join(folder, ".turn-dead00"), new Date(0), new Date(0));
    await shared.turn({ side: "new", epoch: 1 });
    expect(readdirSync(folder)).toEqual([".turn-young0", "00000001.json"]);
  });

  test.skipIf(process.getuid?.() === 0)(
    "a folder that may not be written is refused with its reason",
    async () => {
      mkdirSync(folder, { recursive: true });
      chmodSync(folder, 0o500);
      await expect(fileSwitch(folder).turn({ side: "new", epoch: 1 })).rejects.toMatchObject({
        code: "CUTOVER_DATA_DENIED",
      });
    },
  );
});
