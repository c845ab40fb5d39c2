/**
 * How long a side that fails every call goes on answering, and how often a healthy one is wronged. An application in a
 * process of its own calls a route 200 times a second; this process owns the crossing with the engine's defaults.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Session, openSession } from "../src/cli/session.ts";
import { packageVersion } from "../src/cli/version.ts";
import { type Interval, silentLog, systemClock } from "../src/core/index.ts";
import { createJudge } from "../src/gates/index.ts";
import { defineMigration, type Migration, phase, rate, sleep, step, when } from "../src/index.ts";
import { ramp } from "../src/rollout/index.ts";
import { createRandom } from "./gates/random.ts";
import { benchOptions } from "./measure/options.ts";
import { spread } from "./measure/rounds.ts";
import { printReach, printTable } from "./measure/table.ts";

const callsPerSecond = 200;
const baseErrors = 0.01;
const trials = 10;
const shares = [5, 10, 50] as const;
const healthyRoutes = 100;
const healthySeconds = 60;

interface Told {
  readonly route: string;
  readonly firstBad: number;
  readonly lastNew: number;
}

export async function run(): Promise<void> {
  benchOptions({});
  const times = new Map<number, number[]>();
  for (const share of shares) {
    const found: number[] = [];
    for (let trial = 0; trial < trials; trial++) found.push(await timeToRollback(share));
    times.set(share, found);
  }
  const alive = await falseAlarmsAlive();
  const simulated = simulateHealthy(1_000);

  console.log(
    `first bad answer → last call tried on the new side; ${callsPerSecond} calls/s, old side fails 1 %\n`,
  );
  printTable(
    ["share", "trials", "fastest", "median", "quartiles", "slowest"],
    shares.map((share) => {
      const all = times.get(share) ?? [];
      const { median, low, high } = spread(all);
      const [fastest, slowest] = [Math.min(...all), Math.max(...all)];
      return [
        `${share} %`,
        `${all.length}`,
        ms(fastest),
        ms(median),
        `${ms(low)} – ${ms(high)}`,
        ms(slowest),
      ];
    }),
  );
  console.log(`\nhealthy side, 50 %, trigger "worse than old by 2", looked at four times a second`);
  console.log(`  live       ${alive} of ${healthyRoutes} routes wronged in ${healthySeconds} s`);
  console.log(`  simulated  ${simulated} of 1000 runs wronged in ${healthySeconds} s, same judge, seeded\n`);
  for (const share of shares) {
    const { median } = spread(times.get(share) ?? []);
    printReach(`rollback at ${share} %`, median <= 2_000, `${ms(median)} median`, "≤ 2.0 s");
  }
  printReach(
    "false alarms",
    simulated <= 10 && alive <= 1,
    `${simulated / 10} % simulated, ${alive} % live`,
    "≤ 1 %",
  );
}

const ms = (value: number): string => `${(value / 1_000).toFixed(2)} s`;

/** One crossing whose new side turns bad; milliseconds from the first bad answer to the last call it got. */
async function timeToRollback(share: number): Promise<number> {
  return await inSession(async (session, dir) => {
    const app = startApp(dir, 1, "bad");
    const migration = defineMigration({
      name: "bench-rollback",
      phases: [phase("rollout", { steps: [ramp("bench.call0", [share], { hold: "1m" })] })],
      triggers: [when(rate.error("bench.call0").worseThan("old", { by: 2 })).then("rollback")],
    });
    const state = await carry(session, migration);
    if (state !== "ROLLED_BACK") throw new Error(`expected the crossing to roll back, found ${state}`);
    await sleep(systemClock, 500); // the application tells every 100 ms
    const told = app.told.get("bench.call0");
    await app.end();
    if (told === undefined || told.firstBad === 0) throw new Error("expected bad answers, found none");
    return told.lastNew - told.firstBad;
  });
}

/** Routes at 50 % whose sides are equal: how many triggers fire. */
async function falseAlarmsAlive(): Promise<number> {
  return await inSession(async (session, dir) => {
    const app = startApp(dir, healthyRoutes, "good");
    const names = Array.from({ length: healthyRoutes }, (_, index) => `bench.call${index}`);
    const migration = defineMigration({
      name: "bench-healthy",
      phases: [
        phase("rollout", {
          steps: [
            step("half", {
              run: async ({ routes, clock, signal }) => {
                for (const name of names) {
                  const now = await routes.get(name);
                  await routes.set(name, now?.epoch ?? 0, { stage: "live", share: 50 });
                }
                await sleep(clock, healthySeconds * 1_000, signal);
              },
              rollback: () => {},
            }),
          ],
        }),
      ],
      triggers: names.map((name) =>
        when(rate.error(name).worseThan("old", { by: 2 })).then("alert", { name }),
      ),
    });
    await carry(session, migration);
    await app.end();
    const events = await session.store.events.read({ limit: 100_000 });
    return events.filter(({ type }) => type === "trigger.fired").length;
  });
}

/** The same judge on seeded healthy traffic: runs in which it says fail at any of its looks. */
function simulateHealthy(runs: number): number {
  const random = createRandom(7);
  const measure = { of: "errors" } as const;
  const rule = { kind: "worse-than-old", by: 2, alpha: 0.01, beta: 0.05 } as const;
  let wronged = 0;
  for (let run = 0; run < runs; run++) {
    const judge = createJudge(rule, measure);
    for (let look = 0; look < healthySeconds * 4; look++) {
      judge.add([interval(look, random.binomial(25, baseErrors), random.binomial(25, baseErrors))]);
      if (judge.verdict().kind === "fail") {
        wronged++;
        break;
      }
    }
  }
  return wronged;
}

function interval(look: number, oldErrors: number, newErrors: number): Interval {
  const side = (errors: number): Interval["old"] => ({ calls: 25, errors, latency: [] });
  return {
    id: String(look),
    route: "bench.call",
    door: "simulated",
    epoch: 1,
    stage: "live",
    share: 50,
    from: look * 250,
    to: (look + 1) * 250,
    old: side(oldErrors),
    new: side(newErrors),
    shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
    compared: 0,
    mismatches: 0,
    failedOver: 0,
    operations: {},
  };
}

async function inSession<T>(use: (session: Session, dir: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "cutover-bench-rollback-"));
  try {
    const place = {
      store: dir,
      shared: undefined,
      storeFlag: "",
      clock: systemClock,
      pid: process.pid,
      version: packageVersion(),
    };
    await using session = await openSession(place, silentLog);
    return await use(session, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function carry(session: Session, migration: Migration): Promise<string> {
  const run = await session.engine.start(migration, { by: "bench", source: "bench/rollback.ts" });
  await session.serve(run);
  return (await run.done).state;
}

interface App {
  readonly told: ReadonlyMap<string, Told>;
  end(): Promise<void>;
}

function startApp(dir: string, routes: number, mood: "bad" | "good"): App {
  const file = join(import.meta.dirname, "rollback/app.ts");
  const args = [file, dir, routes, callsPerSecond, baseErrors, mood].map(String);
  const child: ChildProcess = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const told = new Map<string, Told>();
  if (child.stdout !== null)
    createInterface({ input: child.stdout }).on("line", (line) => {
      const now = JSON.parse(line) as Told;
      told.set(now.route, now);
    });
  return {
    told,
    end: () =>
      new Promise((resolve) => {
        child.once("close", () => resolve());
        child.stdin?.end();
      }),
  };
}
