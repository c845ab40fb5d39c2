import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog, systemClock } from "../../core/index.ts";
import type { OrderRecord } from "../../store/index.ts";
import { type Command, openQueue, type Queue, subprocess, type SubprocessOptions } from "../index.ts";
import { isAlive, markProcess, processesWith } from "../machine.ts";
import type { WorkTools } from "./sandbox.ts";

let folder: string;
let queue: Queue;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cutover-subprocess-"));
  queue = await openQueue(`sqlite:${join(folder, "work.db")}`, { slots: 4, stagger: 0, grace: "300ms" });
});

afterEach(async () => {
  await queue.stop();
  rmSync(folder, { recursive: true });
});

/** Runs one program through the queue and gives back the finished order. */
async function run(
  command: Command,
  options: Partial<SubprocessOptions<unknown>> = {},
  submit: Parameters<Queue["submit"]>[2] = {},
) {
  queue.work("program", subprocess({ command: () => command, ...options }));
  const { id } = await queue.submit("program", { n: 1 }, { retries: 0, ...submit });
  return queue.waitFor(id, { timeout: "20s" });
}

const node = (code: string, ...args: string[]): Command => ({
  file: process.execPath,
  args: ["-e", code, ...args],
});

/** Waits until a file holds something and gives it back. */
async function appears(file: string): Promise<string> {
  for (let tries = 0; tries < 500; tries++) {
    try {
      const text = readFileSync(file, "utf8");
      if (text.endsWith("\n")) return text.trim();
    } catch {
      // Not there yet.
    }
    await new Promise<void>((resolve) => systemClock.after(10, resolve));
  }
  throw new Error(`${file} did not appear`);
}

