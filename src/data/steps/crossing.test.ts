import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CutoverError, isCutoverError, systemClock } from "../../core/index.ts";
import { defineMigration, dryRun, type Migration, phase, step, type Step } from "../../plan/index.ts";
import { openRig, type Rig } from "../../testing/engine-rig.ts";
import { openLevelDb } from "../connectors/leveldb.ts";
import { openLmdb } from "../connectors/lmdb.ts";
import type { CapturedStore } from "../capture-store.ts";
import { fileSwitch } from "../cutover/file-switch.ts";
import { type Movable, movable } from "../cutover/movable.ts";
import type { DataMap } from "../map.ts";
import { overlay } from "../verify/touched.ts";
import { backfill } from "./backfill.ts";
import { backup } from "./backup.ts";
import { cutoverData } from "./cutover-data.ts";
import { repair } from "./repair.ts";
import { reverseSync } from "./reverse-sync.ts";
import type { StoreRef } from "./store-ref.ts";
import { verify } from "./verify.ts";

let dir = "";
let rig: Rig;
let old: CapturedStore;
let young: CapturedStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-crossing-steps-"));
  rig = await openRig({ clock: systemClock });
  old = await openLevelDb(join(dir, "old"), { create: true });
  young = await openLmdb(join(dir, "new"), { create: true });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await old[Symbol.asyncDispose]();
  await young[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const from = (): StoreRef => ({ name: "old orders", open: () => old, shared: true });
const to = (): StoreRef => ({ name: "new orders", open: () => young, shared: true });
const sw = (): string => `file:${dir}/switch`;
const bytes = (text: string): Buffer => Buffer.from(text);
const keyOf = (index: number): Buffer => bytes(`order:${String(index).padStart(5, "0")}`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function fill(rows: number, value = (i: number): string => `v${i}`): Promise<void> {
  const all = Array.from({ length: rows }, (_, i) => ({
    collection: "",
    key: keyOf(i),
    value: bytes(value(i)),
  }));
  await old.applyTxn({ job: "fill", fence: 1, origin: "fill", changes: [], rows: all });
}

async function rowsOf(store: CapturedStore): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const rows of store.scan({ collection: "" }))
    for (const { key, value } of rows) found[String(Buffer.from(key))] = String(Buffer.from(value));
  return found;
}

/** An application that writes through its handle until it is stopped, and keeps what was acknowledged. */
async function writing(): Promise<{ stop(): Promise<Record<string, string>>; written(): number }> {
  const handle: Movable = await movable({
    old,
    new: young,
    switch: fileSwitch(join(dir, "switch"), { create: true }),
  });
  const acknowledged: Record<string, string> = {};
  let over = false;
  let n = 0;
  const run = (async () => {
    for (; !over; n++) {
      const key = keyOf((n * 7919) % 300);
      await handle.put(key, bytes(`w${n}`));
      acknowledged[String(key)] = `w${n}`;
      await pause(1);
    }
  })();
  return {
    written: () => n,
    stop: async () => {
      over = true;
      await run;
      await handle[Symbol.asyncDispose]();
      return acknowledged;
    },
  };
}

const migration = (...phases: Parameters<typeof phase>[]): Migration =>
  defineMigration({ name: "orders", phases: phases.map(([name, options]) => phase(name, options)) });

async function run(made: Migration): Promise<{ state: string; results: Record<string, unknown> }> {
  const handle = await rig.start(made);
  const { state } = await handle.done;
  const records = await rig.store.runs.steps(handle.id);
  const results = Object.fromEntries(records.map(({ step: id, result, error }) => [id, error ?? result]));
  return { state, results };
}

const breaks = (): Step =>
  step("breaks", {
    run: () => {
      throw new Error("the new side broke");
    },
  });

