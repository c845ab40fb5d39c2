import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSwitch, openLmdb } from "../../src/data/index.ts";

interface Running {
  readonly child: ChildProcess;
  readonly lines: () => readonly string[];
  /** Signal or exit code, and what it said on stderr. */
  readonly ended: Promise<readonly [string | number | null, string]>;
}

let started = 0;

/** What it says goes into files: whoever tells each write would fill a pipe while this process does something else. */
function start(folder: string, script: string, ...parameters: readonly (string | number)[]): Running {
  const [out, trouble] = ["out", "trouble"].map((kind) => join(folder, `${++started}.${kind}`)) as [
    string,
    string,
  ];
  const files = [openSync(out, "w"), openSync(trouble, "w")] as const;
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, script), folder, ...parameters.map(String)],
    { timeout: 170_000, stdio: ["ignore", ...files] },
  );
  for (const file of files) closeSync(file);
  const ended = new Promise<readonly [string | number | null, string]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve([signal ?? code, readFileSync(trouble, "utf8")]));
  });
  // The last line of a killed process may be cut.
  const lines = (): readonly string[] => readFileSync(out, "utf8").split("\n").slice(0, -1);
  return { child, lines, ended };
}

/** The largest number told with this word for each key. */
function largest(lines: readonly string[], word: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of lines) {
    const [, key, value] = new RegExp(`^${word} (\\S+) (\\d+)$`).exec(line) ?? [];
    if (key !== undefined) found.set(key, Math.max(found.get(key) ?? 0, Number(value)));
  }
  return found;
}

const points = [
  "fenced-there",
  "fenced-here",
  "carried",
  "data.switch.before-link",
  "data.switch.linked",
  "data.switch.turned",
  "before-lift",
  "lifted",
];

test.each([
  ["fenced-there", "fenced-here", "carried", "data.switch.before-link"],
  ["data.switch.linked", "data.switch.turned", "before-lift", "lifted"],
])(
  "applications go on and lose nothing when the migration is killed at %s, %s, %s and %s, and when they are killed themselves",
  async (...fatal) => {
    expect(points).toEqual(expect.arrayContaining(fatal));
    const folder = mkdtempSync(join(tmpdir(), "cutover-crossing-"));
    const running: Running[] = [];
    const run = (script: string, ...call: readonly (string | number)[]): Running => {
      const one = start(folder, script, ...call);
      running.push(one);
      return one;
    };
    try {
      const play = async (...call: readonly (string | number)[]): Promise<string | number | null> => {
        const [how, trouble] = await run("player.ts", ...call).ended;
        expect(trouble).toBe("");
        return how;
      };
      expect(await play(1)).toBe(0);
      const writes = 1_000_000;
      const steady = run("application.ts", "steady", writes);
      let frail = run("application.ts", "frail", writes);
      const frailLines: string[] = [];
      for (const [index, point] of fatal.entries()) {
        expect(await play(8, point, 2)).toBe("SIGKILL");
        // An application dies as well, where its writes may be waiting.
        if (index % 2 === 0) frail.child.kill("SIGKILL");
        if (index % 2 !== 0) continue;
        expect(await frail.ended).toEqual(["SIGKILL", ""]);
        const told = largest([...frailLines, ...frail.lines()], "told");
        frailLines.push(...frail.lines());
        frail = run("application.ts", "frail", writes);
        // What was told to be written is found by the next one.
        while (largest(frail.lines(), "found").size < 3 && frail.child.exitCode === null)
          await new Promise((resolve) => setTimeout(resolve, 50));
        const found = largest(frail.lines(), "found");
        for (const [key, value] of told) expect([key, (found.get(key) ?? -1) >= value]).toEqual([key, true]);
      }
      expect(await play(6)).toBe(0);
      for (const { child, lines } of [steady, frail])
        expect([child.exitCode, lines().filter((line) => line.startsWith("wrong"))]).toEqual([null, []]);
      const before = largest(steady.lines(), "told");
      // Both still write.
      while ([...largest(steady.lines(), "told")].every(([key, value]) => before.get(key) === value))
        await new Promise((resolve) => setTimeout(resolve, 50));
      for (const { child } of [steady, frail]) child.kill("SIGKILL");
      for (const ended of await Promise.all([steady.ended, frail.ended]))
        expect(ended).toEqual(["SIGKILL", ""]);
      const lines = [...steady.lines(), ...frailLines, ...frail.lines()];
      expect(lines.filter((line) => line.startsWith("wrong"))).toEqual([]);
      const { side } = await fileSwitch(join(folder, "switch")).read();
      await using store = await openLmdb(join(folder, side));
      const told = largest(lines, "told");
      const asked = largest(lines, "asked");
      expect(told.size).toBe(6);
      for (const [key, value] of told) {
        const [found] = await store.get("", [Buffer.from(key)]);
        const there = Number(Buffer.from(found ?? "0").toString());
        expect([key, there >= value, there <= (asked.get(key) ?? 0)]).toEqual([key, true, true]);
      }
    } finally {
      for (const { child } of running) child.kill("SIGKILL");
      await Promise.all(running.map(({ ended }) => ended));
      rmSync(folder, { recursive: true, force: true });
    }
  },
  180_000,
);
