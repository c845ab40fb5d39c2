import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { attempt, claimedOrder } from "../../../test/queue/sandbox-attempt.ts";
import { systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import type { OrderRecord } from "../../store/index.ts";
import { isAlive, markProcess, type ProcessMark, processesInGroup, signal, workerName } from "../machine.ts";
import { claimMark, endProcesses, gone } from "./process-group.ts";
import { findProgram, subprocess } from "./subprocess.ts";

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

describe("what a dead worker's program left", () => {
  const claimed = claimedOrder({ worker: workerName(), id: `group-${process.pid}` });
  const env = { ...process.env, CUTOVER_CLAIM: claimMark(claimed) };

  /** Starts children by a shell that leads a group of its own, and gives back its mark and theirs. */
  async function group(script: string, environment: NodeJS.ProcessEnv = env) {
    const leader = spawn("sh", ["-c", `${script} wait`], {
      env: environment,
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
    });
    children.push(leader);
    const pids: number[] = [];
    const wanted = script.split("&").length - 1;
    for await (const chunk of leader.stdout) {
      pids.push(...String(chunk).trim().split(/\s+/).map(Number));
      if (pids.length === wanted) break;
    }
    const marks = pids.map(markProcess);
    const { pid, startTime } = markProcess(leader.pid as number);
    const order: OrderRecord = { ...claimed, sandbox: { provider: "subprocess", pid, startTime } };
    const end = async (): Promise<void> => {
      leader.kill("SIGKILL");
      if (leader.exitCode === null && leader.signalCode === null) await once(leader, "exit");
    };
    onTestFinished(() => marks.forEach((one) => void (isAlive(one) && signal(one.pid, "SIGKILL"))));
    return { order, marks, end };
  }

  const bare = "env -i sh -c 'echo $$; exec sleep 300' &";
  const apart = "env -i setsid sh -c 'echo $$; exec sleep 300' &";
  const marked = "sh -c 'echo $$; exec sleep 300' &";

  test("is found by the group, session and children of its leader, with nothing in the environment", async () => {
    const { order, marks } = await group(`${bare} ${apart}`);
    const orphan = await findProgram(order, systemClock);
    await orphan?.end(0);
    expect(marks.map(isAlive)).toEqual([false, false]);
  });

  test("is found when the leader is gone, as long as one of its group carries the claim", async () => {
    const { order, marks, end } = await group(`${bare} ${marked}`);
    await end();
    await (await findProgram(order, systemClock))?.end(0);
    expect(marks.map(isAlive)).toEqual([false, false]);
  });

  test("is left alone, and its order held back, when nothing proves whose the group is", async () => {
    const { order, marks, end } = await group(bare);
    await end();
    expect(() => findProgram(order, systemClock)).toThrow(
      expect.objectContaining({
        code: "CUTOVER_SANDBOX_UNAVAILABLE",
        message: expect.stringContaining(`found processes ${marks[0]?.pid} in the group`),
      }),
    );
    expect(marks.map(isAlive)).toEqual([true]);
    expect(findProgram({ ...order, worker: "another-host:1:1" }, systemClock)).toBeUndefined();
  });

  test("is nobody of a group whose number another process has by now", async () => {
    const { order, marks } = await group(bare, process.env);
    const sandbox = { ...order.sandbox, startTime: "1" };
    expect(findProgram({ ...order, sandbox }, systemClock)).toBeUndefined();
    expect(marks.map(isAlive)).toEqual([true]);
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
