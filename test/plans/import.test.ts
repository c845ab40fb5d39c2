import { spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Inventory } from "../../src/document/index.ts";

const root = resolve(import.meta.dirname, "../..");
const main = join(root, "src/cli/main.ts");

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "cutover-import-"));
  mkdirSync(join(dir, "node_modules"));
  symlinkSync(root, join(dir, "node_modules/cutover"));
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(dir, "PLAN.md"), plan);
});
afterEach(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));

/** Runs `cutover …` from its sources, as a process of its own, in the folder of the test. */
function cutover(args: readonly string[], input = ""): Promise<Ended> {
  const child = spawn(process.execPath, ["--conditions=cutover-source", main, ...args], {
    cwd: dir,
    env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" },
    stdio: ["pipe", "pipe", "pipe"],
    timeout: 25_000,
    killSignal: "SIGKILL",
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += String(chunk)));
  child.stderr.on("data", (chunk) => (stderr += String(chunk)));
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return new Promise((settle, reject) => {
    child.on("error", reject);
    child.on("close", (code) => settle({ code, stdout, stderr }));
  });
}

/** Runs a migration until it says so, then ends it as Ctrl-C does: a run that holds waits for people. */
function runUntil(says: RegExp): Promise<string> {
  const child = spawn(process.execPath, ["--conditions=cutover-source", main, "run", "crossing.ts"], {
    cwd: dir,
    env: { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 25_000,
    killSignal: "SIGKILL",
  });
  let said = "";
  const hear = (chunk: unknown): void => {
    said += String(chunk);
    if (says.test(said)) child.kill("SIGINT");
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  return new Promise((settle, reject) => {
    child.on("error", reject);
    child.on("close", () => settle(said));
  });
}

const read = (name: string): string => readFileSync(join(dir, name), "utf8");
const answer = async <T>(...args: readonly string[]): Promise<T> =>
  JSON.parse((await cutover([...args, "--json"])).stdout) as T;

const plan = `# Move the orders

## Phase 1: Copy

1. Deploy the copier

**Verification**:
- [x] All unit tests pass
- [ ] No row is lost

## Phase 2: Switch

1. Switch over

**Verification**:
- [ ] Users notice nothing

| Metric | Threshold | Action if Exceeded |
|---|---|---|
| Error rate | > 1% | Pause rollout |
`;

describe("cutover import", () => {
  test("writes a definition that is whole, is drawn, and holds at the first claim without proof", async () => {
    const imported = await cutover(["import", "PLAN.md"]);
    expect(imported).toMatchObject({ code: 0, stderr: "" });
    expect(imported.stdout).toContain("Move the orders");
    expect(imported.stdout).toContain("2 phases");
    expect(imported.stdout).toContain("crossing.ts written");
    expect(imported.stdout).toContain("npx cutover plan crossing.ts");
    expect((await cutover(["check"])).code).toBe(0);
    expect((await cutover(["plan"])).stdout).toContain("without proof");
    expect(await runUntil(/not proven/)).toContain("not proven (PLAN.md:5)");
  });

  test("says as JSON what was read, written and left", async () => {
    const said = await answer<{
      written: boolean;
      counts: Record<string, number>;
      lines: { placedPercent: number };
      inventory: Inventory;
      out: string;
    }>("import", "PLAN.md", "--out", "sub/orders.crossing.ts");
    expect(said).toMatchObject({
      written: true,
      counts: { phases: 2, checks: 3, triggers: 1 },
      lines: { placedPercent: 100 },
    });
    expect(said.inventory.phases.map(({ name }) => name)).toEqual(["copy", "switch"]);
    expect(read("sub/orders.crossing.ts")).toContain('from: "../PLAN.md:5"');
  });

  test("reads the standard input, and writes nothing with --dry-run", async () => {
    const shown = await cutover(["import", "-", "--dry-run"], plan);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toContain('unproven("No row is lost"');
    expect(shown.stdout).toContain("nothing was written");
    expect(existsSync(join(dir, "crossing.ts"))).toBe(false);
    expect((await cutover(["import", "-"], plan)).code).toBe(0);
    expect(read("crossing.ts")).toContain('from: "stdin.md:5"');
  });

  test("touches no file it did not write without --force", async () => {
    writeFileSync(join(dir, "crossing.ts"), "export default 1;\n");
    const refused = await cutover(["import", "PLAN.md"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("CUTOVER_FILE_EXISTS");
    expect(read("crossing.ts")).toBe("export default 1;\n");
    expect((await cutover(["import", "PLAN.md", "--force"])).code).toBe(0);
    expect(read("crossing.ts")).toContain("defineMigration");
  });

  test("brings a changed plan into the definition, and keeps what was bound until it is pruned", async () => {
    await cutover(["import", "PLAN.md"]);
    await cutover(["bind", "crossing.ts", "No row is lost", "--command", "node check.js"]);
    writeFileSync(join(dir, "PLAN.md"), plan.replace("- [ ] No row is lost\n", "- [ ] The copier is fast\n"));
    const again = await cutover(["import", "PLAN.md"]);
    expect(again.code).toBe(0);
    expect(again.stdout).toContain("+ The copier is fast");
    expect(again.stdout).toContain("kept as people made it");
    expect(again.stdout).toContain("- No row is lost");
    expect(read("crossing.ts")).toContain('commandGate("No row is lost"');
    expect((await cutover(["check"])).code).toBe(0);
    const { changes } = await answer<{
      changes: readonly { kind: string; claim: string; outcome: string }[];
    }>("import", "PLAN.md", "--prune");
    expect(changes).toMatchObject([{ kind: "removed", claim: "No row is lost", outcome: "done" }]);
    expect(read("crossing.ts")).not.toContain("No row is lost");
    expect((await cutover(["import", "PLAN.md"])).stdout).toContain("crossing.ts as it was");
  });

  test("leaves a file as it was where the plan's changes would not load with it", async () => {
    await cutover(["import", "PLAN.md"]);
    const own = read("crossing.ts").replace(
      'step("switch-over"',
      'step("watch", unproven("mine")),\n        step("switch-over"',
    );
    writeFileSync(join(dir, "crossing.ts"), own);
    writeFileSync(join(dir, "PLAN.md"), plan.replace("1. Switch over", "1. Switch over\n2. Watch"));
    expect((await cutover(["import", "PLAN.md"])).code).toBe(0); // Same name: it is that step already.
    writeFileSync(
      join(dir, "crossing.ts"),
      own.replace("const migration", 'throw new Error("mine");\nconst migration'),
    );
    writeFileSync(join(dir, "PLAN.md"), plan.replace("1. Switch over", "1. Switch over\n2. Wave"));
    const before = read("crossing.ts");
    const refused = await cutover(["import", "PLAN.md"]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain("it was left as it was");
    expect(read("crossing.ts")).toBe(before);
    expect(readdirSync(dir).filter((name) => name.startsWith(".crossing"))).toEqual([]);
  });

  test.each([
    [["import"], "CUTOVER_CLI_USAGE"],
    [["import", "missing.md"], "CUTOVER_DOCUMENT_UNREADABLE"],
    [["import", "."], "CUTOVER_DOCUMENT_UNREADABLE"],
    [["import", "binary.md"], "CUTOVER_DOCUMENT"],
    [["import", "empty.md"], "CUTOVER_DOCUMENT_EMPTY"],
    [["import", "PLAN.md", "--out", "crossing.txt"], "CUTOVER_CLI_USAGE"],
    [["import", "PLAN.md", "--force", "--prune"], "CUTOVER_CLI_USAGE"],
    [["import", "PLAN.md", "--merge"], "CUTOVER_CLI_USAGE"],
  ])("refuses %j with %s and writes nothing", async (args, code) => {
    writeFileSync(join(dir, "binary.md"), Buffer.from([0, 1, 2, 255, 254, 0, 0, 7]));
    writeFileSync(join(dir, "empty.md"), "\n \n");
    const refused = await cutover(args);
    expect(refused.stderr).toContain(code);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toBe("");
    expect(readdirSync(dir).toSorted()).toEqual([
      "PLAN.md",
      "binary.md",
      "empty.md",
      "node_modules",
      "package.json",
    ]);
  });
});

describe("cutover bind", () => {
  test("puts evidence in the place of claims, and the run goes on to the next one", async () => {
    await cutover(["import", "PLAN.md"]);
    writeFileSync(
      join(dir, "proofs.ts"),
      "export const rows = () => ({ ok: true, note: '22 rows on both sides' });\n",
    );
    const bound = await cutover(["bind", "crossing.ts", "Deploy the copier", "--command", "test -e PLAN.md"]);
    expect(bound).toMatchObject({ code: 0, stderr: "" });
    expect(bound.stdout).toMatch(/\+ .*command\("deploy-the-copier"/);
    await cutover(["bind", "crossing.ts", "PLAN.md:9", "--data", "proofs.ts#rows"]);
    const said = await answer<{ written: boolean; claim: { role: string }; unproven: number }>(
      "bind",
      "crossing.ts",
      "all unit tests pass",
      "--command",
      "test 1 = 1",
    );
    expect(said).toMatchObject({ written: true, claim: { role: "gate", from: "PLAN.md:8" }, unproven: 2 });
    const run = await runUntil(/not proven/);
    expect(run).toContain("not proven (PLAN.md:13)");
    expect(run).toContain("copy sealed");
  });

  test("shows with --dry-run what would change, and changes nothing", async () => {
    await cutover(["import", "PLAN.md"]);
    const before = read("crossing.ts");
    const shown = await cutover([
      "bind",
      "crossing.ts",
      "Users notice nothing",
      "--metric",
      "rate.error().below(0.001)",
      "--dry-run",
    ]);
    expect(shown.stdout).toContain("rate.error().below(0.001)");
    expect(shown.stdout).toContain("nothing was written");
    expect(read("crossing.ts")).toBe(before);
  });

  test.each([
    ["no evidence", ["Users notice nothing"], "expected one of --command"],
    [
      "two sorts of it",
      ["Users notice nothing", "--command", "a", "--approval", "1"],
      "--command and --approval",
    ],
    ["a claim that is not there", ["Nobody notices", "--command", "a"], "CUTOVER_CLAIM_UNKNOWN"],
    [
      "a measure that does not exist",
      ["Users notice nothing", "--metric", "speed().below(1)"],
      "CUTOVER_BIND_INVALID",
    ],
    [
      "a limit that no evidence could meet",
      ["Users notice nothing", "--metric", "rate.error().below(7)"],
      "the file would not load any more",
    ],
    [
      "a method that does not exist",
      ["Users notice nothing", "--metric", "rate.error().beneath(0.1)"],
      "the file would not load any more",
    ],
    [
      "a module that is not there",
      ["Users notice nothing", "--data", "nothing.ts#rows"],
      "found no such file",
    ],
    [
      "a module without that function",
      ["Users notice nothing", "--data", "proofs.ts#columns"],
      "found no such export",
    ],
    ["a module without a name", ["Users notice nothing", "--data", "proofs.ts"], "name of a function"],
    ["nobody", ["Users notice nothing", "--approval", "0"], "a number of people"],
  ])("refuses %s, and leaves the file as it was", async (_, args, says) => {
    await cutover(["import", "PLAN.md"]);
    writeFileSync(join(dir, "proofs.ts"), "export const rows = () => true;\n");
    const before = read("crossing.ts");
    const refused = await cutover(["bind", "crossing.ts", ...args]);
    expect(refused.code).toBe(2);
    expect(refused.stderr.replaceAll(/\s+/g, " ")).toContain(says);
    expect(read("crossing.ts")).toBe(before);
    expect(readdirSync(dir).filter((name) => name.startsWith(".crossing"))).toEqual([]);
  });
});

const seeds = join(import.meta.dirname, "../../../shared/seeds");

describe.skipIf(!existsSync(seeds))("the five plans (skipped where their folder is absent)", () => {
  const plans = existsSync(seeds) ? readdirSync(seeds).filter((name) => name.endsWith(".txt")) : [];
  test.each(plans)(
    "%s is imported, type-checks strictly, passes the check, and a run holds at its first claim",
    async (name) => {
      writeFileSync(join(dir, "PLAN.md"), readFileSync(join(seeds, name)));
      expect((await cutover(["import", "PLAN.md"])).code).toBe(0);
      expect((await cutover(["check"])).code).toBe(0);
      expect((await cutover(["plan"])).code).toBe(0);
      expect(await runUntil(/not proven|waits for a person to read/)).toMatch(/holding|waits|begins/);
      const config = {
        extends: join(root, "tsconfig.json"),
        compilerOptions: { typeRoots: [join(root, "node_modules/@types")], paths: {} },
        include: ["*.ts"],
        exclude: [],
      };
      writeFileSync(join(dir, "tsconfig.json"), JSON.stringify(config));
      const types = await new Promise<Ended>((settle, reject) => {
        const child = spawn(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", dir], {
          cwd: dir,
          timeout: 60_000,
        });
        let stdout = "";
        child.stdout.on("data", (chunk) => (stdout += String(chunk)));
        child.on("error", reject);
        child.on("close", (code) => settle({ code, stdout, stderr: "" }));
      });
      // Of the definition alone: the sources of the package are held to the same rules by its own check.
      expect(types.stdout.split("\n").filter((line) => line.startsWith("crossing.ts"))).toEqual([]);
    },
    90_000,
  );
});
