import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { attempt, claimedOrder, type SandboxAttempt } from "../../../test/queue/sandbox-attempt.ts";
import { throwOdd } from "../../../test/queue/thread-work.ts";
import { CutoverError, sleep, systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { classify, errorRecord, isLost } from "../failure.ts";
import type { Sandbox } from "./sandbox.ts";
import { workerThread, type WorkerThreadOptions } from "./worker-thread.ts";

const MB = 2 ** 20;
const module = new URL("../../../test/queue/thread-work.ts", import.meta.url);
const attemptModule = new URL("../../../test/queue/sandbox-attempt.ts", import.meta.url).href;
const sandboxModule = new URL("./worker-thread.ts", import.meta.url).href;
const open: Sandbox[] = [];

function threads(options: Partial<WorkerThreadOptions> = {}): Sandbox {
  const sandbox = workerThread({ module, threads: 2, ...options });
  open.push(sandbox);
  return sandbox;
}

afterEach(async () => {
  for (const sandbox of open.splice(0)) await sandbox.close?.();
});

async function begun({ progress }: SandboxAttempt): Promise<void> {
  for (let tries = 0; tries < 500 && progress.length === 0; tries++) await sleep(systemClock, 10);
  expect(progress[0]).toEqual({ started: true });
}

/** Waits for somebody who reads a pipe, and opens it to write. */
async function reader(pipe: string): Promise<number> {
  for (let tries = 0; tries < 1_000; tries++) {
    try {
      return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch {
      await sleep(systemClock, 10);
    }
  }
  throw new Error("nobody reads the pipe");
}

const cancelled = new CutoverError("CUTOVER_ORDER_CANCELLED", { message: "not wanted any more" });

describe("work in a worker thread", () => {
  test("gets its order and claim, and gives back its result", async () => {
    const { outcome } = attempt(threads(), { id: "a", fence: 3, attempt: 1, payload: { n: [1, null] } });
    expect(await outcome).toMatchObject({
      id: "a",
      payload: { n: [1, null] },
      fence: 3,
      attempt: 2,
      idempotencyKey: "a",
      calls: 1,
    });
  });

  test("finds its thread warm, and a fresh one when each may do one order only", async () => {
    const ids = async (sandbox: Sandbox): Promise<number> => {
      const seen = new Set<unknown>();
      for (let i = 0; i < 4; i++)
        seen.add(((await attempt(sandbox).outcome) as { threadId: number }).threadId);
      return seen.size;
    };
    expect(await ids(threads())).toBe(1);
    expect(await ids(threads({ ordersPerThread: 1 }))).toBe(4);
  });

  test("tells progress and log, also when its data cannot be copied", async () => {
    const { outcome, progress, logged } = attempt(threads({ export: "tell" }));
    expect(await outcome).toBe("told");
    expect(progress).toEqual([{ done: 1 }, { done: 2 }]);
    expect(logged).toEqual(["half way", "odd"]);
  });

  test("runs beside other work up to the number of threads; the others wait their turn", async () => {
    const sandbox = threads({ export: "spin", threads: 2 });
    const all = [0, 1, 2].map((i) => attempt(sandbox, { id: `o${i}`, payload: { ms: 600 } }));
    await begun(all[0] as SandboxAttempt);
    await begun(all[1] as SandboxAttempt);
    expect(all[2]?.progress).toEqual([]);
    expect(await Promise.all(all.map(({ outcome }) => outcome))).toEqual(["spun", "spun", "spun"]);
  });

  test("waits no longer for a thread when it is cancelled, and the next in line is served", async () => {
    const sandbox = threads({ export: "spin", threads: 1 });
    const first = attempt(sandbox, { payload: { ms: 200 } });
    await begun(first);
    const second = attempt(sandbox, { payload: { ms: 1 } });
    const third = attempt(sandbox, { payload: { ms: 1 } });
    second.abort.abort(cancelled);
    await expect(second.execution).rejects.toBe(cancelled);
    expect(await third.outcome).toBe("spun");
  });
});

describe("work that fails in a worker thread", () => {
  test("keeps the code, details and class of its error", async () => {
    const error: unknown = await attempt(threads({ export: "refuse" })).outcome.catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: "CUTOVER_ORDER_FAILED",
      details: { reason: "EPICTURE", class: "fatal" },
    });
    expect(classify(error)).toEqual({ class: "fatal" });
    const caused: unknown = await attempt(threads({ export: "missing" })).outcome.catch((e: unknown) => e);
    expect(caused).toMatchObject({ name: "TypeError", message: "outer", cause: { code: "ENOENT" } });
    expect(classify(caused)).toEqual({ class: "fatal" });
  });

  test("by ending its thread or by an error nobody caught has failed, and the next order gets a new thread", async () => {
    const sandbox = threads({ export: "exit", threads: 1 });
    const ended = { code: "CUTOVER_ORDER_FAILED", details: { exitCode: 7 } };
    await expect(attempt(sandbox).outcome).rejects.toMatchObject(ended);
    await expect(attempt(sandbox).outcome).rejects.toMatchObject(ended);
    await expect(attempt(threads({ export: "crashLater" })).outcome).rejects.toMatchObject({
      message: "nobody caught this",
    });
  });

  test("by returning what cannot be copied is told so", async () => {
    await expect(attempt(threads({ export: "strange" })).outcome).rejects.toMatchObject({
      code: "CUTOVER_QUEUE_INVALID",
      place: undefined,
      message: expect.stringContaining("cannot be copied between threads"),
    });
  });

  test("when the module or its export is not there, at once and for good", async () => {
    const nowhere = attempt(threads({ module: new URL("file:///nowhere/work.ts") }));
    const error: unknown = await nowhere.execution.catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: "CUTOVER_ORDER_FAILED",
      message: expect.stringContaining("file:///nowhere/work.ts could not be loaded"),
      details: { reason: "ERR_MODULE_NOT_FOUND", class: "fatal" },
    });
    await expect(attempt(threads({ export: "notAFunction" })).execution).rejects.toMatchObject({
      message: expect.stringContaining('expected a function named "notAFunction"'),
      details: { class: "fatal" },
    });
    expect(() => workerThread({ module: "./work.ts" })).toThrow(/module: expected an absolute path/);
    for (const strange of [
      { moduel: "x" },
      { export: "" },
      { resourceLimits: { maxOldGenerationSizeMb: 9 } },
    ] as object[])
      expect(() => workerThread({ module: "/work.ts", ...strange })).toThrow(
        expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID" }),
      );
  });
});

