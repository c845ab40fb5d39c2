import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engineFaultPoints } from "../../src/engine/index.ts";
import { storeFaultPoints } from "../../src/store/index.ts";
import type { Ending } from "./crossing.ts";
import { brokenInvariants } from "./invariants.ts";
import { inLanes, runNode } from "./processes.ts";

const walk = join(import.meta.dirname, "walk.ts");

/** Where each ending leads when nobody kills anything. */
const endings: Readonly<Record<Ending, string>> = {
  through: "COMPLETED",
  soaks: "COMPLETED",
  fails: "ROLLED_BACK",
  trigger: "ROLLED_BACK",
  slows: "COMPLETED",
  stuck: "ROLLBACK_STUCK",
  unknown: "COMPLETED",
  redefined: "COMPLETED",
};

/**
 * Not a moment of a crossing that one process carries: the schema is written before there is one, a rebuild is asked
 * for by hand, and decisions are handed over through the record only where processes share a store; src/engine/crash.test.ts
 * kills there.
 */
const elsewhere = [
  "store.schema.before-commit",
  "store.rebuild.before-commit",
  "engine.decision.before-act",
  "engine.decision.after-act",
];

interface Report {
  readonly state: string;
  readonly passed: Readonly<Record<string, number>>;
}

async function go(
  dir: string,
  ending: Ending,
  way: "go" | "back",
  deadly = "-",
  hit = 1,
): Promise<Report | "killed"> {
  const ended = await runNode("--conditions=cutover-source", [walk, dir, ending, way, deadly, String(hit)]);
  if (ended.signal === "SIGKILL") return "killed";
  if (ended.code !== 0)
    throw new Error(`${ending} ${way} ${deadly}: exit ${ended.code} ${ended.signal}\n${ended.stderr}`);
  return JSON.parse(ended.stdout) as Report;
}

/** A folder in which the ending's own prelude (a run that was killed in its last step) has happened. */
async function prepared(ending: Ending): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-crash-"));
  if (ending === "unknown" || ending === "redefined") expect(await go(dir, ending, "go")).toBe("killed");
  return dir;
}

async function inFolder<T>(ending: Ending, use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await prepared(ending);
  try {
    return await use(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Kills at the point, recovers one way, and answers with everything that is wrong afterwards. */
function killedAt(
  ending: Ending,
  point: string,
  hit: number,
  way: "go" | "back",
): Promise<readonly string[]> {
  return inFolder(ending, async (dir) => {
    const where = `${ending} killed at ${point} (hit ${hit}), then ${way}`;
    if ((await go(dir, ending, "go", point, hit)) !== "killed")
      return [`${where}: the point was not reached`];
    const recovered = await go(dir, ending, way);
    if (recovered === "killed") return [`${where}: recovery was killed`];
    const wanted = way === "go" || endings[ending] !== "COMPLETED" ? endings[ending] : "ROLLED_BACK";
    // The run may have been over already when it was killed.
    const fine = recovered.state === wanted || (recovered.state === "COMPLETED" && wanted === "ROLLED_BACK");
    const wrong = fine ? [] : [`ended ${recovered.state}, expected ${wanted}`];
    if (recovered.state !== "ROLLBACK_STUCK") wrong.push(...(await brokenInvariants(dir, recovered.state)));
    return wrong.map((text) => `${where}: ${text}`);
  }).catch((error: unknown) => [`${ending} killed at ${point} (hit ${hit}), then ${way}: ${String(error)}`]);
}

describe("a crossing that is killed", async () => {
  const passed = new Map<Ending, Report>();
  await inLanes(
    (Object.keys(endings) as Ending[]).map((ending) => async () => {
      const report = await inFolder(ending, (dir) => go(dir, ending, "go"));
      if (report !== "killed") passed.set(ending, report);
    }),
  );

  test.each(Object.entries(endings))("ends as it should when nobody kills it: %s → %s", (ending, state) => {
    expect(passed.get(ending as Ending)?.state).toBe(state);
  });

  test("passes every fault point of run machine and store, more than forty", () => {
    const reached = new Set([...passed.values()].flatMap((report) => Object.keys(report.passed)));
    const missed = [...engineFaultPoints, ...storeFaultPoints].filter(
      (point) => !reached.has(point) && !elsewhere.includes(point),
    );
    expect(missed).toEqual([]);
    expect(engineFaultPoints.length + storeFaultPoints.length).toBeGreaterThan(40);
  });

  /** Points worth a kill in an ending: all that no ending before it has passed, and all of the way back. */
  const worthKilling = (ending: Ending): readonly (readonly [point: string, hits: number])[] => {
    const order = Object.keys(endings) as Ending[];
    const before = new Set(
      order
        .slice(0, order.indexOf(ending))
        .flatMap((earlier) => Object.keys(passed.get(earlier)?.passed ?? {})),
    );
    return Object.entries(passed.get(ending)?.passed ?? {}).filter(
      ([point]) => !elsewhere.includes(point) && (!before.has(point) || ending === "fails"),
    );
  };

  test.each(Object.keys(endings) as Ending[])(
    "at any fault point of the ending “%s” goes on to its end, or back, with every invariant whole",
    async (ending) => {
      const points = worthKilling(ending);
      expect(points.length).toBeGreaterThan(0);
      const jobs = points.flatMap(([point, hits]) => {
        // The last time it is passed: at the end of a rollback that is under way, or with everything done.
        // Where it is passed dozens of times, looks of triggers on a real clock make the count differ a little.
        const last = () => killedAt(ending, point, hits > 10 ? Math.floor(hits * 0.8) : hits, "go");
        if (ending === "fails") return [last];
        const back = () => killedAt(ending, point, Math.ceil(hits / 2), "back");
        return [() => killedAt(ending, point, 1, "go"), back, ...(hits > 1 ? [last] : [])];
      });
      expect((await inLanes(jobs)).flat()).toEqual([]);
    },
    600_000,
  );
});
