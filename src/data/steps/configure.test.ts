import { spawn } from "node:child_process";
import {
  chmod,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isCutoverError, type Json, type JsonObject, silentLog, systemClock } from "../../core/index.ts";
import { createEngine } from "../../engine/index.ts";
import { defineMigration, dryRun, type Migration, phase, step, type Step } from "../../plan/index.ts";
import { openSqliteStore } from "../../store/index.ts";
import { openRig, type Rig } from "../../testing/engine-rig.ts";
import { configure } from "./configure.ts";

let dir = "";
let rig: Rig;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-configure-"));
  rig = await openRig({ clock: systemClock });
});
afterEach(async () => {
  await rig[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const file = (): string => join(dir, "store.json");
const original = '{\n  "cache": { "size": 256 }, // megabytes\n  "since": 1700000000000000123\n}\n';
const wanted = original.replace("256", "512");
const bigger = { set: { "cache.size": 512 } };
const text = (): Promise<string> => readFile(file(), "utf8");

const tuning = (...steps: Step[]): Migration =>
  defineMigration({ name: "tuning", phases: [phase("tune", { steps })] });

interface Ended {
  readonly state: string;
  readonly results: Readonly<Record<string, unknown>>;
  readonly run: string;
}

async function run(...steps: Step[]): Promise<Ended> {
  const handle = await rig.start(tuning(...steps));
  const { state } = await handle.done;
  const records = await rig.store.runs.steps(handle.id);
  const results = Object.fromEntries(records.map(({ step: id, result, error }) => [id, error ?? result]));
  return { state, results, run: handle.id };
}

const breaks = (before: () => unknown = () => undefined): Step =>
  step("breaks", {
    run: async () => {
      await before();
      throw new Error("the new side broke");
    },
  });

describe("a file that a step configures", () => {
  test("gets its new members, keeps the rest to the letter and its rights, and is told with both values", async () => {
    await writeFile(file(), original);
    await chmod(file(), 0o640);
    const applied: unknown[] = [];
    const { state, results } = await run(
      configure(file(), bigger, {
        apply: (value) => applied.push(value),
        check: ({ cache }) => (cache as JsonObject)["size"] === 512,
      }),
    );
    expect(state).toBe("COMPLETED");
    expect(await text()).toBe(wanted);
    expect((await stat(file())).mode & 0o777).toBe(0o640);
    expect(applied).toEqual([{ cache: { size: 512 }, since: Number(1700000000000000123n) }]);
    expect(results["tune/configure"]).toMatchObject({
      changes: ["cache.size: 256 → 512"],
      before: { bytes: 76, digest: expect.any(String) as string },
      applied: true,
    });
    expect(await readdir(dir)).toEqual(["store.json"]);
  });

  test("is as it was after the way back, also for who reads it by its name all the time", async () => {
    await writeFile(file(), original);
    const applied: unknown[] = [];
    const seen = new Set<string>();
    let over = false;
    const reader = (async () => {
      while (!over) seen.add(await text());
    })();
    const { state } = await run(
      configure(file(), bigger, {
        apply: ({ cache }, { back }) => applied.push([(cache as JsonObject)["size"], back]),
      }),
      breaks(),
    );
    over = true;
    await reader;
    expect(state).toBe("ROLLED_BACK");
    expect(await text()).toBe(original);
    expect(applied).toEqual([
      [512, false],
      [256, true],
    ]);
    expect([...seen].filter((each) => each !== original && each !== wanted)).toEqual([]);
  });

  test("that was not there is made, and removed on the way back", async () => {
    expect((await run(configure(file(), bigger), breaks())).state).toBe("ROLLED_BACK");
    expect(await readdir(dir)).toEqual([]);
    expect((await run(configure(file(), bigger))).state).toBe("COMPLETED");
    expect(JSON.parse(await text())).toEqual({ cache: { size: 512 } });
  });

  test("that somebody else changed meanwhile is not written over on the way back", async () => {
    await writeFile(file(), original);
    const { state, run: id } = await run(
      configure(file(), bigger),
      breaks(() => writeFile(file(), "mine")),
    );
    expect(state).toBe("ROLLBACK_STUCK");
    expect(await text()).toBe("mine");
    const [record] = await rig.store.runs.steps(id);
    expect(JSON.stringify(record)).toContain("somebody else changed it meanwhile");
  });

  test("that a check refuses is taken back, with what the check said", async () => {
    await writeFile(file(), original);
    let asked = 0;
    const check = ({ cache }: JsonObject): boolean => {
      if ((cache as JsonObject)["size"] === 256) return true;
      asked++;
      throw new Error("the service does not answer");
    };
    const { state, results } = await run(configure(file(), bigger, { check, within: "900ms" }));
    expect(state).toBe("ROLLED_BACK");
    expect(results["tune/configure"]).toMatchObject({
      code: "CUTOVER_STEP_FAILED",
      message: expect.stringContaining(
        "within 900 ms, found that it does not: the service does not answer",
      ) as string,
    });
    expect(asked).toBeGreaterThan(1);
    expect(await text()).toBe(original);
  });

  test("whose check never answers is taken back when the time is over", async () => {
    await writeFile(file(), original);
    const check = (_: unknown, { back }: { back: boolean }): Promise<boolean> =>
      back ? Promise.resolve(true) : new Promise(() => {});
    const { state, results } = await run(configure(file(), bigger, { check, within: "900ms" }));
    expect(results["tune/configure"]).toMatchObject({ code: "CUTOVER_STEP_FAILED" });
    expect([state, await text()]).toEqual(["ROLLED_BACK", original]);
  });

  test("that is so already is neither written nor applied, and left alone on the way back", async () => {
    await writeFile(file(), wanted);
    const { mtimeMs } = await stat(file());
    const { state, results } = await run(
      configure(file(), bigger, { apply: () => Promise.reject(new Error("not called")) }),
      breaks(() => writeFile(file(), "mine")),
    );
    expect(results["tune/configure"]).toMatchObject({ note: "already so", changes: [] });
    expect([state, await text()]).toEqual(["ROLLED_BACK", "mine"]);
    expect(mtimeMs).toBeGreaterThan(0);
  });

  test("behind a link is written where it is, and the link stays", async () => {
    await writeFile(join(dir, "real.json"), original);
    await symlink("real.json", file());
    expect((await run(configure(file(), bigger))).state).toBe("COMPLETED");
    expect((await lstat(file())).isSymbolicLink()).toBe(true);
    expect(await readFile(join(dir, "real.json"), "utf8")).toBe(wanted);
  });

  test("of bytes of any size is replaced whole, and comes back", async () => {
    const path = join(dir, "processor.wasm");
    const [old, next] = [Buffer.alloc(3_000_000, 7), Buffer.alloc(2_000_000, 0xff)];
    await writeFile(path, old);
    const upgrade = (): Step => configure(path, { to: next }, { format: "bytes" });
    const { results, state } = await run(upgrade());
    expect(state).toBe("COMPLETED");
    expect(results["tune/configure"]).toMatchObject({ changes: ["3.0 MB → 2.0 MB"] });
    expect((await readFile(path)).equals(next)).toBe(true);
    await writeFile(path, old);
    expect((await run(upgrade(), breaks())).state).toBe("ROLLED_BACK");
    expect((await readFile(path)).equals(old)).toBe(true);
  });

  test("keeps its secrets: neither value nor digest is in the record", async () => {
    await writeFile(file(), '{"pin":"hunter1"}');
    const { run: id } = await run(
      configure<JsonObject>(file(), (old) => ({ ...old, pin: "hunter2" }), { secret: true }),
    );
    const [record] = await rig.store.runs.steps(id);
    const events = await rig.store.events.read({ limit: 1_000 });
    const evidence = await rig.store.runs.evidence(id);
    expect(JSON.stringify([record, events, evidence])).not.toMatch(/hunter|aHVudGVy|"digest":/);
    expect(JSON.stringify(evidence)).toContain("(not shown)");
    const kept = (await readdir(rig.dir, { recursive: true })).filter((name) => name.includes("configure-"));
    expect(kept).toHaveLength(2);
    for (const name of kept) expect((await stat(join(rig.dir, name))).mode & 0o777).toBe(0o600);
  });
});

describe("a setting that no file holds", () => {
  const service = (first?: string): { value: string | undefined; writes: number } => ({
    value: first,
    writes: 0,
  });
  const setting = (of: { value: string | undefined; writes: number }, removable = true): never =>
    ({
      name: "work_mem",
      read: () => of.value,
      write: (value: string) => {
        of.value = value;
        of.writes++;
      },
      ...(removable ? { remove: () => (of.value = undefined) } : {}),
    }) as never;

  test("is read, written, read back, and set to its old value on the way back", async () => {
    const server = service("4MB");
    const { results } = await run(configure(setting(server), { to: "64MB" }));
    expect(results["tune/configure"]).toMatchObject({ changes: ['"4MB" → "64MB"'] });
    expect(server.value).toBe("64MB");
    server.value = "4MB";
    expect((await run(configure(setting(server), { to: "64MB" }), breaks())).state).toBe("ROLLED_BACK");
    expect(server).toEqual({ value: "4MB", writes: 3 });
  });

  test("that was not set is unset on the way back; without a way to unset it, it is refused before the write", async () => {
    const server = service();
    expect((await run(configure(setting(server), { to: "64MB" }), breaks())).state).toBe("ROLLED_BACK");
    expect(server).toEqual({ value: undefined, writes: 1 });
    const { results } = await run(configure(setting(server, false), { to: "64MB" }));
    expect(results["tune/configure"]).toMatchObject({ code: "CUTOVER_DATA_OPTIONS" });
    expect(server.writes).toBe(1);
  });

  test("that is not taken as it was given fails the step", async () => {
    const server = service("4MB");
    const deaf = { name: "deaf", read: () => server.value, write: () => undefined };
    const { state, results } = await run(configure(deaf, { to: "64MB" }));
    expect(results["tune/configure"]).toMatchObject({ code: "CUTOVER_DATA_CHANGED" });
    expect(state).toBe("ROLLED_BACK");
  });
});

describe("the dry run of a configuration", () => {
  const planned = async (one: Step): Promise<string> => {
    const { phases } = await dryRun(tuning(one));
    const [first] = phases[0]?.steps ?? [];
    return [first?.summary, ...(first?.touches ?? [])].join("\n");
  };

  test("shows what would change and touches nothing", async () => {
    await writeFile(file(), original);
    expect(await planned(configure(file(), bigger))).toContain("cache.size: 256 → 512");
    expect(await text()).toBe(original);
    const many = Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`m${n}`, n]));
    expect(await planned(configure(file(), { set: many }))).toMatch(/9 changes[^]*and 6 more/);
    expect(await planned(configure(file(), { set: { "cache.size": 256 } }))).toContain("already so");
    await unlink(file());
    expect(await planned(configure(file(), bigger))).toContain("will be made");
    expect(await planned(configure(join(dir, "no", "x.json"), bigger))).toContain("cannot be read yet");
    expect(await readdir(dir)).toEqual([]);
  });
});

