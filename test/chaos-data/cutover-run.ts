import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileSwitch } from "../../src/data/index.ts";
import { dataFaultPoints } from "../../src/data/fault-points.ts";
import { type CrossingStage, openPair, type PairName, writesOf } from "./cutover-sides.ts";
import { isPostgres, type PostgresLane } from "./postgres-pair.ts";

/** Where a process of a run is killed: at which fault point of which stage, the how manieth time that it comes there. */
export interface Kill {
  readonly stage: CrossingStage;
  readonly point: string;
  readonly hit: number;
}

/** Fault points that a crossing comes to. */
export const crossingPoints: readonly string[] = dataFaultPoints.filter((point) =>
  /^data\.(cutover|move|switch|target)\./.test(point),
);

interface Ended {
  readonly how: number | string;
  readonly out: string;
  readonly err: string;
}

function child(folder: string, args: readonly string[]): Promise<Ended> {
  const program = join(import.meta.dirname, "cutover-process.ts");
  const made = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, folder, ...args], {
    timeout: 300_000,
  });
  let [out, err] = ["", ""];
  made.stdout.on("data", (part) => (out += String(part)));
  made.stderr.on("data", (part) => (err += String(part)));
  return new Promise((resolve, reject) => {
    made.on("error", reject);
    made.on("close", (code, signal) => resolve({ how: signal ?? code ?? "nothing", out: out.trim(), err }));
  });
}

/** Rows after so many writes. */
function expected(writes: number): Record<string, string> {
  const rows: Record<string, string> = {};
  for (let n = 0; n < writes; n++)
    for (const [key, value] of writesOf(n))
      if (value === null) delete rows[key];
      else rows[key] = value;
  return rows;
}

const sorted = (rows: Record<string, string>): string =>
  JSON.stringify(Object.entries(rows).toSorted(([a], [b]) => (a < b ? -1 : 1)));

export interface Outcome {
  /** What is wrong in the end; undefined when nothing is. */
  readonly wrong: string | undefined;
  /** Kills that came about. */
  readonly killed: readonly Kill[];
}

/**
 * An application whose data crosses, comes back and crosses again, killed and started again.
 * @param lane for pairs of PostgreSQL
 */
export async function runOnce(pair: PairName, kills: readonly Kill[], lane?: PostgresLane): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-chaos-crossing-"));
  const killed: Kill[] = [];
  try {
    if (isPostgres(pair)) await lane?.prepare(pair, folder);
    let fence = 0;
    let last: Ended | undefined;
    for (const kill of [...kills, undefined]) {
      const args = [
        pair,
        String(++fence),
        ...(kill === undefined ? [] : [kill.stage, kill.point, String(kill.hit)]),
      ];
      last = await child(folder, args);
      if (last.how === "SIGKILL" && kill !== undefined) killed.push(kill);
      else if (last.how !== 0) return { wrong: `ended with ${last.how}: ${last.err}`, killed };
    }
    const writes = Number(last?.out.split("\n").at(-1));
    await using sides = await openPair(pair, folder);
    const wanted = sorted(expected(writes));
    const { side } = await fileSwitch(`${folder}/switch`).read();
    if (side !== "new") return { wrong: `the ${side} side is in charge`, killed };
    for (const each of ["new", "old"] as const) {
      const found = sorted(await sides.rows(each));
      if (found !== wanted)
        return {
          wrong: `the ${each} side is not as ${writes} writes make it: ${found.slice(0, 200)} instead of ${wanted.slice(0, 200)}`,
          killed,
        };
    }
    return { wrong: undefined, killed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
