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
import { ManualClock, switchContract, type SwitchSubject } from "../../testing/index.ts";
import { fileSwitch } from "./file-switch.ts";
import { memorySwitch } from "./memory-switch.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cutover-switch-"));
  folder = join(root, "orders", "switch");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A switch as its users have it: the folder is there, made by one of them. */
function subject(): Promise<SwitchSubject> {
  const own = mkdtempSync(join(tmpdir(), "cutover-switch-"));
  return Promise.resolve({
    kept: fileSwitch(join(own, "switch"), { create: true }),
    again: () => Promise.resolve(fileSwitch(join(own, "switch"), { create: true })),
    close: () => Promise.resolve(rmSync(own, { recursive: true, force: true })),
  });
}

switchContract("a folder", subject, { describe, expect, test });
switchContract("memory", () => Promise.resolve({ kept: memorySwitch() }), { describe, expect, test });

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
