import { describe, expect, test } from "vitest";
import { attempt } from "../../../test/queue/sandbox-attempt.ts";
import { sleep, systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { isAlive, markProcess } from "../machine.ts";
import type { ProcessEntry, ProcFiles } from "./proc-files.ts";
import { ProcessWatch } from "./process-watch.ts";
import { type Command, subprocess, type SubprocessOptions } from "./subprocess.ts";

const MB = 2 ** 20;
const node = (code: string): Command => ({ file: process.execPath, args: ["-e", code] });
// A claim of its own: ending what belongs to it must not end what another run of the tests started.
const worker = `memory-limit:${process.pid}:1`;
const run = (code: string, memory: number, options: Partial<SubprocessOptions<unknown>> = {}) =>
  attempt(subprocess({ command: () => node(code), ...options }), { memory, worker });

describe("a program over the memory of its order", () => {
  test("is ended with what it took and what it may, and is not tried again", async () => {
    const { outcome, execution } = run(
      "globalThis.b = Buffer.alloc(200e6, 1); setInterval(() => {}, 1e3)",
      120 * MB,
    );
    await expect(outcome).rejects.toMatchObject({
      code: "CUTOVER_ORDER_MEMORY",
      message: expect.stringMatching(
        /^work order order-1 took \d+(\.\d)? MB, more than its 120 MB of memory/,
      ),
      details: { limit: 120 * MB, found: expect.any(Number), processes: 1, class: "fatal" },
    });
    const usage = (await execution).usage?.();
    expect(usage?.maxRss).toBeGreaterThan(120 * MB);
    expect(usage?.cpuMs).toBeGreaterThan(0);
  });

  test("is killed when it does not end by itself, after the grace", async () => {
    const code = `process.on("SIGTERM", () => console.log("asked")); console.log(process.pid);
      globalThis.b = Buffer.alloc(100e6, 1); setInterval(() => {}, 1e3)`;
    const begin = systemClock.monotonic();
    const { outcome } = run(code, 120 * MB, { memoryGrace: "300ms" });
    const error = (await outcome.catch((thrown: unknown) => thrown)) as { details: { stdout: string } };
    expect(error).toMatchObject({ code: "CUTOVER_ORDER_MEMORY" });
    expect(error.details.stdout).toMatch(/^\d+\nasked\n$/);
    expect(systemClock.monotonic() - begin).toBeGreaterThan(300);
  });

  // Only a child that holds the output is waited for anyway.
  test.each(["inherit", "ignore"])(
    "counts with its children, also one that left its group, and they are ended with it (output: %s)",
    async (stdio) => {
      const child = "globalThis.b = Buffer.alloc(150e6, 1); setInterval(() => {}, 1e3)";
      const code = `const { spawn } = require("child_process");
      for (const detached of [false, true]) {
        const child = spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "${stdio}", detached });
        console.log(child.pid);
      }
      setInterval(() => {}, 1e3)`;
      const { outcome } = run(code, 250 * MB);
      const error = (await outcome.catch((thrown: unknown) => thrown)) as { details: { stdout: string } };
      expect(error).toMatchObject({ code: "CUTOVER_ORDER_MEMORY", details: { processes: 3 } });
      const pids = error.details.stdout.trim().split("\n").map(Number);
      expect(pids).toHaveLength(2);
      expect(pids.map((pid) => isAlive(markProcess(pid)))).toEqual([false, false]);
    },
  );

  test("takes with it what the watch never saw: a grandchild that left group and parent between two looks", async () => {
    const left = "sleep 300 >/dev/null 2>&1 & echo $!";
    const code = `const { spawnSync } = require("child_process");
      process.stdout.write(spawnSync("sh", ["-c", ${JSON.stringify(left)}], { detached: true }).stdout);
      globalThis.b = Buffer.alloc(200e6, 1); setInterval(() => {}, 1e3)`;
    const error = await run(code, 120 * MB).outcome.catch((thrown: unknown) => thrown);
    const { details } = error as { details: { stdout: string } };
    expect(error).toMatchObject({ code: "CUTOVER_ORDER_MEMORY", details: { processes: 1 } });
    expect(Number(details.stdout)).toBeGreaterThan(0);
    expect(isAlive(markProcess(Number(details.stdout)))).toBe(false);
  });

  test("is left alone when its order has no limit or the sandbox keeps none", async () => {
    const code = "globalThis.b = Buffer.alloc(50e6, 1); setTimeout(() => {}, 400)";
    await expect(run(code, 0).outcome).resolves.toMatchObject({ exitCode: 0 });
    await expect(run(code, MB, { enforceMemory: false }).outcome).resolves.toMatchObject({ exitCode: 0 });
  });
});

describe("what a program took", () => {
  test("is its processor time, that of ended children included, and its largest memory", async () => {
    const burn = "for (let i = 0, x = 1; i < 3e8; i++) x = (Math.imul(x, 31) + i) | 0;";
    const code = `require("child_process").execFileSync(process.execPath, ["-e", ${JSON.stringify(burn)}]);
      { let b = Buffer.alloc(80e6, 1); } ${burn} setTimeout(() => {}, 150)`;
    const { outcome, execution } = run(code, 2 ** 30);
    await outcome;
    const usage = (await execution).usage?.();
    // Two loops of about 300 ms each.
    expect(usage?.cpuMs).toBeGreaterThan(200);
    expect(usage?.maxRss).toBeGreaterThan(80e6);
  });

  test("is known for a program that ended before the first round of looks", async () => {
    const { outcome, execution } = attempt(subprocess({ command: () => ({ file: "true" }) }));
    await outcome;
    expect((await execution).usage?.()).toMatchObject({ maxRss: expect.any(Number) });
  });
});

describe("the watch over processes", () => {
  const entry = (pid: number, members: Partial<ProcessEntry> = {}): ProcessEntry => ({
    pid,
    parent: 1,
    group: pid,
    session: pid,
    startTime: `s${pid}`,
    cpuMs: 0,
    rss: 10,
    ...members,
  });

  function machine(...first: ProcessEntry[]) {
    const clock = new ManualClock();
    const world = { entries: first, looks: 0, asked: 0, fair: 5 };
    const files: ProcFiles = {
      all: () => (world.looks++, world.entries),
      one: (pid) => world.entries.find((found) => found.pid === pid),
      peak: () => undefined,
      proportional: () => (world.asked++, world.fair),
    };
    return { clock, world, watch: new ProcessWatch(files, clock) };
  }

  test("keeps a child that left group, session and parent, and does not take a reused number for it", async () => {
    const { clock, world, watch } = machine(entry(10));
    const watched = watch.add({ pid: 10, startTime: "s10" }, 0, () => {});
    world.entries = [entry(10), entry(11, { parent: 10 }), entry(12, { parent: 11 }), entry(13)];
    await clock.advance(100);
    expect(watched.marks.map(({ pid }) => pid)).toEqual([10, 11, 12]);
    world.entries = [entry(10), entry(12), entry(11, { startTime: "later" })];
    await clock.advance(100);
    expect(watched.marks.map(({ pid }) => pid)).toEqual([10, 12]);
    watched.stop();
    expect(clock.pending).toBe(0);
  });

  test("keeps processor time of children that are gone", async () => {
    const { clock, world, watch } = machine(entry(10, { cpuMs: 5 }), entry(11, { group: 10, cpuMs: 50 }));
    const watched = watch.add({ pid: 10, startTime: "s10" }, 0, () => {});
    await clock.advance(100);
    world.entries = [entry(10, { cpuMs: 7 })];
    await clock.advance(100);
    expect(watched.usage).toEqual({ cpuMs: 55, maxRss: 20 });
    watched.stop();
  });

  test("asks for the fair share of shared pages before it calls several processes too large, and not each time", async () => {
    const forks = [10, 11, 12, 13].map((pid) => entry(pid, { group: 10 }));
    const { clock, world, watch } = machine(...forks);
    const over: number[] = [];
    const watched = watch.add({ pid: 10, startTime: "s10" }, 30, ({ rss }) => over.push(rss));
    await clock.advance(500);
    expect(over).toEqual([]);
    expect(world.asked).toBe(4);
    world.fair = 9;
    await clock.advance(500);
    expect(over).toEqual([36]);
    watched.stop();
  });

  test("looks with one pass for all programs, and not at all when there is none", async () => {
    const programs = Array.from({ length: 100 }, (_, i) => entry(100 + i));
    const { clock, world, watch } = machine(...programs);
    const all = programs.map(({ pid, startTime }) => watch.add({ pid, startTime }, 0, () => {}));
    await clock.advance(1_000);
    expect(world.looks).toBe(10);
    for (const watched of all) watched.stop();
    await clock.advance(1_000);
    expect(world.looks).toBe(10);
    expect(clock.pending).toBe(0);
  });
});

test("a hundred watched programs cost the queue's process little", async () => {
  const sandbox = subprocess({ command: () => ({ file: "sleep", args: ["1.5"] }) });
  const all = Array.from({ length: 100 }, (_, i) => attempt(sandbox, { id: `order-${i}` }));
  await Promise.all(all.map(({ execution }) => execution));
  await sleep(systemClock, 700);
  const before = process.cpuUsage();
  await sleep(systemClock, 500);
  const { user, system } = process.cpuUsage(before);
  await Promise.all(all.map(({ outcome }) => outcome));
  // Measured: 26 ms, a twentieth of one processor; the rest is room for a busy machine.
  expect((user + system) / 1_000).toBeLessThan(125);
});