describe("whatever is thrown in a worker thread", () => {
  test("is told and classified as in a function", async () => {
    for (const what of ["plain", "bare", "secret"] as const) {
      const here = (() => {
        try {
          return throwOdd(claimedOrder({ payload: { what } }) as never);
        } catch (error) {
          return error;
        }
      })();
      const sandbox = threads({ export: "throwOdd", threads: 1 });
      const there: unknown = await attempt(sandbox, { payload: { what } }).outcome.catch((e: unknown) => e);
      expect(errorRecord(there), what).toEqual(errorRecord(here));
      expect(classify(there), what).toEqual(classify(here));
    }
  });
});

describe("what an order leaves behind in a warm thread", () => {
  const pair = async (leave: string): Promise<SandboxAttempt> => {
    const sandbox = threads({ export: "leftovers", threads: 1 });
    expect(await attempt(sandbox, { payload: { leave } }).outcome).toBe("first");
    return attempt(sandbox, { payload: {} });
  };

  test("is not heard as the next one's progress and log", async () => {
    const { outcome, progress, logged } = await pair("words");
    expect(await outcome).toBe("second");
    expect({ progress, logged }).toEqual({ progress: [], logged: [] });
  });

  test.each([
    ["error", "left behind"],
    ["exit", "exit code 9"],
  ])(
    "loses the next one's attempt when it ends the thread (%s), but is not its failure",
    async (leave, how) => {
      const { outcome } = await pair(leave);
      const error: unknown = await outcome.catch((e: unknown) => e);
      expect(error).toMatchObject({
        message: `the worker thread of work order order-1 was ended by what an earlier order left running in it: ${how}`,
      });
      expect(isLost(error)).toBe(true);
    },
  );

  test("is nothing of its own: payload and result are not kept as long as the thread is", async () => {
    const sandbox = threads({ threads: 1 });
    const forgotten = async (): Promise<WeakRef<object>> => {
      const payload = { much: "x".repeat(1_000) };
      await attempt(sandbox, { payload }).outcome;
      return new WeakRef(payload);
    };
    const refs = [await forgotten(), await forgotten()];
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    for (let tries = 0; tries < 20 && refs.some((ref) => ref.deref() !== undefined); tries++) {
      await sleep(systemClock, 1);
      collect();
    }
    expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined]);
  });
});

