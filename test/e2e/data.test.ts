import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Project, until } from "./command-line.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

/** Writes rows `from` … `to` into a store, as a program of a user would. */
const write = `
import { openDataStore } from "cutover/data";
const [, , address, from, to, size = "20", mark = ""] = process.argv;
await using store = await openDataStore(address, { create: true });
const key = (index) => Buffer.from("user:" + String(index).padStart(7, "0"));
for (let at = Number(from); at < Number(to); at += 5_000) {
  const end = Math.min(at + 5_000, Number(to));
  await store.applyTxn({ job: "seed", fence: 1, origin: "seed", changes: [], rows: Array.from({ length: end - at }, (_, index) => ({
    collection: "", key: key(at + index), value: Buffer.from(("v" + (at + index) + mark).padEnd(Number(size), ".")) })) });
}
await store.forget("seed");
`;
function rows(address: string, from: number, to: number, size = 20, mark = ""): void {
  project.write("write.mjs", write);
  execFileSync(process.execPath, ["write.mjs", address, String(from), String(to), String(size), mark], {
    cwd: project.dir,
    timeout: 30_000,
    stdio: "pipe",
  });
}
/** A row with a key that an LMDB cannot hold, before all others. */
function long(address: string): void {
  const text = `
import { openDataStore } from "cutover/data";
await using store = await openDataStore(process.argv[2]);
await store.applyTxn({ job: "seed", fence: 1, origin: "seed", changes: [], rows: [{ collection: "", key: Buffer.alloc(3_000, 97), value: Buffer.from("v") }] });
await store.forget("seed");
`;
  project.write("long.mjs", text);
  execFileSync(process.execPath, ["long.mjs", address], { cwd: project.dir, timeout: 30_000, stdio: "pipe" });
}
const damage = (path: string, at: number): void => {
  const bytes = readFileSync(project.path(path));
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(project.path(path), bytes);
};

/** Of a folder's files together; 0 for one that is not there. */
const sizeOf = (folder: string): number =>
  existsSync(project.path(folder))
    ? readdirSync(project.path(folder)).reduce(
        (sum, name) =>
          sum + (statSync(project.path(`${folder}/${name}`), { throwIfNoEntry: false })?.size ?? 0),
        0,
      )
    : 0;

interface Diff {
  readonly equal: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly differences: readonly { readonly kind: string; readonly key: string }[];
}

