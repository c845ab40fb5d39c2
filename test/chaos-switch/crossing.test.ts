import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
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

/** What LMDB says when it gives up a transaction after another process was killed; nothing of it is kept. */
const givenUp = /MDB_BAD_TXN/;

function start(script: string, ...parameters: readonly (string | number)[]): Running {
  const child = spawn(process.execPath, [join(import.meta.dirname, script), ...parameters.map(String)], {
    timeout: 170_000,
  });
  let out = "";
  let trouble = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (trouble += part.toString()));
  const ended = new Promise<readonly [string | number | null, string]>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve([signal ?? code, givenUp.test(trouble) ? "given up" : trouble]),
    );
  });
  // The last line of a killed process may be cut.
  const lines = (): readonly string[] => out.split("\n").slice(0, -1);
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
    const run = (...call: Parameters<typeof start>): Running => {
      const started = start(...call);
      running.push(started);
      return started;
    };
    try {
      /** A migration that LMDB gave up is one more that died: it is begun again, as a person would. */
      const play = async (...call: readonly (string | number)[]): Promise<string | number | null> => {
        for (let tries = 1; ; tries++) {
          const [how, trouble] = await run("player.ts", folder, ...call).ended;
          if (how === 1 && trouble === "given up" && tries < 5) continue;
          expect(["", "given up"]).toContain(trouble);
          return how;
        }
      };
      expect(await play(1)).toBe(0);
      const writes = 1_000_000;
      const steady = run("application.ts", folder, "steady", writes);
      let frail = run("application.ts", folder, "frail", writes);
      const frailLines: string[] = [];
      for (const [index, point] of fatal.entries()) {
        expect(await play(8, point, 2)).toBe("SIGKILL");
        // An application dies as well, where its writes may be waiting.
        if (index % 2 === 0) frail.child.kill("SIGKILL");
        if (index % 2 !== 0) continue;
        expect((await frail.ended)[0]).toBe("SIGKILL");
        const told = largest([...frailLines, ...frail.lines()], "told");
        frailLines.push(...frail.lines());
        frail = run("application.ts", folder, "frail", writes);
        // What was told to be written is found by the next one.
        while (largest(frail.lines(), "found").size < 3 && frail.child.exitCode === null)
          await new Promise((resolve) => setTimeout(resolve, 10));
        const found = largest(frail.lines(), "found");
        for (const [key, value] of told) expect([key, (found.get(key) ?? -1) >= value]).toEqual([key, true]);
      }
      expect(await play(6)).toBe(0);
      for (const { child } of [steady, frail]) expect(child.exitCode).toBe(null);
      const before = largest(steady.lines(), "told");
      // Both still write.
      while ([...largest(steady.lines(), "told")].every(([key, value]) => before.get(key) === value))
        await new Promise((resolve) => setTimeout(resolve, 10));
      for (const { child } of [steady, frail]) child.kill("SIGKILL");
      for (const [how, trouble] of await Promise.all([steady.ended, frail.ended])) {
        expect(how).toBe("SIGKILL");
        expect(["", "given up"]).toContain(trouble);
      }
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
