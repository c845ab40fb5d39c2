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

test("programs get a small environment: no key or token of this process", () => {
  process.env["CUTOVER_TEST_SECRET"] = "s3cret";
  const names = Object.keys(baseEnvironment());
  delete process.env["CUTOVER_TEST_SECRET"];
  expect(names).toContain("PATH");
  expect(names).not.toContain("CUTOVER_TEST_SECRET");
});