describe("data without a migration", () => {
  test("a store is copied into one of another kind, compared, and has the same digest there", async () => {
    rows("leveldb:old", 0, 3_000);
    const copied = await project.run("data", "copy", "leveldb:old", "lmdb:new");
    expect(copied.stderr).toBe("");
    expect(copied.stdout).toMatch(/✔ copied {2}3,000 rows[^]*✔ equal {2}3,000 rows/);
    expect(copied.code).toBe(0);
    const [a, b] = await Promise.all([
      project.json<{ digest: string }>("data", "digest", "leveldb:old", "--seed", "abc"),
      project.json<{ digest: string }>("data", "digest", "lmdb:new", "--seed", "abc"),
    ]);
    expect(a.digest).toBe(b.digest);
    expect(await project.run("data", "diff", "leveldb:old", "lmdb:new")).toMatchObject({ code: 0 });
  }, 60_000);

  test("parts of a LevelDB that a copy made are compared, named and copied on, as those of any other store", async () => {
    mkdirSync(project.path("json/users"), { recursive: true });
    writeFileSync(project.path("json/users/ana.json"), '{"at":1700000000000000123}');
    writeFileSync(project.path("json/top.json"), "{}");
    const data = (...words: readonly string[]): ReturnType<Project["run"]> => project.run("data", ...words);
    expect(await data("copy", "files:json", "leveldb:level")).toMatchObject({ code: 0 });
    expect(await data("diff", "files:json", "leveldb:level")).toMatchObject({ code: 0 });
    expect(await data("diff", "leveldb:level", "files:json")).toMatchObject({ code: 0 });
    writeFileSync(project.path("json/users/ben.json"), "{}");
    const differs = await data("diff", "files:json", "leveldb:level");
    expect([differs.code, differs.stdout]).toEqual([4, expect.stringContaining('missing   users "ben"')]);
    expect(await data("diff", "files:json", "leveldb:level", "--repair")).toMatchObject({ code: 0 });
    expect(await data("copy", "leveldb:level", "lmdb:users", "--collection", "users")).toMatchObject({
      code: 0,
    });
    const digests = ["leveldb:level", "lmdb:users"].map(async (address) =>
      (await data("digest", address, "--collection", "users", "--seed", "5eed")).stdout.trim(),
    );
    expect(new Set(await Promise.all(digests)).size).toBe(1);
    const misspelt = ["--collection", "usres"];
    for (const words of [
      ["digest", "leveldb:level", ...misspelt],
      ["diff", "leveldb:level", "lmdb:users", ...misspelt, "--into", "users"],
      ["diff", "leveldb:level", "lmdb:users", ...misspelt, "--into", "users", "--repair"],
    ])
      expect((await data(...words)).stderr).toContain("CUTOVER_DATA_COLLECTION");
    expect(await project.json("data", "digest", "lmdb:users")).toMatchObject({ rows: 2 });
  }, 30_000);

  test("a dry run of a copy tells what the other kind of store cannot hold, and a target that is in the way", async () => {
    rows("leveldb:old", 0, 2_000);
    const planned = await project.run("data", "copy", "leveldb:old", "lmdb:new", "--dry-run");
    expect(planned.stdout).toMatch(/\(will be made\) · 2,000 rows .*nothing was touched/);
    expect(planned.code).toBe(0);
    project.write(
      "long.mjs",
      `import { openDataStore } from "cutover/data";
       await using store = await openDataStore("leveldb:old");
       const changes = [Buffer.alloc(0), Buffer.alloc(3_000, 0x6b)].map((key) => ({ collection: "", key, value: Buffer.from("v") }));
       await store.applyTxn({ job: "long", fence: 1, origin: "long", changes, rows: [] });`,
    );
    execFileSync(process.execPath, ["long.mjs"], { cwd: project.dir, timeout: 30_000, stdio: "pipe" });
    const refused = await project.run("data", "copy", "leveldb:old", "lmdb:new", "--dry-run");
    expect(refused.stdout).toMatch(/✖ 2 rows cannot go[^]*no empty keys[^]*at most 1978 bytes/);
    expect(refused.code).toBe(4);
    expect(existsSync(project.path("new"))).toBe(false);
    rows("lmdb:full", 0, 3);
    const full = await project.run("data", "copy", "leveldb:old", "lmdb:full", "--dry-run");
    expect(full).toMatchObject({ code: 2, stdout: "" });
    expect(full.stderr).toContain("CUTOVER_DATA_NOT_EMPTY");
    mkdirSync(project.path("empty"));
    mkdirSync(project.path("json"));
    writeFileSync(project.path("json/a.json"), "{}");
    for (const target of ["files:json", "files:empty", "leveldb:empty", "lmdb:empty"])
      await project.run("data", "copy", "leveldb:old", target, "--dry-run");
    expect([readdirSync(project.path("empty")), readdirSync(project.path("json"))]).toEqual([[], ["a.json"]]);
    const misspelt = await project.run("data", "copy", "leveldb:old", "lmbd:new", "--dry-run");
    expect(misspelt).toMatchObject({ code: 2, stdout: "" });
  }, 60_000);

  test("differences are listed, planned to be repaired, and repaired", async () => {
    rows("leveldb:old", 0, 2_000);
    rows("lmdb:new", 0, 1_990);
    rows("lmdb:new", 5, 6, 20, "x");
    rows("lmdb:new", 9_000, 9_001);
    const found = await project.run("data", "diff", "leveldb:old", "lmdb:new", "--limit", "3");
    expect(found.code).toBe(4);
    expect(found.stdout).toContain("10 missing · 1 extra · 1 different");
    expect(found.stdout).toMatch(/different {1,3}"user:0000005"/);
    expect(found.stdout).toContain("… 9 more");
    const plan = await project.run("data", "diff", "leveldb:old", "lmdb:new", "--repair", "--dry-run");
    expect(plan).toMatchObject({ code: 4 });
    expect(plan.stdout).toContain("nothing was written");
    const json = await project.json<Diff>("data", "diff", "leveldb:old", "lmdb:new");
    expect(json.counts).toEqual({ missing: 10, extra: 1, different: 1, clash: 0 });
    const repaired = await project.run("data", "diff", "leveldb:old", "lmdb:new", "--repair");
    expect(repaired.stdout).toMatch(/11 rows written · 1 row removed[^]*✔ equal {2}2,000 rows/);
    expect(repaired.code).toBe(0);
  }, 60_000);

  test("a backup is proven by coming back, is compared like a store, and a wrong byte is named", async () => {
    rows("leveldb:old", 0, 2_500);
    const made = await project.run("data", "backup", "leveldb:old", "b");
    expect(made.stdout).toMatch(/✔ proven {2}2,500 rows[^]*restored to a scratch leveldb store and equal/);
    expect(readdirSync(project.dir).filter((name) => name.startsWith(".cutover-scratch"))).toEqual([]);
    expect(existsSync(project.path("b/proof.json"))).toBe(true);
    expect(await project.run("data", "diff", "leveldb:old", "backup:b")).toMatchObject({ code: 0 });
    expect(await project.run("data", "restore", "b", "lmdb:again")).toMatchObject({ code: 0 });
    damage("b/0000.rows", 50_000);
    const refused = await project.run("data", "restore", "b", "lmdb:third");
    expect(refused.code).toBe(4);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toMatch(
      /CUTOVER_DATA_BACKUP leaf 2 of 3 .* is damaged .*up to "user:/,
    );
    expect(existsSync(project.path("third"))).toBe(false);
  }, 60_000);

  test("a copy that was interrupted says so, and goes on with the same command", async () => {
    rows("leveldb:old", 0, 60_000, 400);
    const running = project.start(["data", "copy", "leveldb:old", "lmdb:new"]);
    await until(() => existsSync(project.path("new")), "the target is there");
    running.child.kill("SIGINT");
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toContain("CUTOVER_INTERRUPTED");
    const copied = await project.run("data", "copy", "leveldb:old", "lmdb:new");
    expect(copied.stdout).toContain("✔ equal  60,000 rows");
  }, 60_000);

  test("a backup that was interrupted leaves nothing behind", async () => {
    rows("leveldb:old", 0, 60_000, 400);
    const running = project.start(["data", "backup", "leveldb:old", "b"]);
    await until(
      () => readdirSync(project.dir).some((name) => name.startsWith("b.partial-")),
      "it is being written",
    );
    running.child.kill("SIGTERM");
    const stopped = await running.ended;
    expect(stopped.code).toBe(130);
    expect(readdirSync(project.dir).filter((name) => /^b|scratch/.test(name))).toEqual([]);
  }, 60_000);

  test("a copy that was killed goes on with the same command, and nothing is copied twice or left out", async () => {
    rows("leveldb:old", 0, 60_000, 400);
    const running = project.start(["data", "copy", "leveldb:old", "lmdb:new"]);
    await until(() => sizeOf("new") > 3_000_000, "rows are in the target");
    running.child.kill("SIGKILL");
    expect((await running.ended).code).toBe(null);
    const copied = await project.run("data", "copy", "leveldb:old", "lmdb:new");
    expect(copied.stdout).toContain("✔ equal  60,000 rows");
    expect(copied.code).toBe(0);
  }, 60_000);

  test("a backup that was killed is no backup, and is made whole by the same command", async () => {
    rows("leveldb:old", 0, 60_000, 400);
    const running = project.start(["data", "backup", "leveldb:old", "b"]);
    const partial = (): string | undefined =>
      readdirSync(project.dir).find((name) => name.startsWith("b.partial-"));
    await until(() => sizeOf(partial() ?? "none") > 1_000_000, "it is being written");
    running.child.kill("SIGKILL");
    expect((await running.ended).code).toBe(null);
    expect(existsSync(project.path("b"))).toBe(false);
    const left = partial() ?? "";
    const early = await project.run("data", "restore", left, "lmdb:new");
    expect(early).toMatchObject({ code: 2, stdout: "" });
    expect(existsSync(project.path("new"))).toBe(false);
    const made = await project.run("data", "backup", "leveldb:old", "b");
    expect(made.stdout).toMatch(/✔ proven {2}60,000 rows/);
    expect(made.stdout).toContain(`${left} is left over from an attempt that was killed: it can be removed`);
    expect(made.code).toBe(0);
  }, 60_000);

  test.each(["SIGINT", "SIGKILL"] as const)(
    "a restore that was ended by %s in the middle goes on with the same command",
    async (signal) => {
      rows("leveldb:old", 0, 60_000, 400);
      expect(await project.run("data", "backup", "leveldb:old", "b")).toMatchObject({ code: 0 });
      const running = project.start(["data", "restore", "b", "lmdb:again"]);
      await until(() => sizeOf("again") > 3_000_000, "rows come back");
      running.child.kill(signal);
      const { code, stderr } = await running.ended;
      expect(code).toBe(signal === "SIGINT" ? 130 : null);
      if (signal === "SIGINT") expect(stderr).toContain("CUTOVER_INTERRUPTED");
      const restored = await project.run("data", "restore", "b", "lmdb:again");
      expect(restored.stderr).toBe("");
      expect(restored.code).toBe(0);
      expect(await project.run("data", "diff", "leveldb:old", "lmdb:again")).toMatchObject({ code: 0 });
    },
    90_000,
  );

  test("a switch tells who is in charge, and a person turns it with a reason", async () => {
    project.write(
      "turn.mjs",
      `import { fileSwitch } from "cutover/data";
       await fileSwitch("side", { create: true, by: "migration orders" }).turn({ side: "new", epoch: 3 });`,
    );
    const missing = await project.run("data", "switch", "side");
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    expect(missing.stderr).toContain("CUTOVER_DATA_MISSING");
    execFileSync(process.execPath, ["turn.mjs"], { cwd: project.dir, timeout: 30_000 });
    const told = await project.run("data", "switch", "file:side");
    expect(told).toMatchObject({ code: 0, stderr: "" });
    expect(told.stdout).toMatch(
      /^new side is in charge, epoch 3\n {2}\S+Z {2}new, epoch 3 {2}migration orders\n$/,
    );

    const silent = await project.run("data", "switch", "side", "--turn", "old");
    expect(silent).toMatchObject({ code: 2 });
    expect(silent.stderr).toContain("expected a reason");
    expect((await project.run("data", "switch", "side", "--turn", "both", "--reason", "x")).code).toBe(2);
    const turned = await project.run(
      "data",
      "switch",
      "side",
      "--turn",
      "old",
      "--reason",
      "the disk is gone",
    );
    expect(turned).toMatchObject({ code: 0 });
    expect(turned.stdout).toMatch(/^old side is in charge, epoch 6\n[^]*: the disk is gone\n$/);
    const again = await project.run("data", "switch", "side", "--turn", "old", "--reason", "once more");
    expect(again.stdout).toContain("in charge already; nothing was turned");
    const { history } = await project.json<{ history: readonly object[] }>("data", "switch", "side");
    expect(history).toMatchObject([
      { side: "new", epoch: 3 },
      { side: "old", epoch: 6 },
    ]);
  }, 60_000);
});