describe("a migration that cuts its data over", () => {
  test("goes there under writes, and brings what is written back while it is watched", async () => {
    await fill(1_000);
    const app = await writing();
    const { state, results } = await run(
      migration(
        [
          "prepare",
          { steps: [backup(from(), { into: join(dir, "backup"), scratch: `leveldb:${dir}/scratch` })] },
        ],
        ["move", { steps: [backfill(from(), to(), { follow: true }), verify(from(), to())] }],
        [
          "cut",
          {
            steps: [
              cutoverData(from(), to(), { switch: sw(), backup: join(dir, "backup") }),
              reverseSync(from(), to(), { for: "1s", lag: "10s", follow: true }),
            ],
          },
        ],
      ),
    );
    expect(results).toMatchObject({
      "cut/cutoverData": { side: "new", epoch: 3, pauseMs: expect.any(Number) as number },
      "cut/reverseSync": {
        changes: expect.any(Number) as number,
        longestLagMs: expect.any(Number) as number,
      },
    });
    expect(state).toBe("COMPLETED");
    const acknowledged = await app.stop();
    expect(await rowsOf(young)).toMatchObject(acknowledged);
    const { changes } = results["cut/reverseSync"] as { changes: number };
    // How many come in a second is the machine's business.
    expect(changes).toBeGreaterThan(0);
    // The old side's log has ended with the crossing, so that it does not grow for ever.
    const head = await old.head();
    await old.write([{ collection: "", key: keyOf(1), value: bytes("nobody") }], { epoch: 1_000 });
    expect(await old.head()).toBe(head);
  }, 60_000);

  test.each([
    ["while the log of the way back is kept", true],
    ["when the log of the way back was released, by comparing everything", false],
  ])(
    "a failure in a later phase brings the old side back with all that was written since, %s",
    async (_, follow) => {
      await fill(500);
      const app = await writing();
      const { state, results } = await run(
        migration(
          ["move", { steps: [backfill(from(), to(), { follow: true })] }],
          [
            "cut",
            {
              steps: [
                cutoverData(from(), to(), { switch: sw() }),
                reverseSync(from(), to(), { for: "200ms", follow }),
              ],
            },
          ],
          ["use", { steps: [step("wait", { run: () => pause(200) }), breaks()] }],
        ),
      );
      expect([state, results["use/breaks"]]).toMatchObject([
        "ROLLED_BACK",
        { message: "the new side broke" },
      ]);
      await pause(50);
      const acknowledged = await app.stop();
      expect(await fileSwitch(join(dir, "switch")).read()).toEqual({ side: "old", epoch: 6 });
      expect(await rowsOf(old)).toMatchObject(acknowledged);
      expect(Object.keys(await rowsOf(old))).toHaveLength(500);
      expect(await rowsOf(young)).toEqual({});
    },
    60_000,
  );

  test("a way back that is to check everything mends old rows that nobody had written, and says how many", async () => {
    await fill(400);
    const damage = step("damage", {
      run: async () => {
        const flipped = { collection: "", key: keyOf(399), value: bytes("flipped") };
        const gone = { collection: "", key: keyOf(398), value: null };
        await old.applyTxn({ job: "damage", fence: 1, origin: "damage", changes: [flipped, gone], rows: [] });
      },
    });
    const handle = await rig.start(
      migration(
        ["move", { steps: [backfill(from(), to(), { follow: true })] }],
        ["cut", { steps: [cutoverData(from(), to(), { switch: sw(), backCheck: "all" })] }],
        ["use", { steps: [damage, breaks()] }],
      ),
    );
    expect((await handle.done).state).toBe("ROLLED_BACK");
    const rows = await rowsOf(old);
    expect([Object.keys(rows).length, rows[String(keyOf(399))], rows[String(keyOf(398))]]).toEqual([
      400,
      "v399",
      "v398",
    ]);
    const events = await rig.store.events.read({ limit: 1_000 });
    expect(JSON.stringify(events)).toContain('"mended":2');
  }, 60_000);

  test("through a map, the way back restores the old rows and what was written in the new form", async () => {
    await fill(100, (i) => (i % 2 === 0 ? "queued" : "waiting"));
    const map: DataMap = { map: () => ({ value: bytes("open") }), originals: true };
    const back = (row: { value: Uint8Array }, original?: { value: Uint8Array }): { value: Uint8Array } =>
      String(Buffer.from(row.value)) === "open" && original !== undefined
        ? { value: original.value }
        : { value: Buffer.concat([bytes("from new: "), row.value]) };
    const before = await rowsOf(old);
    const { state } = await run(
      migration(
        ["move", { steps: [backfill(from(), to(), { follow: true, map })] }],
        ["cut", { steps: [cutoverData(from(), to(), { switch: sw(), map, back })] }],
        [
          "use",
          {
            steps: [
              step("write", {
                run: async () => {
                  await young.write([{ collection: "", key: keyOf(7), value: bytes("changed") }], {
                    epoch: 3,
                  });
                  await young.write([{ collection: "", key: keyOf(8), value: null }], { epoch: 3 });
                  await young.write([{ collection: "", key: keyOf(900), value: bytes("made") }], {
                    epoch: 3,
                  });
                },
              }),
              breaks(),
            ],
          },
        ],
      ),
    );
    expect(state).toBe("ROLLED_BACK");
    const rows = await rowsOf(old);
    const { [String(keyOf(8))]: _removed, ...rest } = before;
    expect(rows).toEqual({
      ...rest,
      [String(keyOf(7))]: "from new: changed",
      [String(keyOf(900))]: "from new: made",
    });
  }, 60_000);

  test("a row that takes the place of one nobody writes, at the last moment, ends the cutover: both are told, and none is lost", async () => {
    const put = (
      key: string,
      value: string | null,
    ): { collection: string; key: Buffer; value: Buffer | null } => ({
      collection: "",
      key: bytes(key),
      value: value === null ? null : bytes(value),
    });
    await old.write(Array.from({ length: 400 }, (_, n) => put(`a:${n}`, `v${n}`)));
    const map: DataMap = {
      map: ({ key, value }) => ({ key: key.subarray(2), value }),
      places: (collection, key) => [{ collection, key: key.subarray(2) }],
    };
    const house = (key: Uint8Array): Buffer => Buffer.concat([bytes("a:"), key]);
    const back = {
      map: ({ key, value }: { key: Uint8Array; value: Uint8Array }) => ({ key: house(key), value }),
      places: (collection: string, key: Uint8Array) => [{ collection, key: house(key) }],
    };
    let fences = 0;
    const late = overlay<CapturedStore>(young, {
      fence: async (...given: Parameters<CapturedStore["fence"]>) => {
        if (fences++ === 0) await old.write([put("b:7", "took its place")], { epoch: 0 });
        return await young.fence(...given);
      },
    });
    const there: StoreRef = { name: "new orders", open: () => late, shared: true };
    const { state, results } = await run(
      migration(
        ["move", { steps: [backfill(from(), there, { map, follow: true }), verify(from(), there, { map })] }],
        ["cut", { steps: [cutoverData(from(), there, { map, back, switch: sw() })] }],
      ),
    );
    expect(results["cut/cutoverData"]).toMatchObject({
      code: "CUTOVER_DATA_DIFFERS",
      message: expect.stringContaining('clash "7" of the rows "a:7" and "b:7"') as string,
    });
    expect(state).toBe("ROLLED_BACK");
    const { side, epoch } = await fileSwitch(join(dir, "switch")).read();
    expect(side).toBe("old");
    await old.write([put("a:8", "goes on")], { epoch });
    const rows = await rowsOf(old);
    expect([Object.keys(rows).length, rows["a:7"], rows["b:7"]]).toEqual([401, "v7", "took its place"]);
  }, 60_000);

  test.each<[string, DataMap | undefined]>([
    ["as they are", undefined],
    [
      "through a map, whose images lie elsewhere",
      {
        map: ({ key, value }) => ({ key: Buffer.concat([bytes("n/"), key]), value }),
        places: (collection, key) => [{ collection, key: Buffer.concat([bytes("n/"), key]) }],
      },
    ],
  ])(
    "after the cutover a comparison follows what is written on the new side, and finds what is wrong there: rows %s",
    async (_, map) => {
      await fill(600);
      const there = (index: number): Buffer =>
        map === undefined ? keyOf(index) : Buffer.concat([bytes("n/"), keyOf(index)]);
      const back =
        map === undefined
          ? undefined
          : {
              map: ({ key, value }: { key: Uint8Array; value: Uint8Array }) => ({
                key: key.subarray(2),
                value,
              }),
              places: (collection: string, key: Uint8Array) => [{ collection, key: key.subarray(2) }],
            };
      const mapped = { ...(map === undefined ? {} : { map }), ...(back === undefined ? {} : { back }) };
      const forward = map === undefined ? {} : { map };
      let over = false;
      let writes = 0;
      let writer: Promise<void> = Promise.resolve();
      const use = step("use", {
        run: () => {
          writer = (async () => {
            for (; !over; writes++) {
              const value = writes % 5 === 4 ? null : bytes(`w${writes}`);
              await young.write([{ collection: "", key: there((writes * 7919) % 700), value }], { epoch: 3 });
              await pause(1);
            }
            // The way back stops it.
          })().catch(() => {});
        },
      });
      const damage = step("damage", {
        run: async () => {
          // Past the application and the log, as by a disk that lost a row, at keys that the application does not write.
          const change = { collection: "", key: keyOf(1_000), value: bytes("nobody wrote it") };
          await old.applyTxn({ job: "d", fence: 1, origin: "d", changes: [change], rows: [] });
        },
      });
      try {
        const { state, results } = await run(
          migration(
            ["move", { steps: [backfill(from(), to(), { ...forward, follow: true })] }],
            ["cut", { steps: [cutoverData(from(), to(), { ...mapped, switch: sw() })] }],
            ["look", { steps: [use, verify(from(), to(), { ...mapped, name: "equal" })] }],
            ["again", { steps: [damage, verify(from(), to(), { ...mapped, name: "damaged" })] }],
          ),
        );
        expect(writes).toBeGreaterThan(20);
        expect(results).toMatchObject({
          "look/equal": { equal: true, follows: "old", differences: 0 },
          "again/damaged": {
            code: "CUTOVER_DATA_DIFFERS",
            message: expect.stringMatching(/1 places where they do not: \w+ "(n\/)?order:01000"/) as string,
          },
        });
        // The way back brings the old side in charge, equal to what the new one has.
        expect(state).toBe("ROLLED_BACK");
      } finally {
        over = true;
        await writer;
      }
    },
    60_000,
  );

  test("after the cutover nothing of the new side is made as the old one says", async () => {
    await fill(20);
    const { results } = await run(
      migration(
        ["move", { steps: [backfill(from(), to(), { follow: true })] }],
        ["cut", { steps: [cutoverData(from(), to(), { switch: sw() })] }],
        ["mend", { steps: [repair(from(), to())] }],
      ),
    );
    expect(results["mend/repair"]).toMatchObject({ code: "CUTOVER_DATA_EPOCH" });
  }, 60_000);

  test("without a backfill that is followed nothing is stopped, and the error says what is missing", async () => {
    await fill(10);
    const { state, results } = await run(
      migration(
        ["move", { steps: [backfill(from(), to())] }],
        ["cut", { steps: [cutoverData(from(), to(), { switch: sw() })] }],
      ),
    );
    expect(results["cut/cutoverData"]).toMatchObject({ code: "CUTOVER_DATA_NOT_FOLLOWED" });
    expect(state).toBe("ROLLED_BACK");
    await old.write([{ collection: "", key: keyOf(1), value: bytes("goes on") }], { epoch: 0 });
  }, 60_000);
});