describe("what configure refuses before anything runs", () => {
  const wrong = (value: unknown): never => value as never;
  test.each<[string, () => Step, string]>([
    ["no change", () => configure("a.json", wrong(undefined)), '"change"'],
    [
      "a mistyped option",
      () => configure("a.json", bigger, wrong({ aply: () => 1 })),
      'did you mean "apply"?',
    ],
    ["a mistyped part of a change", () => configure("a.json", wrong({ sett: {} })), '"change.sett"'],
    ["members of a text", () => configure("a.conf", bigger), 'say format: "json"'],
    ["a member without a name", () => configure("a.json", { set: { "a..b": 1 } }), 'found "a..b"'],
    ["two changes at once", () => configure("a.json", wrong({ to: 1, set: { a: 1 } })), "either `to`"],
    ["a value that is no JSON", () => configure("a.json", { set: { a: wrong(1n) } }), 'change.set["a"]'],
    ["bytes that are none", () => configure("a", { to: "x" }, { format: "bytes" }), "a Uint8Array"],
    ["the text of a JSON file as its value", () => configure("a.json", { to: '{"a":1}' }), 'format: "text"'],
    ["an unknown format", () => configure("a", wrong({ to: "x" }), wrong({ format: "toml" })), "one of json"],
    [
      "a place without a name",
      () => configure(wrong({ read: () => 1, write: () => 1 }), { to: 1 }),
      '"place.name"',
    ],
    [
      "a place that cannot be written",
      () => configure(wrong({ name: "x", read: () => 1 }), { to: 1 }),
      '"place.write"',
    ],
    ["a limit for no check", () => configure("a.json", bigger, { within: "5s" }), "together with `check`"],
    [
      "a limit that is none",
      () => configure("a.json", bigger, { check: () => true, within: "soon" }),
      '"within"',
    ],
  ])("%s", (_, make, expected) => {
    let found = "nothing";
    try {
      tuning(make());
    } catch (error) {
      if (!isCutoverError(error)) throw error;
      found = `${error.message} · ${error.remedy}`;
    }
    expect(found).toContain(expected);
  });

  test.each<[string, string, Json]>([
    ["a file that is no JSON", '{"cache": }', "CUTOVER_DATA_FORMAT"],
    ["a file that is no text", "\u0000", "CUTOVER_DATA_FORMAT"],
  ])("%s, with nothing written", async (_, content, code) => {
    await writeFile(file(), content === "\u0000" ? Buffer.from([0xff, 0xfe]) : content);
    const before = await readFile(file());
    const { state, results } = await run(configure(file(), bigger));
    expect(results["tune/configure"]).toMatchObject({ code });
    expect(state).toBe("ROLLED_BACK");
    expect((await readFile(file())).equals(before)).toBe(true);
  });

  test("a folder in place of the file, and a folder that is not there", async () => {
    const { results } = await run(configure(dir, { to: "x" }));
    expect(results["tune/configure"]).toMatchObject({ code: "CUTOVER_DATA_IO" });
    const nowhere = await run(configure(join(dir, "no", "x.json"), bigger));
    expect(nowhere.results["tune/configure"]).toMatchObject({ code: "CUTOVER_DATA_MISSING" });
  });

  test("values are not in the definition's input, and change its hash", () => {
    const one = configure("a.json", { set: { pin: "hunter1" } });
    const two = configure("a.json", { set: { pin: "hunter2" } });
    const all = JSON.stringify([one.input, one.kind.summary?.(null), one.kind.fingerprint?.(null)]);
    expect(all).not.toContain("hunter");
    expect(one.kind.fingerprint?.(null)).not.toBe(two.kind.fingerprint?.(null));
  });
});