describe("bad input to the commands of data", () => {
  test.each([
    [["data", "diff"], 2, "CUTOVER_CLI_USAGE", "old store"],
    [["data", "diff", "leveldb:a"], 2, "CUTOVER_CLI_USAGE", "new store"],
    [["data", "diff", "leveldb:old", "leveldb:old", "--dry-run"], 2, "CUTOVER_CLI_USAGE", "--repair"],
    [["data", "diff", "leveldb:old", "leveldb:old", "--limit", "0"], 2, "CUTOVER_CLI_USAGE", "--limit"],
    [["data", "copy", "leveldb:none", "lmdb:new"], 2, "CUTOVER_DATA_MISSING", "none"],
    [["data", "copy", "levelbd:old", "lmdb:new"], 2, "CUTOVER_DATA_ADDRESS", "leveldb"],
    [["data", "copy", "old", "lmdb:new"], 2, "CUTOVER_DATA_ADDRESS", "kind of store"],
    [["data", "copy", "leveldb:old", "backup:b"], 2, "CUTOVER_DATA_ADDRESS", "backup"],
    [
      ["data", "copy", "leveldb:old", "lmdb:new", "--collection", "users"],
      2,
      "CUTOVER_DATA_COLLECTION",
      "users",
    ],
    [["data", "digest", "leveldb:old", "--seed", "xyz"], 2, "CUTOVER_DATA_OPTIONS", "hexadecimal"],
    [["data", "restore", "old", "lmdb:new"], 2, "CUTOVER_DATA_MISSING", "manifest.json"],
    [["data", "restore", "nothing", "lmdb:new"], 2, "CUTOVER_DATA_MISSING", "no backup"],
    [["data", "backup", "leveldb:old", "lmdb:new"], 2, "CUTOVER_DATA_ADDRESS", "folder of a backup"],
    [["data", "restore", "lmdb:new", "leveldb:old"], 2, "CUTOVER_DATA_ADDRESS", "folder of a backup"],
    [["data", "diff", "leveldb:old", "backup:nothing"], 2, "CUTOVER_DATA_MISSING", "no backup"],
    [["data", "copies", "leveldb:old"], 2, "CUTOVER_CLI_UNKNOWN_COMMAND", "data copy"],
    [["data", "ls", "leveldb:old", "--all"], 2, "CUTOVER_CLI_USAGE", "--all"],
  ])(
    "%j ends with %i and %s, and makes nothing",
    async (args, code, name, word) => {
      rows("leveldb:old", 0, 10);
      const before = readdirSync(project.dir).toSorted();
      const { stderr, stdout, ...ended } = await project.run(...args);
      expect(stdout).toBe("");
      expect(stderr).toContain(name);
      expect(stderr.replaceAll(/\s+/g, " ")).toContain(word);
      expect(ended.code).toBe(code);
      expect(readdirSync(project.dir).toSorted()).toEqual(before);
    },
    30_000,
  );

  test("a target that holds rows and a folder that is not empty are refused and stay as they are", async () => {
    rows("leveldb:old", 0, 10);
    rows("lmdb:full", 0, 3);
    expect((await project.run("data", "copy", "leveldb:old", "lmdb:full")).stderr).toContain(
      "CUTOVER_DATA_NOT_EMPTY",
    );
    expect(await project.json("data", "digest", "lmdb:full")).toMatchObject({ rows: 3 });
    expect((await project.run("data", "backup", "leveldb:old", "full")).stderr).toContain(
      "CUTOVER_DATA_NOT_EMPTY",
    );
    expect(await project.run("data", "backup", "leveldb:old", "b")).toMatchObject({ code: 0 });
    expect((await project.run("data", "restore", "b", "lmdb:full")).stderr).toContain(
      "CUTOVER_DATA_NOT_EMPTY",
    );
    expect(await project.run("data", "restore", "b", "lmdb:full", "--replace")).toMatchObject({ code: 0 });
    expect(await project.json("data", "digest", "lmdb:full")).toMatchObject({ rows: 10 });
  }, 60_000);

  test("a dry run of backup and restore refuses what they would refuse, with the same words, and makes nothing", async () => {
    rows("leveldb:old", 0, 10);
    expect(await project.run("data", "backup", "leveldb:old", "b")).toMatchObject({ code: 0 });
    rows("lmdb:full", 0, 3);
    const before = readdirSync(project.dir).toSorted();
    for (const words of [
      ["backup", "leveldb:old", "fresh", "--scratch", "lmdb:full"],
      ["restore", "b", "lmdb:full"],
    ]) {
      const told = await project.run("data", ...words, "--dry-run");
      const refused = await project.run("data", ...words);
      expect([told.stderr, told.code]).toEqual([refused.stderr, refused.code]);
      expect(told.stderr).toContain("CUTOVER_DATA_NOT_EMPTY");
    }
    const may = await project.run("data", "restore", "b", "files:a/b", "--dry-run");
    expect(may).toMatchObject({ code: 0, stderr: "" });
    expect(may.stdout).toBe("the backup is whole: 10 rows → files:a/b (will be made; nothing was touched)\n");
    expect(readdirSync(project.dir).toSorted()).toEqual(before);
  }, 60_000);

  test("a copy that is refused while a large LevelDB is read ends with its error, and does not wait for ever", async () => {
    rows("leveldb:old", 0, 40_000, 200);
    long("leveldb:old");
    const { code, stderr } = await project.run("data", "copy", "leveldb:old", "lmdb:new");
    expect(stderr).toContain("CUTOVER_DATA_REFUSED");
    expect(stderr).not.toContain("unsettled");
    expect(code).toBe(4);
  }, 30_000);

  test("what is refused for its target leaves nothing there: no file, no folder, also not above it", async () => {
    rows("leveldb:old", 0, 10);
    expect(await project.run("data", "backup", "leveldb:old", "b")).toMatchObject({ code: 0 });
    const old = ["leveldb:old", "sqlite:new/none.db"] as const;
    const before = readdirSync(project.dir).toSorted();
    for (const [words, refusal] of [
      [["copy", ...old], "CUTOVER_DATA_COLLECTION"],
      [["copy", ...old, "--dry-run"], "CUTOVER_DATA_COLLECTION"],
      [["restore", "b", "sqlite:new/none.db"], "CUTOVER_DATA_COLLECTION"],
    ] as const) {
      const { code, stderr } = await project.run("data", ...words);
      expect([words, stderr]).toEqual([words, expect.stringContaining(refusal)]);
      expect(code).toBe(2);
      expect(readdirSync(project.dir).toSorted()).toEqual(before);
    }
  }, 60_000);

  test("a place that cannot be written to is said, and the source is untouched", async () => {
    rows("leveldb:old", 0, 10);
    const { code, stderr } = await project.run("data", "backup", "leveldb:old", "/proc/nothing/b");
    expect([2, 6]).toContain(code);
    expect(stderr).toMatch(/CUTOVER_DATA_(DENIED|NOT_EMPTY|MISSING)/);
    expect(await project.json("data", "digest", "leveldb:old")).toMatchObject({ rows: 10 });
  }, 30_000);
});