describe("a program", () => {
  test("runs with its arguments as they are, without a shell, and its output is the result", async () => {
    const order = await run({ file: "printf", args: ["%s|", "a b", "$HOME", "; exit 3"] });
    expect(order).toMatchObject({
      state: "COMPLETED",
      result: { exitCode: 0, stdout: "a b|$HOME|; exit 3|", stderr: "" },
    });
  });

  test("gets input, folder, its own environment, the fence and the idempotency key, and no secrets", async () => {
    process.env["CUTOVER_TEST_TOKEN"] = "s3cret";
    const code = `
      let input = "";
      process.stdin.on("data", (chunk) => (input += chunk)).on("end", () => {
        const { CUTOVER_FENCE, CUTOVER_IDEMPOTENCY_KEY, CUTOVER_ORDER_ID, CUTOVER_ATTEMPT, OWN, CUTOVER_TEST_TOKEN } = process.env;
        console.log(JSON.stringify({ input, cwd: process.cwd(), CUTOVER_FENCE, CUTOVER_IDEMPOTENCY_KEY, CUTOVER_ORDER_ID, CUTOVER_ATTEMPT, OWN, CUTOVER_TEST_TOKEN }));
      });`;
    const order = await run(
      { ...node(code), cwd: folder, env: { OWN: "yes" }, input: "hello" },
      { result: ({ stdout }) => JSON.parse(stdout) },
      { id: "order-1" },
    );
    delete process.env["CUTOVER_TEST_TOKEN"];
    expect(order.result).toEqual({
      input: "hello",
      cwd: folder,
      CUTOVER_FENCE: "1",
      CUTOVER_ATTEMPT: "1",
      CUTOVER_IDEMPOTENCY_KEY: "order-1",
      CUTOVER_ORDER_ID: "order-1",
      OWN: "yes",
    });
  });

  test("that ends with another exit code than 0 has failed, with the end of its output", async () => {
    const order = await run(node("console.log('out'); console.error('why'); process.exit(3)"));
    expect(order).toMatchObject({
      state: "FAILED",
      error: {
        code: "CUTOVER_ORDER_FAILED",
        message: expect.stringContaining("exit code 3"),
        details: { exitCode: 3, signal: null, stdout: "out\n", stderr: "why\n" },
      },
    });
    expect((await queue.timeline(order.id)).at(-1)?.event).toBe("exhausted");
  });

  test("that was ended by a signal has failed", async () => {
    const order = await run(node("process.kill(process.pid, 'SIGSEGV')"));
    expect(order).toMatchObject({
      state: "FAILED",
      error: { details: { exitCode: null, signal: "SIGSEGV" } },
    });
  });

  test("may name exit codes that another attempt cannot mend", async () => {
    const order = await run(node("process.exit(64)"), { fatalExitCodes: [64] }, { retries: 5 });
    expect(order).toMatchObject({ state: "FAILED", attempt: 1 });
    expect((await queue.timeline(order.id)).at(-1)?.event).toBe("failed");
  });

  test("that does not exist fails at once and says what was not found", async () => {
    const order = await run({ file: "no-such-program-anywhere" }, {}, { retries: 5 });
    expect(order).toMatchObject({
      state: "FAILED",
      attempt: 1,
      error: { message: "no-such-program-anywhere could not be started: ENOENT" },
    });
  });

  test.each([
    [
      "a folder that is a file",
      { file: "true", cwd: process.execPath },
      /^true could not be started in .*: ENOTDIR$/,
    ],
    ["too much to say", { file: "true", args: ["x".repeat(200_000)] }, /^true could not be started: E2BIG$/],
  ])("that cannot be started for %s fails at once and names itself", async (_, command, message) => {
    expect(await run(command, {}, { retries: 5 })).toMatchObject({
      state: "FAILED",
      attempt: 1,
      error: {
        code: "CUTOVER_ORDER_FAILED",
        message: expect.stringMatching(message),
        details: { file: "true" },
      },
    });
  });

  test("whose options or command are not what they should be is refused by name, at the door or at once", async () => {
    const command = (): Command => node("");
    for (const strange of [
      { command: "ls" },
      { comand: command },
      { command, result: "stdout" },
      { command, fatalExitCodes: [-1] },
    ])
      expect(() => subprocess(strange as never), JSON.stringify(strange)).toThrow(
        expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID" }),
      );
    for (const [strange, field] of [
      [{ file: "" }, "command.file"],
      [{ file: "ls", arguments: ["-l"] }, "command"],
      [{ file: "ls", args: "-l" }, "command.args"],
      [{ file: "ls", args: ["a\0b"] }, "command.args[0]"],
      [{ file: "ls", env: { PORT: 3000 } }, "command.env.PORT"],
      [{ file: "ls", cwd: 5 }, "command.cwd"],
      [{ file: "cat", input: Buffer.from("a") }, "command.input"],
    ] as const) {
      const kind = `with-${field.replaceAll(/\W/g, "-")}-${Object.keys(strange).length}`;
      queue.work(kind, subprocess({ command: () => strange as never }));
      const { id } = await queue.submit(kind, null, { retries: 5 });
      expect(await queue.waitFor(id, { timeout: "20s" })).toMatchObject({
        state: "FAILED",
        attempt: 1,
        error: { code: "CUTOVER_QUEUE_INVALID", details: { field } },
      });
    }
  });

  test("that reads no input and ends does no harm", async () => {
    const order = await run({ file: "true", input: "x".repeat(1_000_000) });
    expect(order.state).toBe("COMPLETED");
  });

  test("that writes without end is cut, and says how much was left out", async () => {
    const code =
      "const line = 'x'.repeat(99) + '\\n'; for (let i = 0; i < 30000; i++) require('fs').writeSync(1, line)";
    const order = await run(node(code), { output: "10 kB" });
    const { stdout } = order.result as { stdout: string };
    expect(stdout.length).toBeLessThan(10 * 1024 + 100);
    expect(stdout).toMatch(/… 2\.9 MB left out …/);
  });
});