/** A migration in a file of its own, so that a process that dies carries the same one as the one that goes on. */
const room = new URL("../..", import.meta.url).href;
const definition = `
import { appendFileSync } from "node:fs";
import { defineMigration, phase, step } from "${room}plan/index.ts";
import { configure } from "${room}data/steps/configure.ts";

export const tuning = (dir, way) => defineMigration({
  name: "tuning",
  phases: [phase("tune", { steps: [
    configure(dir + "/store.json", { set: { "cache.size": 512 } }, {
      apply: (value) => appendFileSync(dir + "/applied", value.cache.size + "\\n"),
    }),
    ...(way === "back" ? [step("breaks", { run: () => { throw new Error("broken"); } })] : []),
  ] })],
});
`;
const program = `
import { setFaultHandler, silentLog, systemClock } from "${room}core/index.ts";
import { createEngine } from "${room}engine/index.ts";
import { openSqliteStore } from "${room}store/sqlite/open.ts";
import { tuning } from "./definition.ts";

const [dir, way, point] = process.argv.slice(2);
const store = await openSqliteStore({ path: dir + "/cutover.db", clock: systemClock });
const engine = createEngine({ store, clock: systemClock, log: silentLog, owner: "killed", dir });
setFaultHandler((name) => {
  if (name === point) process.kill(process.pid, "SIGKILL");
});
await (await engine.start(tuning(dir, way), { by: "ann", source: "killed.ts" })).done;
`;

