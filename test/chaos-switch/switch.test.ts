import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fileSwitch, type Standing } from "../../src/data/index.ts";

interface Told {
  readonly before: Standing;
  readonly to: Standing;
  readonly outcome: "done" | "refused";
  readonly after: Standing;
}

interface Ended {
  readonly how: string | number | null;
  readonly told: readonly Told[];
  readonly trouble: string;
}

function turner(folder: string, seed: number, turns: number, fault: readonly string[] = []): Promise<Ended> {
  const script = join(import.meta.dirname, "turner.ts");
  const child = spawn(process.execPath, [script, folder, String(seed), String(turns), ...fault], {
    timeout: 60_000,
  });
  let out = "";
  let trouble = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (trouble += part.toString()));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const told = out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Told);
      resolve({ how: signal ?? code, told, trouble });
    });
  });
}

const text = ({ side, epoch }: Standing): string => `${epoch} ${side}`;

/** One history, and everything that was told agrees with it. */
async function agrees(folder: string, ended: readonly Ended[]): Promise<readonly Standing[]> {
  const history = await fileSwitch(folder).history();
  const epochs = history.map(({ epoch }) => epoch);
  expect(epochs).toEqual([...new Set(epochs)].toSorted((a, b) => a - b));
  const decided = new Set(["0 old", ...history.map(text)]);
  const all = ended.flatMap(({ told }) => told);
  for (const { before, to, outcome, after } of all) {
    expect(decided).toContain(text(before));
    expect(decided).toContain(text(after));
    expect(after.epoch).toBeGreaterThanOrEqual(before.epoch);
    if (outcome === "done") expect(decided).toContain(text(to));
    if (outcome === "refused") expect(after.epoch).toBeGreaterThanOrEqual(to.epoch);
  }
  const done = new Set(all.filter(({ outcome }) => outcome === "done").map(({ to }) => text(to)));
  // What was decided and told by nobody was decided by a process that died before it could.
  const killed = ended.filter(({ how }) => how === "SIGKILL").length;
  expect(history.filter((decision) => !done.has(text(decision))).length).toBeLessThanOrEqual(killed);
  return history;
}

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-switch-"));
  try {
    await body(join(folder, "switch"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test(
  "of four processes that turn one switch at random, each epoch is decided by exactly one",
  () =>
    withFolder(async (folder) => {
      const ended = await Promise.all([1, 2, 3, 4].map((seed) => turner(folder, seed, 60)));
      expect(ended.map(({ how, trouble }) => [how, trouble])).toEqual(ended.map(() => [0, ""]));
      const history = await agrees(folder, ended);
      expect(history.length).toBeGreaterThan(20);
      expect(ended.flatMap(({ told }) => told).some(({ outcome }) => outcome === "refused")).toBe(true);
      expect(readdirSync(folder).length).toBe(history.length);
    }),
  90_000,
);

test.each(["data.switch.before-link", "data.switch.linked", "data.switch.turned"])(
  "processes killed at %s leave one history, which the others go on with",
  (point) =>
    withFolder(async (folder) => {
      const ended = await Promise.all([
        turner(folder, 11, 30, [point, "3"]),
        turner(folder, 12, 30, [point, "1"]),
        turner(folder, 13, 30),
      ]);
      expect(ended.map(({ how, trouble }) => [how, trouble])).toEqual([
        ["SIGKILL", ""],
        ["SIGKILL", ""],
        [0, ""],
      ]);
      await agrees(folder, ended);
      // A decision that was given its name holds, whether or not its author lived to tell.
      const after = await turner(folder, 14, 5);
      expect([after.how, after.trouble]).toEqual([0, ""]);
      await agrees(folder, [...ended, after]);
    }),
  90_000,
);