describe("when the new side is out of reach on the way back", () => {
  test.each([
    [
      "the run is stuck and says how far the old side has it, and goes back whole when it is there again",
      false,
    ],
    ["a person who turns the switch decides to go back without the rest, and the record says so", true],
  ])(
    "%s",
    async (_, byHand) => {
      await fill(20);
      let gone = false;
      const reach = (): StoreRef => ({
        name: "new orders",
        shared: true,
        open: () => {
          if (gone) throw new CutoverError("CUTOVER_DATA_UNAVAILABLE", { message: "no answer" });
          return young;
        },
      });
      const late = step("late", {
        run: async () => {
          await young.write([{ collection: "", key: keyOf(900), value: bytes("late") }], { epoch: 3 });
          gone = true;
          throw new Error("the new side broke");
        },
      });
      const made = migration(
        ["move", { steps: [backfill(from(), reach(), { follow: true })] }],
        ["cut", { steps: [cutoverData(from(), reach(), { switch: sw() })] }],
        ["use", { steps: [late] }],
      );
      const handle = await rig.start(made);
      expect(await handle.done).toMatchObject({
        state: "ROLLBACK_STUCK",
        reason: expect.stringMatching(
          /no answer; the old side has it up to 0+\d+ of the new one's log/,
        ) as string,
      });
      const kept = fileSwitch(join(dir, "switch"));
      expect(await kept.read()).toEqual({ side: "new", epoch: 3 });
      if (byHand) await kept.turn({ side: "old", epoch: 9 });
      else gone = false;
      const again = await rig.resume(handle.id, made, { rollback: "decided" });
      expect((await again.done).state).toBe("ROLLED_BACK");
      const standing = await kept.read();
      expect(standing).toEqual({ side: "old", epoch: byHand ? 9 : 6 });
      expect((await rowsOf(old))[String(keyOf(900))]).toBe(byHand ? undefined : "late");
      await old.write([{ collection: "", key: keyOf(1), value: bytes("goes on") }], {
        epoch: standing.epoch,
      });
      const evidence = JSON.stringify(await rig.store.runs.evidence(handle.id));
      expect(evidence.includes("turnedByHand")).toBe(byHand);
    },
    60_000,
  );
});

