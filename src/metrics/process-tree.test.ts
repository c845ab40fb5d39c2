import { type ChildProcess, spawn } from "node:child_process";
import { systemClock } from "../core/index.ts";
import { afterEach, describe, expect, test, vi } from "vitest";
import { processTree } from "./index.ts";
import { treeSources } from "./process-tree.ts";

const children: ChildProcess[] = [];

/** A child that runs this script in a child of its own as well, and says when both are there. */
async function family(script: string): Promise<ChildProcess> {
  const inner = `${script}; process.stdout.write("ready"); setInterval(() => {}, 1000)`;
  const outer = `const { spawn } = require("node:child_process");
    const c = spawn(process.execPath, ["-e", ${JSON.stringify(inner)}], { stdio: ["ignore", "inherit", "inherit"] });
    process.on("SIGTERM", () => { c.kill("SIGKILL"); process.exit(); }); setInterval(() => {}, 1000)`;
  const child = spawn(process.execPath, ["-e", outer], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  await new Promise((resolve) => child.stdout?.once("data", resolve));
  return child;
}

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const running = process.platform === "linux";

describe.runIf(running)("a process tree", () => {
  test("counts the memory of a process and of what it started", async () => {
    const small = await family("");
    const large = await family("globalThis.kept = Buffer.alloc(150e6, 1)");
    const difference =
      (await processTree(large.pid ?? 0).memory()()) - (await processTree(small.pid ?? 0).memory()());
    expect(difference).toBeGreaterThan(120e6);
    expect(difference).toBeLessThan(220e6);
  });

  test("counts the processor time of a child's child as cores in use", async () => {
    const busy = await family(
      "setInterval(() => { const end = Date.now() + 18; while (Date.now() < end); }, 20)",
    );
    const cpu = processTree(() => busy.pid, { cache: 0 }).cpu();
    await expect(cpu()).rejects.toMatchObject({ code: "CUTOVER_METRIC_UNREADABLE" });
    await pause(800);
    const cores = await cpu();
    expect(cores).toBeGreaterThan(0.1);
    expect(cores).toBeLessThan(1.5);
  });

  test("counts open files", async () => {
    const child = await family(
      "globalThis.f = Array.from({ length: 40 }, () => require('node:fs').openSync('/dev/null'))",
    );
    const none = await family("");
    const more =
      (await processTree(child.pid ?? 0).openFiles()()) - (await processTree(none.pid ?? 0).openFiles()());
    expect(more).toBe(40);
  });

  test("tells bytes read and written in a second", async () => {
    const child = await family("");
    const disk = processTree(child.pid ?? 0, { cache: 0 }).diskIo();
    await expect(disk()).rejects.toThrow("first reading of a counter");
    await pause(150);
    expect(await disk()).toBe(0);
  });

  test("says so when the process has ended, and goes on with the one that took its place", async () => {
    const first = await family("");
    let { pid } = first;
    const memory = processTree(() => pid, { cache: 0 });
    expect(await memory.memory()()).toBeGreaterThan(1e6);
    const cpu = memory.cpu();
    await expect(cpu()).rejects.toThrow("first reading");
    first.kill("SIGTERM");
    await vi.waitFor(() => expect(memory.memory()()).rejects.toThrow(`expected process ${pid} to run`));
    pid = (await family("const end = Date.now() + 300; while (Date.now() < end);")).pid;
    // What the new one did before anybody saw it is in no stretch.
    expect(await cpu()).toBe(0);
    pid = undefined;
    await expect(cpu()).rejects.toThrow("expected a process's number, found undefined");
  });
});

test("elsewhere than on Linux each reading says so", async () => {
  const tree = treeSources(1, {}, { clock: systemClock, platform: "darwin" });
  for (const source of [tree.cpu(), tree.memory(), tree.openFiles(), tree.diskIo()])
    await expect(source()).rejects.toMatchObject({
      code: "CUTOVER_METRIC_UNREADABLE",
      message: expect.stringMatching(/expected Linux, .*found darwin/),
    });
});
