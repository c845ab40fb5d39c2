import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import {
  baseEnvironment,
  isAlive,
  isDeadWorker,
  markProcess,
  processesWith,
  valuesInEnvironments,
  signal,
  workerName,
} from "./machine.ts";

describe("processes", () => {
  test("a process is known by number and start time, so a reused number is another process", async () => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    const mark = markProcess(child.pid ?? 0);
    expect(isAlive(mark)).toBe(true);
    expect(isAlive({ ...mark, startTime: "1" })).toBe(false);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(isAlive(mark)).toBe(false);
    expect(signal(mark.pid, 0)).toBe(false);
  });

  test("are found by a variable of their environment, whole values only", async () => {
    const value = `test ${process.pid} ${Math.random()}`;
    const child = spawn("sleep", ["60"], { env: { ...process.env, CUTOVER_TEST_MARK: value } });
    await once(child, "spawn");
    expect(processesWith("CUTOVER_TEST_MARK", value).map(({ pid }) => pid)).toEqual([child.pid]);
    expect(processesWith("CUTOVER_TEST_MARK", value.slice(0, -1))).toEqual([]);
    expect(valuesInEnvironments("CUTOVER_TEST_MARK")).toContain(value);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(processesWith("CUTOVER_TEST_MARK", value)).toEqual([]);
  });
});

/** What names of workers of this machine begin with. */
const here = workerName().replace(/:\d+:\d+$/, "");

describe("workers", () => {
  test("this one is not dead, one of an ended process is, and others are never called so", async () => {
    expect(isDeadWorker(workerName())).toBe(false);
    const child = spawn(process.execPath, ["-e", ""]);
    const { pid, startTime } = markProcess(child.pid ?? 0);
    await once(child, "exit");
    expect(isDeadWorker(`${here}:${pid}:${startTime}`)).toBe(true);
    expect(isDeadWorker(`another-host:${pid}:${startTime}`)).toBe(false);
    expect(isDeadWorker("worker-7")).toBe(false);
  });

  test("an older process with our number is dead", () => {
    expect(isDeadWorker(`${here}:${process.pid}:1`)).toBe(true);
  });

  test("one of another container of the same host name is not called dead, for its number says nothing here", () => {
    const [, space] = here.split("/");
    expect(isDeadWorker(`${hostname()}:${process.pid}:1`)).toBe(space === undefined);
    expect(isDeadWorker(`${hostname()}/${Number(space ?? 0) + 1}:${process.pid}:1`)).toBe(false);
  });

  // Needs the right to make namespaces: root, or a system that gives it to everybody.
  const unshare = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
  const mayUnshare = spawnSync("unshare", [...unshare, "true"]).status === 0;

  test.skipIf(!mayUnshare)("a worker outside of a container is not called dead by one inside", async () => {
    const script = `import { isDeadWorker, workerName } from ${JSON.stringify(import.meta.resolve("./machine.ts"))};
      console.log(JSON.stringify([workerName() === process.argv[1], isDeadWorker(process.argv[1]), isDeadWorker(workerName())]));`;
    const args = [process.execPath, "--input-type=module", "-e", script, workerName()];
    const child = spawn("unshare", [...unshare, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    const [answer] = (await once(child.stdout, "data")) as [Buffer];
    expect(JSON.parse(answer.toString())).toEqual([false, false, false]);
  });
});

describe("a process without a descriptor left", () => {
  /** What a program says that has opened as much as it may. */
  function withoutDescriptors(expression: string): unknown {
    const script = `import { closeSync, openSync } from "node:fs";
      import * as machine from ${JSON.stringify(import.meta.resolve("./machine.ts"))};
      const open = [];
      try { for (;;) open.push(openSync("/dev/null", "r")); } catch {}
      const tried = (what) => { try { return what(); } catch (error) { return error.code; } };
      const found = tried(() => ${expression});
      for (const one of open) closeSync(one);
      console.log(JSON.stringify(found));`;
    const node = [process.execPath, "--input-type=module", "-e", script];
    const { stdout } = spawnSync("sh", ["-c", `ulimit -n 100; exec "$@"`, "sh", ...node], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    return JSON.parse(stdout.toString());
  }

  test("calls no living worker dead, and an ended one still", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    const { pid, startTime } = markProcess(child.pid ?? 0);
    await once(child, "exit");
    const names = [workerName(), `${here}:${pid}:${startTime}`];
    expect(withoutDescriptors(`${JSON.stringify(names)}.map(machine.isDeadWorker)`)).toEqual([false, true]);
    const mark = markProcess(process.pid);
    expect(withoutDescriptors(`machine.isAlive(${JSON.stringify(mark)})`)).toBe(true);
  });

  test("takes a look that it cannot do for none, and its own name is no dead worker's", () => {
    const unavailable = "CUTOVER_SANDBOX_UNAVAILABLE";
    expect(withoutDescriptors("machine.processesInGroup(1)")).toBe(unavailable);
    expect(withoutDescriptors(`machine.processesWith("A", "b")`)).toBe(unavailable);
    expect(withoutDescriptors(`[...machine.valuesInEnvironments("A")]`)).toBe(unavailable);
    expect(withoutDescriptors("machine.isDeadWorker(machine.workerName())")).toBe(false);
    expect(isDeadWorker(withoutDescriptors("machine.workerName()") as string)).toBe(false);
  });
});

test("programs get a small environment: no key or token of this process", () => {
  process.env["CUTOVER_TEST_SECRET"] = "s3cret";
  const names = Object.keys(baseEnvironment());
  delete process.env["CUTOVER_TEST_SECRET"];
  expect(names).toContain("PATH");
  expect(names).not.toContain("CUTOVER_TEST_SECRET");
});