describe("ending a program", () => {
  test("one that hangs and ignores SIGTERM is killed with its whole group when its time is over", async () => {
    const file = join(folder, "pids");
    const code = `
      process.on("SIGTERM", () => {});
      const child = require("child_process").spawn("sleep", ["300"]);
      require("fs").writeFileSync(${JSON.stringify(file)}, process.pid + " " + child.pid + "\\n");
      setInterval(() => {}, 1000);`;
    const begin = systemClock.monotonic();
    queue.work("hang", subprocess({ command: () => node(code) }));
    const { id } = await queue.submit("hang", null, { timeout: "600ms", retries: 0 });
    const marks = (await appears(file)).split(" ").map((pid) => markProcess(Number(pid)));
    expect(marks.map(isAlive)).toEqual([true, true]);
    const order = await queue.waitFor(id);
    expect(order).toMatchObject({ state: "FAILED", error: { code: "CUTOVER_ORDER_TIMEOUT" } });
    expect(systemClock.monotonic() - begin).toBeGreaterThanOrEqual(900);
    expect(marks.map(isAlive)).toEqual([false, false]);
  });

  test("one that is cancelled is asked first and may put things in order", async () => {
    const file = join(folder, "log");
    const code = `
      const { appendFileSync } = require("fs");
      process.on("SIGTERM", () => { appendFileSync(${JSON.stringify(file)}, "cleaned up\\n"); process.exit(0); });
      appendFileSync(${JSON.stringify(file)}, "ready\\n");
      setInterval(() => {}, 1000);`;
    queue.work("polite", subprocess({ command: () => node(code) }));
    const { id } = await queue.submit("polite");
    await appears(file);
    await queue.cancel(id, "not wanted any more");
    expect(await queue.waitFor(id)).toMatchObject({ state: "CANCELLED", sandbox: null, result: null });
    expect(readFileSync(file, "utf8")).toBe("ready\ncleaned up\n");
  });

  test("what it leaves running in its group is ended with it", async () => {
    const code = `
      const child = require("child_process").spawn("sleep", ["300"], { stdio: "inherit" });
      console.log(child.pid);
      process.exit(0);`;
    const order = await run(node(code));
    const { stdout } = order.result as { stdout: string };
    expect(order.state).toBe("COMPLETED");
    expect(isAlive(markProcess(Number(stdout)))).toBe(false);
  });

  test("a child that left the group but holds the output is ended too", async () => {
    const code = `
      const child = require("child_process").spawn("sleep", ["300"], { stdio: "inherit", detached: true });
      child.unref();
      console.log(child.pid);`;
    const order = await run(node(code));
    expect(order.state).toBe("COMPLETED");
    expect(processesWith("CUTOVER_ORDER_ID", order.id)).toEqual([]);
  });

  test.each([
    { stdio: "ignore", env: "process.env" },
    { stdio: "inherit", env: "process.env" },
    { stdio: "ignore", env: "{}" },
    { stdio: "inherit", env: "{}" },
  ])(
    "takes with it a child that left the group and does not listen, and what it took is known ($stdio $env)",
    async ({ stdio, env }) => {
      const file = join(folder, "child");
      const child = `process.on("SIGTERM", () => {});
        require("fs").writeFileSync(${JSON.stringify(file)}, process.pid + "\\n"); setInterval(() => {}, 1000);`;
      const code = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}],
          { detached: true, stdio: "${stdio}", env: ${env} });
        setInterval(() => {}, 1000);`;
      queue.work("leaves", subprocess({ command: () => node(code) }));
      const { id } = await queue.submit("leaves", null, { retries: 0 });
      const mark = markProcess(Number(await appears(file)));
      await queue.cancel(id, "not wanted any more");
      expect(await queue.waitFor(id)).toMatchObject({
        state: "CANCELLED",
        usage: { cpuMs: expect.any(Number), maxRss: expect.any(Number) },
      });
      expect(isAlive(mark)).toBe(false);
    },
  );

  test("stopping the queue ends its programs and gives their orders back", async () => {
    const file = join(folder, "pid");
    const code = `require("fs").writeFileSync(${JSON.stringify(file)}, process.pid + "\\n"); setInterval(() => {}, 1000)`;
    queue.work("long", subprocess({ command: () => node(code) }));
    const { id } = await queue.submit("long");
    const mark = markProcess(Number(await appears(file)));
    await queue.stop();
    expect(isAlive(mark)).toBe(false);
    const again = await openQueue(`sqlite:${join(folder, "work.db")}`);
    expect(await again.get(id)).toMatchObject({ state: "PENDING", attempt: 0, sandbox: null });
    await again.stop();
  });
});

test("a moment without descriptors ends no process, and its programs are seen to their end", async () => {
  const helper = new URL("../../../test/queue/sandbox-attempt.ts", import.meta.url).href;
  const script = `import { closeSync, openSync } from "node:fs";
    import { attempt } from ${JSON.stringify(helper)};
    import { subprocess } from ${JSON.stringify(import.meta.resolve("./subprocess.ts"))};
    const command = () => ({ file: "sh", args: ["-c", "sleep 60 & echo begun >&2; sleep 0.3"] });
    const { outcome, execution, traces } = attempt(subprocess({ command }));
    await execution;
    while (traces.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const open = [];
    try { for (;;) open.push(openSync("/dev/null", "r")); } catch {}
    setTimeout(() => open.forEach((one) => closeSync(one)), 700);
    const { exitCode } = await outcome;
    console.log(exitCode, open.length > 10);`;
  const program = [process.execPath, "--input-type=module", "-e", script];
  const { stdout, stderr, status } = spawnSync("sh", ["-c", 'ulimit -n 120; exec "$@"', "sh", ...program], {
    encoding: "utf8",
  });
  expect({ stdout, stderr, status }).toEqual({ stdout: "0 true\n", stderr: "", status: 0 });
});

describe("many programs at a time", () => {
  const tools = (signal: AbortSignal): WorkTools => ({
    signal,
    fence: 1,
    idempotencyKey: "many",
    attempt: 1,
    progress: () => {},
    log: silentLog,
  });
  const order = async (): Promise<OrderRecord> =>
    (await queue.get((await queue.submit("none", {}, { key: "many" })).id)) as OrderRecord;

  test("begin a few in each turn of the event loop, so that heartbeats and timers are not held up", async () => {
    const sandbox = subprocess({ command: () => ({ file: "true" }) });
    const { signal } = new AbortController();
    const held = await order();
    let turn = 0;
    const begun: number[] = [];
    let going = true;
    const count = (): void => {
      turn++;
      if (going) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const execution = await sandbox.prepare(held, tools(signal));
        await execution.run(() => Promise.resolve(void begun.push(turn)));
        await execution.cleanup();
      }),
    );
    going = false;
    expect(begun.length).toBe(20);
    const inOne = begun.map((at) => begun.filter((other) => other === at).length);
    expect(Math.max(...inOne)).toBeLessThanOrEqual(4);
  });

  test("that are ended before their turn comes are never begun", async () => {
    const file = join(folder, "began");
    const sandbox = subprocess({
      command: () => ({ file: "sh", args: ["-c", `echo $$ >> ${file}; sleep 60`] }),
    });
    const held = await order();
    const runs = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const ending = new AbortController();
        const execution = await sandbox.prepare(held, tools(ending.signal));
        return { execution, ending };
      }),
    );
    const work = Promise.allSettled(runs.map(({ execution }) => execution.run(() => Promise.resolve())));
    // The first begins in this turn; one is told by its signal, the others by the queue.
    runs[4]?.ending.abort(new Error("told by the signal"));
    await Promise.all(runs.slice(1, 4).map(({ execution }) => execution.cancel(0)));
    const first = await appears(file);
    await runs[0]?.execution.cancel(0);
    const ended = await work;
    expect(ended.map((end) => end.status)).toEqual(Array.from({ length: 5 }, () => "rejected"));
    expect(String((ended[4] as PromiseRejectedResult).reason)).toMatch("told by the signal");
    expect(readFileSync(file, "utf8").trim()).toBe(first);
  });
});