test("the dry run tells what is checked, what is stopped and how it comes back", async () => {
  await fill(20);
  const { phases } = await dryRun(
    migration(["cut", { steps: [cutoverData(from(), to(), { switch: sw(), backup: join(dir, "none") })] }]),
  );
  const [planned] = phases[0]?.steps ?? [];
  const told = [planned?.summary, ...(planned?.touches ?? [])].join("\n");
  expect(told).toContain("20 rows");
  expect(told).toContain("follow: true in an earlier phase");
  expect(told).toContain("at most 5.0 s");
  expect(told).toContain("not proven yet");
}, 60_000);

describe("what the steps of a cutover refuse before anything runs", () => {
  const wrong = (value: unknown): never => value as never;
  const map = { map: (): null => null };
  const refusal = (make: () => Step): string => {
    try {
      migration(["cut", { steps: [make()] }]);
    } catch (error) {
      if (isCutoverError(error)) return `${error.message} · ${error.remedy}`;
      throw error;
    }
    return "nothing";
  };
  test.each([
    ["no switch", () => cutoverData("lmdb:a", "lmdb:b", wrong({})), '"switch"'],
    ["a switch that is none", () => cutoverData("lmdb:a", "lmdb:b", { switch: "data/switch" }), '"switch"'],
    ["a map without a way back", () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", map }), '"back"'],
    [
      "a way back that cannot know what was removed",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", map, back: () => null }),
      "places",
    ],
    [
      "originals that nobody keeps",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", map, back: "originals" }),
      "originals",
    ],
    [
      "one way in a phase that can be taken back",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", map, oneWay: true }),
      "forwardOnly",
    ],
    [
      "a limit nobody reads",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", limits: wrong({ puase: "1s" }) }),
      "limits.puase",
    ],
    [
      "a pause that ends before it may last",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", limits: { pause: "30s" } }),
      '"limits.abort"',
    ],
    [
      "a check of the way back that is none",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", backCheck: wrong("some") }),
      '"backCheck" to be "written" or "all"',
    ],
    [
      "a check of a way back that there is not",
      () => cutoverData("lmdb:a", "lmdb:b", { switch: "file:s", map, oneWay: true, backCheck: "all" }),
      '"backCheck"',
    ],
    ["retries that are no number", () => backfill("lmdb:a", "lmdb:b", { retries: -1 }), "retries"],
    ["a time that is none", () => reverseSync("lmdb:a", "lmdb:b", { for: wrong("long") }), '"for"'],
    ["a map without a way back, in reverse", () => reverseSync("lmdb:a", "lmdb:b", { map }), '"back"'],
  ])("%s", (_, make, expected) => {
    expect(refusal(make)).toContain(expected);
  });
});

/** A process that carries a run through its cutover, or back when the last argument says so, and kills itself at a fault point. */
const room = new URL("../..", import.meta.url).href;
const program = `
import { setFaultHandler, silentLog, systemClock } from "${room}core/index.ts";
import { createEngine } from "${room}engine/index.ts";
import { defineMigration, phase, step } from "${room}plan/index.ts";
import { openSqliteStore } from "${room}store/index.ts";
import { backfill, cutoverData, fileSwitch, openLmdb } from "${room}data/index.ts";

const [dir, back, point, hit] = process.argv.slice(2);
const [from, to] = ["lmdb:" + dir + "/a", "lmdb:" + dir + "/b"];
const write = async () => {
  await using store = await openLmdb(dir + "/b");
  const { epoch } = await fileSwitch(dir + "/side").read();
  await store.write([{ collection: "", key: Buffer.from("late"), value: Buffer.from("written on the new side") }], { epoch });
  if (back === "back") throw new Error("no good");
};
const migration = defineMigration({
  name: "orders",
  phases: [
    phase("move", { steps: [backfill(from, to, { follow: true })] }),
    phase("cut", { steps: [cutoverData(from, to, { switch: "file:" + dir + "/side" })] }),
    phase("use", { steps: [step("write", { run: write })] }),
  ],
});
const store = await openSqliteStore({ path: dir + "/cutover.db", clock: systemClock });
const owner = "process " + process.pid;
const engine = createEngine({ store, clock: systemClock, log: silentLog, owner, dir, isDead: () => true });
let hits = 0;
setFaultHandler((name) => {
  if (name === point && ++hits === Number(hit)) process.kill(process.pid, "SIGKILL");
});
const [known] = await store.runs.list();
const handle = known === undefined
  ? await engine.start(migration, { by: "ann", source: "killed.ts" })
  : await engine.resume(known.id, migration, { by: "ann" });
const { state } = await handle.done;
await store.close();
console.log(state);
`;

function child(...args: readonly string[]): Promise<{ how: number | string | null; out: string }> {
  const made = spawn(process.execPath, [join(dir, "child.ts"), dir, ...args], { timeout: 60_000 });
  let out = "";
  made.stdout.on("data", (part) => (out += String(part)));
  made.stderr.on("data", (part) => (out += String(part)));
  return new Promise((resolve, reject) => {
    made.on("error", reject);
    made.on("close", (code, signal) => resolve({ how: signal ?? code, out: out.trim() }));
  });
}

test.each([
  ["in the pause", "there", "data.cutover.drained", "1"],
  ["between the turn and the lift", "there", "data.cutover.turned", "1"],
  ["in the pause of the way back", "back", "data.cutover.drained", "2"],
  ["between the turn back and its lift", "back", "data.cutover.turned", "2"],
])(
  "killed %s, a run goes on, and what was written on the new side is where it has to be",
  async (_, way, point, hit) => {
    await writeFile(join(dir, "child.ts"), program);
    {
      await using store = await openLmdb(join(dir, "a"), { create: true });
      const rows = Array.from({ length: 50 }, (__, i) => ({
        collection: "",
        key: keyOf(i),
        value: bytes(`v${i}`),
      }));
      await store.write(rows);
    }
    expect((await child(way, point, hit)).how).toBe("SIGKILL");
    const ended = await child(way);
    expect(ended).toEqual({ how: 0, out: way === "back" ? "ROLLED_BACK" : "COMPLETED" });
    const side = way === "back" ? "a" : "b";
    await using store = await openLmdb(join(dir, side));
    expect(await rowsOf(store)).toMatchObject({ late: "written on the new side", "order:00049": "v49" });
    const standing = await fileSwitch(join(dir, "side")).read();
    expect(standing.side).toBe(way === "back" ? "old" : "new");
    await store.write([{ collection: "", key: keyOf(1), value: bytes("goes on") }], {
      epoch: standing.epoch,
    });
  },
  120_000,
);