/** How a process that runs the program ended. */
function killed(...args: readonly string[]): Promise<string> {
  const made = spawn(process.execPath, [join(dir, "child.ts"), dir, ...args], { timeout: 60_000 });
  let out = "";
  made.stderr.on("data", (part) => (out += String(part)));
  return new Promise((resolve, reject) => {
    made.on("error", reject);
    made.on("close", (code, signal) => resolve(signal ?? `${code} ${out}`));
  });
}

test.each([
  ["forward", "data.configure.saved"],
  ["forward", "data.configure.before-write"],
  ["forward", "data.configure.written"],
  ["forward", "data.configure.applied"],
  ["back", "data.configure.before-back"],
  ["back", "data.configure.back-written"],
])(
  "killed on the way %s at %s, the same run goes on and leaves one whole file",
  async (way, point) => {
    await writeFile(join(dir, "definition.ts"), definition);
    await writeFile(join(dir, "child.ts"), program);
    await writeFile(file(), original);
    expect(await killed(way, point)).toBe("SIGKILL");
    expect([original, wanted]).toContain(await text());
    const store = await openSqliteStore({ path: join(dir, "cutover.db"), clock: systemClock });
    const { tuning: made } = (await import(join(dir, "definition.ts"))) as {
      tuning: (dir: string, way: string) => Migration;
    };
    const engine = createEngine({
      store,
      clock: systemClock,
      log: silentLog,
      owner: "next",
      dir,
      isDead: () => true,
    });
    const [known] = await store.runs.list();
    // The test's own loader writes the text of functions anew; nothing else of the definition is another.
    const handle = await engine.resume(known?.id ?? "", made(dir, way), { by: "ann", acceptChanges: true });
    expect((await handle.done).state).toBe(way === "back" ? "ROLLED_BACK" : "COMPLETED");
    await store.close();
    expect(await text()).toBe(way === "back" ? original : wanted);
    const applied = (await readFile(join(dir, "applied"), "utf8")).trim().split("\n");
    expect(applied.at(-1)).toBe(way === "back" ? "256" : "512");
    expect((await readdir(dir)).filter((name) => name.endsWith(".new"))).toEqual([]);
  },
  60_000,
);