describe("limits of work in a worker thread", () => {
  test("its heap: the thread is ended, the process and other threads go on", async () => {
    const beside = attempt(threads({ export: "spin" }), { payload: { ms: 300 } });
    const { outcome } = attempt(threads({ export: "fillHeap" }), { memory: 32 * MB });
    await expect(outcome).rejects.toMatchObject({
      code: "CUTOVER_ORDER_MEMORY",
      details: { limit: 32 * MB, class: "fatal" },
    });
    expect(await beside.outcome).toBe("spun");
  });

  test("its heap, however often: no collection of a full heap aborts the process", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-heap-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "fill.ts");
    writeFileSync(
      file,
      `import { attempt } from ${JSON.stringify(attemptModule)};
      import { workerThread } from ${JSON.stringify(sandboxModule)};
      const sandbox = workerThread({ module: ${JSON.stringify(module.href)}, export: "fillHeap", threads: 3 });
      const fill = async () => {
        const codes = [];
        for (let round = 0; round < 5; round++)
          codes.push(await attempt(sandbox, { memory: ${100 * MB} }).outcome.catch((error) => error.code));
        return codes;
      };
      const codes = (await Promise.all([fill(), fill(), fill()])).flat();
      console.log(codes.length, ...new Set(codes));
      await sandbox.close();`,
    );
    const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "pipe"] });
    const [printed, [code, signal]] = await Promise.all([
      child.stdout.toArray(),
      once(child, "exit") as Promise<[number | null, string | null]>,
    ]);
    expect({ code, signal }).toEqual({ code: 0, signal: null });
    expect(Buffer.concat(printed).toString()).toBe("15 CUTOVER_ORDER_MEMORY\n");
  }, 120_000);

  test("its buffers outside the heap", async () => {
    const { outcome, execution } = attempt(threads({ export: "fillBuffers" }), { memory: 64 * MB });
    await expect(outcome).rejects.toMatchObject({
      code: "CUTOVER_ORDER_MEMORY",
      details: { limit: 64 * MB, found: expect.any(Number) },
    });
    expect((await execution).usage?.()?.maxRss).toBeGreaterThan(64 * MB);
  });

  test("time: a module that does not come to its end while it is loaded has the order's, and no more", async () => {
    const clock = new ManualClock();
    const never = new URL("data:text/javascript,await new Promise((resolve) => setTimeout(resolve, 1e9))");
    const { execution } = attempt(workerThread({ module: never }, clock));
    await clock.advance(60_000);
    await expect(execution).rejects.toMatchObject({ code: "CUTOVER_ORDER_TIMEOUT" });
  });

  test("time: asked to end with the reason, and its result is still given back", async () => {
    const polite = attempt(threads({ export: "polite" }));
    await begun(polite);
    polite.abort.abort(cancelled);
    await (await polite.execution).cancel(5_000);
    expect(await polite.outcome).toBe("ended by itself");
    expect(polite.progress).toContainEqual({ reason: "CUTOVER_ORDER_CANCELLED" });
  });

  test("time: a thread that blocks is ended after the grace, and this one never waits", async () => {
    const sandbox = threads({ export: "spin", threads: 1 });
    const blocked = attempt(sandbox, { payload: {} });
    await begun(blocked);
    blocked.abort.abort(cancelled);
    await (await blocked.execution).cancel(50);
    await expect(blocked.outcome).rejects.toMatchObject({ code: "CUTOVER_ORDER_FAILED" });
    expect(await attempt(sandbox, { payload: { ms: 1 } }).outcome).toBe("spun");
  });

  test("time: a thread that blocks in a call of the system is left behind, and another takes its place", async () => {
    const folder = mkdtempSync(join(tmpdir(), "cutover-pipe-"));
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const clock = new ManualClock();
    const sandbox = workerThread({ module, threads: 1, export: "readPipe" }, clock);
    const blocked = attempt(sandbox, { payload: { pipe } });
    // Only with somebody at the other end can it be opened so: from then on the thread waits for what is never written.
    const writer = await reader(pipe);
    blocked.abort.abort(cancelled);
    let over = false;
    const ending = (await blocked.execution).cancel(50).then(() => (over = true));
    for (let tries = 0; tries < 1_000 && !over; tries++) await clock.advance(10);
    await ending;
    await expect(blocked.outcome).rejects.toThrow(
      "blocks in a call that cannot be ended; it was left behind",
    );
    expect(sandbox.leftBehind?.()).toBe(1);
    const beside = attempt(sandbox, { payload: { pipe: "/dev/null" } });
    expect(await beside.outcome).toBe("");
    closeSync(writer);
    for (let tries = 0; tries < 500 && sandbox.leftBehind?.() !== 0; tries++) await sleep(systemClock, 10);
    expect(sandbox.leftBehind?.()).toBe(0);
    await sandbox.close?.();
    rmSync(folder, { recursive: true });
  });

  test("what each order took is told for itself, in a thread that did others before", async () => {
    const sandbox = threads({ export: "compute", threads: 1 });
    const long = attempt(sandbox, { payload: { rounds: 3e8 } });
    await long.outcome;
    const short = attempt(sandbox, { payload: { rounds: 1 } });
    await short.outcome;
    const [a, b] = [(await long.execution).usage?.(), (await short.execution).usage?.()];
    expect(a?.cpuMs).toBeGreaterThan(100);
    expect(b?.cpuMs).toBeLessThan(50);
    expect(b?.maxRss).toBeGreaterThan(MB);
  });

  test("threads without work are ended when they were idle long enough", async () => {
    const sandbox = threads({ idle: "30ms" });
    const first = (await attempt(sandbox).outcome) as { threadId: number };
    await sleep(systemClock, 400);
    expect(await attempt(sandbox).outcome).not.toMatchObject({ threadId: first.threadId });
  });
});

test("threads that wait for work keep no process alive", async () => {
  const program = `
    import { attempt } from ${JSON.stringify(attemptModule)};
    import { workerThread } from ${JSON.stringify(sandboxModule)};
    const { outcome } = attempt(workerThread({ module: ${JSON.stringify(module.href)} }));
    console.log((await outcome).id);`;
  const file = join(mkdtempSync(join(tmpdir(), "cutover-threads-")), "program.mjs");
  writeFileSync(file, program);
  onTestFinished(() => rmSync(dirname(file), { recursive: true }));
  const child = spawn(process.execPath, [file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const late = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const [code] = (await once(child, "exit")) as [number | null];
  clearTimeout(late);
  expect([code, printed]).toEqual([0, "order-1\n"]);
});
