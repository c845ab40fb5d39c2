import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { attempt } from "../../../test/queue/sandbox-attempt.ts";
import { systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { isAlive, markProcess, type ProcessMark, processesInGroup } from "../machine.ts";
import { endProcesses, gone } from "./process-group.ts";
import { subprocess } from "./subprocess.ts";

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A process that does not end when it is asked to. */
async function stubborn(): Promise<ProcessMark> {
  const code = `process.on("SIGTERM", () => {}); console.log("ready"); setInterval(() => {}, 1e3)`;
  const child = spawn(process.execPath, ["-e", code], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  children.push(child);
  await once(child.stdout, "data");
  return markProcess(child.pid as number);
}

describe("ending processes", () => {
  test("keeps one in sight that is not found any more, as one that gives its memory back", async () => {
    const mark = await stubborn();
    let looks = 0;
    await endProcesses(() => (looks++ === 0 ? [mark] : []), 0, systemClock);
    expect(isAlive(mark)).toBe(false);
  });

  test("is over when they are gone: what a program leaves in its group, however much memory that held", async () => {
    const child = `globalThis.b = Buffer.alloc(400e6, 1); process.send("full"); setInterval(() => {}, 1e3)`;
    const code = `const child = require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], {
        stdio: ["ignore", "ignore", "ignore", "ipc"] });
      child.once("message", () => { console.log(child.pid); process.exit(0); });`;
    const { outcome } = attempt(
      subprocess({ command: () => ({ file: process.execPath, args: ["-e", code] }) }),
      { worker: `process-group:${process.pid}:1` },
    );
    const { stdout } = (await outcome) as { stdout: string };
    expect(isAlive(markProcess(Number(stdout)))).toBe(false);
  });
});

describe("waiting for killed processes", () => {
  test("ends soon after the last of them", async () => {
    const mark = await stubborn();
    expect(processesInGroup(mark.pid)).toEqual([mark]);
    const clock = new ManualClock();
    let over = false;
    const waiting = gone([mark], clock).then(() => (over = true));
    await clock.advance(100);
    expect(over).toBe(false);
    process.kill(mark.pid, "SIGKILL");
    while (isAlive(mark)) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(20);
    await waiting;
    expect(processesInGroup(mark.pid)).toEqual([]);
  });

  test("takes no time when nobody is left, and about a second at most", async () => {
    const clock = new ManualClock();
    await gone([{ pid: 2 ** 30, startTime: "1" }], clock);
    const waiting = gone([await stubborn()], clock);
    await clock.advance(1_000);
    await waiting;
    expect(clock.pending).toBe(0);
  });
});
