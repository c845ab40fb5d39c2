import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { PassThrough } from "node:stream";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DockerEngineDouble, frame } from "../../../test/queue/docker-engine.ts";
import { attempt, claimedOrder, type SandboxAttempt } from "../../../test/queue/sandbox-attempt.ts";
import { CutoverError, sleep, systemClock } from "../../core/index.ts";
import { ManualClock } from "../../testing/manual-clock.ts";
import { classify } from "../failure.ts";
import { BoundedOutput } from "./bounded-output.ts";
import { ContainerOutput } from "./container-streams.ts";
import { docker, type DockerOptions } from "./docker.ts";
import { openDocker } from "./docker-client.ts";
import type { Sandbox } from "./sandbox.ts";

const MB = 2 ** 20;
let folder: string;
let double: DockerEngineDouble;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "cutover-docker-"));
  double = new DockerEngineDouble();
  await double.listen(join(folder, "docker.sock"));
});

afterEach(async () => {
  await double.close();
  rmSync(folder, { recursive: true });
});

const sandbox = (args: readonly string[], options: Partial<DockerOptions<unknown>> = {}): Sandbox =>
  docker({
    image: "busybox:latest",
    command: { args },
    engine: { socketPath: join(folder, "docker.sock") },
    answer: "5s",
    ...options,
  });

/** For an engine that does not answer: soon enough for a test, and late enough for what it does answer. */
const impatient: Partial<DockerOptions<unknown>> = { answer: "400ms" };

const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );

async function running(): Promise<void> {
  for (let tries = 0; tries < 3_000; tries++) {
    const all = [...double.containers.values()];
    if (all.length > 0 && all.every(({ status, output }) => status === "running" && output.length > 0))
      return;
    await sleep(systemClock, 10);
  }
  throw new Error("no container came to run");
}

const cancelled = new CutoverError("CUTOVER_ORDER_CANCELLED", { message: "not wanted any more" });

describe("work in a container", () => {
  test("gives back what it wrote, and leaves no container", async () => {
    const { outcome, execution, traces } = attempt(sandbox(["echo", "a", "b"]));
    expect(await outcome).toEqual({ exitCode: 0, stdout: "a b\n", stderr: "" });
    expect((await execution).usage?.()).toEqual({ cpuMs: 250, maxRss: 80 * MB });
    expect(double.containers.size).toBe(0);
    expect(traces).toEqual([{ provider: "docker", claim: "host:1:1 1 order-1" }]);
  });

  test("is kept to its order's memory, without network or new privileges, and carries its claim", async () => {
    const hang = attempt(sandbox(["hang"], { cpus: 0.5, pids: 64 }), { memory: 64 * MB, fence: 7 });
    await running();
    const [container] = double.containers.values();
    expect(container?.spec).toMatchObject({
      Image: "busybox:latest",
      Labels: {
        "cutover.claim": "host:1:1 7 order-1",
        "cutover.order": "order-1",
        "cutover.kind": "work",
        "cutover.fence": "7",
      },
      HostConfig: {
        Memory: 64 * MB,
        MemorySwap: 64 * MB,
        NanoCpus: 5e8,
        PidsLimit: 64,
        NetworkMode: "none",
        SecurityOpt: ["no-new-privileges"],
        Init: true,
      },
    });
    hang.abort.abort(cancelled);
    await (await hang.execution).cancel(0);
    await hang.outcome.catch(() => {});
  });

  test("gets what the queue tells of its claim, but not the mark by which programs are ended", async () => {
    const { outcome } = attempt(sandbox([], { command: ({ id }) => ({ args: ["env"], env: { OWN: id } }) }), {
      fence: 2,
      attempt: 1,
    });
    const { stdout } = (await outcome) as { stdout: string };
    expect(stdout.split("\n").toSorted()).toEqual([
      "CUTOVER_ATTEMPT=2",
      "CUTOVER_FENCE=2",
      "CUTOVER_IDEMPOTENCY_KEY=order-1",
      "CUTOVER_ORDER_ID=order-1",
      "CUTOVER_ORDER_KIND=work",
      "OWN=order-1",
    ]);
  });

  test("that ends with another exit code has failed, with the end of its output", async () => {
    const error = await failure(attempt(sandbox(["fail", "3"])).outcome);
    expect(error).toMatchObject({
      code: "CUTOVER_ORDER_FAILED",
      message: "the container of busybox:latest ended with exit code 3",
      details: { exitCode: 3, stdout: "before\n", stderr: "it broke\n" },
    });
    expect(classify(error)).toEqual({ class: "retryable" });
    expect(classify(await failure(attempt(sandbox(["fail", "3"], { fatalExitCodes: [3] })).outcome))).toEqual(
      {
        class: "fatal",
      },
    );
  });

  test("that the kernel ended for its memory says so and is not tried again", async () => {
    const error = await failure(attempt(sandbox(["eat"]), { memory: 32 * MB }).outcome);
    expect(error).toMatchObject({
      code: "CUTOVER_ORDER_MEMORY",
      message: "work order order-1 reached its limit of 32 MB of memory, and was ended",
    });
    expect(classify(error)).toEqual({ class: "fatal" });
  });

  test("that writes without end is cut", async () => {
    const { outcome } = attempt(sandbox(["flood"], { output: "10 kB" }));
    const { stdout } = (await outcome) as { stdout: string };
    expect(stdout.length).toBeLessThan(11_000);
    expect(stdout).toMatch(/left out …/);
  });
});

describe("ending a container", () => {
  const begin = async (args: readonly string[]): Promise<SandboxAttempt> => {
    const work = attempt(sandbox(args));
    await running();
    work.abort.abort(cancelled);
    return work;
  };

  test("asks first, and what ends in time is not killed", async () => {
    const work = await begin(["sleep", "60000"]);
    const [container] = double.containers.values();
    await (await work.execution).cancel(5_000);
    expect(container?.signals).toEqual(["SIGTERM t=5"]);
    await expect(work.outcome).rejects.toMatchObject({ details: { exitCode: 143 } });
    expect(double.containers.size).toBe(0);
  });

  test("kills what does not listen after the grace", async () => {
    const work = await begin(["hang"]);
    const [container] = double.containers.values();
    await (await work.execution).cancel(100);
    expect(container?.signals).toEqual(["SIGTERM t=1", "SIGKILL"]);
    await expect(work.outcome).rejects.toMatchObject({ message: expect.stringContaining("SIGKILL") });
    expect(double.containers.size).toBe(0);
  });

  test("does not wait for ever for an engine that hangs, and ends the container before the next attempt", async () => {
    const hanging = sandbox(["hang"], impatient);
    const work = attempt(hanging);
    await running();
    for (const call of ["POST stop", "POST kill", "GET json", "DELETE remove"]) {
      double.fail(call, ...Array.from({ length: 20 }, () => "hang" as const));
    }
    work.abort.abort(cancelled);
    await (await work.execution).cancel(50);
    const error = await failure(work.outcome);
    expect(error).toMatchObject({ code: "CUTOVER_SANDBOX_UNAVAILABLE" });
    expect(classify(error)).toEqual({ class: "retryable" });
    expect(double.containers.size).toBe(1);

    double.clear();
    const [left] = double.containers.keys();
    const again = attempt(hanging, { fence: 2 });
    await again.execution;
    expect([...double.containers.keys()]).not.toContain(left);
    await running();
    again.abort.abort(cancelled);
    await (await again.execution).cancel(0);
    await again.outcome.catch(() => {});
    expect(double.containers.size).toBe(0);
  });
});

describe("what the engine kept while it did not answer", () => {
  /** A container whose end was asked for while the engine was away; the engine is back. */
  async function left(own: Sandbox): Promise<void> {
    const work = attempt(own);
    await running();
    for (const call of ["POST stop", "POST kill", "GET json", "DELETE remove"])
      double.fail(call, ...Array.from({ length: 20 }, () => ({ status: 503, message: "starting" })));
    await (await work.execution).cancel(0);
    await failure(work.outcome);
    expect(double.containers.size).toBe(1);
    double.clear();
  }

  test("is ended as soon as it answers, also when the order is never tried again", async () => {
    await left(sandbox(["hang"], { answer: "100ms" }));
    for (let tries = 0; tries < 500 && double.containers.size > 0; tries++) await sleep(systemClock, 10);
    expect(double.containers.size).toBe(0);
  });
});

describe("images", () => {
  test("one that is missing is pulled, once for all orders that wait for it", async () => {
    double.registry.add("tool:1");
    const own = sandbox(["echo"], { image: "tool:1" });
    await Promise.all([1, 2, 3].map((n) => attempt(own, { id: `o${n}` }).outcome));
    expect(double.calls.filter((call) => call === "POST create").length).toBe(1 + 3);
  });

  test("one that nobody has is an error, and one that may not be pulled is so for good", async () => {
    const unknown = await failure(attempt(sandbox(["echo"], { image: "nobody:1" })).execution);
    expect(unknown).toMatchObject({
      code: "CUTOVER_SANDBOX_UNAVAILABLE",
      message: expect.stringContaining("manifest for nobody:1 not found"),
    });
    const never = await failure(attempt(sandbox(["echo"], { image: "tool:1", pull: "never" })).execution);
    expect(never).toMatchObject({ code: "CUTOVER_ORDER_FAILED", remedy: "docker pull tool:1" });
    expect(classify(never)).toEqual({ class: "fatal" });
  });
});

describe("an engine in trouble", () => {
  test("that is not there is named, and the order is tried again", async () => {
    const nowhere = sandbox(["echo"], { engine: { socketPath: join(folder, "nowhere.sock") } });
    const error = await failure(attempt(nowhere).execution);
    expect(error).toMatchObject({
      code: "CUTOVER_SANDBOX_UNAVAILABLE",
      message: "the Docker engine, asked to look for image busybox:latest, could not be reached: ENOENT",
    });
    expect(classify(error)).toEqual({ class: "retryable" });
  });

  test.each(["GET json", "POST create", "POST start"])(
    "that hangs, cuts the line or fails at %s makes the order be tried again, and nothing is left",
    async (call) => {
      // The first `GET json` of an order asks for its image.
      for (const fault of [
        "hang",
        "cut",
        { status: 500, message: "disk full" },
        { status: 429, message: "too many requests" },
      ] as const) {
        double.fail(call, fault);
        const { execution, outcome } = attempt(sandbox(["echo"], fault === "hang" ? impatient : {}));
        const error = await failure(execution.then(() => outcome));
        expect(error).toMatchObject({ code: "CUTOVER_SANDBOX_UNAVAILABLE" });
        expect(classify(error)).toEqual({ class: "retryable" });
        expect(double.containers.size).toBe(0);
      }
    },
  );

  test("that made a container and could not say so leaves none behind", async () => {
    double.fail("POST create", "answered-nobody");
    const error = await failure(attempt(sandbox(["echo"], impatient)).outcome);
    expect(error).toMatchObject({ code: "CUTOVER_SANDBOX_UNAVAILABLE" });
    expect(double.calls).toContain("DELETE remove");
    expect(double.containers.size).toBe(0);
  });

  test("that refuses the container says why, and it is not tried again", async () => {
    const unknown = await failure(attempt(sandbox(["no-such-program"])).outcome);
    expect(unknown).toMatchObject({
      code: "CUTOVER_ORDER_FAILED",
      message: expect.stringContaining('exec: "no-such-program": executable file not found'),
      details: { status: 400, class: "fatal" },
    });
    double.fail("POST create", { status: 409, message: "conflict" });
    expect(await failure(attempt(sandbox(["echo"])).outcome)).toMatchObject({ details: { status: 409 } });
    expect(double.containers.size).toBe(0);
  });

  test("that restarts while work runs costs nothing: the wait, output and end are taken up again", async () => {
    const work = attempt(sandbox(["sleep", "400"]));
    await running();
    double.cutAll();
    expect(await work.outcome).toEqual({ exitCode: 0, stdout: "up\n", stderr: "" });
  });

  test("that cuts the wait in the middle of its answer is asked again", async () => {
    double.fail("POST wait", "cut-late", "cut", "cut-late");
    expect(await attempt(sandbox(["sleep", "300"])).outcome).toMatchObject({ exitCode: 0 });
  });

  test("whose figures cannot be had still gives the result", async () => {
    double.fail("GET stats", { status: 500, message: "no cgroup" });
    const { outcome, execution } = attempt(sandbox(["echo", "a"]));
    expect(await outcome).toEqual({ exitCode: 0, stdout: "a\n", stderr: "" });
    expect((await execution).usage?.()).toBeUndefined();
  });

  test.each(["cut", { status: 501, message: "the log driver does not support reading" }] as const)(
    "whose output cannot be had makes no result of it, and a failure stays one (%j)",
    async (fault) => {
      double.fail("GET logs", fault, fault);
      const error = await failure(attempt(sandbox(["echo", "a"])).outcome);
      expect(error).toMatchObject({
        code: "CUTOVER_SANDBOX_UNAVAILABLE",
        message: expect.stringContaining("what the container of work order order-1 wrote"),
      });
      expect(classify(error)).toEqual({ class: "retryable" });
      double.fail("GET logs", fault, fault);
      expect(await failure(attempt(sandbox(["fail", "3"])).outcome)).toMatchObject({
        code: "CUTOVER_ORDER_FAILED",
        details: { exitCode: 3 },
      });
    },
  );

  test("whose output takes its time is waited for as long as some of it comes", async () => {
    const clock = new ManualClock();
    const stream = new PassThrough();
    const engine = {
      getImage: () => ({ inspect: () => Promise.resolve({}) }),
      createContainer: () =>
        Promise.resolve({
          id: "slow",
          start: () => Promise.resolve(),
          wait: () => Promise.resolve({ StatusCode: 0 }),
          logs: () => Promise.resolve(stream),
          stats: () => Promise.reject(new Error("none")),
          remove: () => Promise.resolve(),
        }),
    };
    const { outcome } = attempt(docker({ image: "slow", engine: engine as never }, clock));
    for (let line = 0; line < 6; line++) {
      await clock.advance(1_500);
      stream.write(frame(1, `${line}\n`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    expect(await outcome).toMatchObject({ stdout: "0\n1\n2\n3\n4\n5\n" });
  });

  test("from which somebody took the container says so", async () => {
    const work = attempt(sandbox(["hang"]));
    await running();
    double.containers.clear();
    expect(await failure(work.outcome)).toMatchObject({
      code: "CUTOVER_ORDER_FAILED",
      message: "somebody removed the container of work order order-1 while it ran",
    });
  });
});

describe("containers of a dead worker", () => {
  const claimed = (fence: number) =>
    claimedOrder({ fence, sandbox: { provider: "docker", claim: `host:1:1 ${fence} order-1` } });

  test("are found by their claim and ended; those of other claims are left alone", async () => {
    const own = sandbox(["hang"]);
    const [dead, other] = [attempt(own, { fence: 1 }), attempt(own, { fence: 2 })];
    await Promise.all([dead.execution, other.execution]);
    await running();
    const another = sandbox(["hang"]);
    expect(await another.findOrphan(claimed(3))).toBeUndefined();
    const orphan = await another.findOrphan(claimed(1));
    expect(orphan?.description).toMatch(/^container [0-9a-f]{12}$/);
    await orphan?.end(50);
    await dead.outcome.catch(() => {});
    expect([...double.containers.values()].map(({ spec }) => spec.Labels["cutover.fence"])).toEqual(["2"]);
    other.abort.abort(cancelled);
    await (await other.execution).cancel(0);
    await other.outcome.catch(() => {});
  });

  test("are not taken for gone while the engine does not answer", async () => {
    double.fail("GET json", "cut");
    await expect(sandbox([]).findOrphan(claimed(1))).rejects.toMatchObject({
      code: "CUTOVER_SANDBOX_UNAVAILABLE",
    });
    expect(await sandbox([]).findOrphan(claimedOrder())).toBeUndefined();
  });
});

test("output comes apart the same however it was cut into pieces", () => {
  const parts = fc.array(fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.string({ maxLength: 40 })));
  fc.assert(
    fc.property(parts, fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }), (frames, sizes) => {
      const [out, err] = [new BoundedOutput(100_000), new BoundedOutput(100_000)];
      const output = new ContainerOutput(out, err);
      const bytes = Buffer.concat(frames.map(([kind, text]) => frame(kind, text)));
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = sizes[i % sizes.length] ?? 1;
        output.write(bytes.subarray(at, at + size));
        at += size;
      }
      const joined = (wanted: 1 | 2): string =>
        Buffer.concat(
          frames.flatMap(([kind, text]) => (kind === wanted ? [Buffer.from(text)] : [])),
        ).toString();
      expect([out.text(), err.text()]).toEqual([joined(1), joined(2)]);
    }),
  );
});

test("options that cannot be are refused by name", () => {
  expect(() => docker({ image: "" })).toThrow(/^image: expected the name of an image/);
  expect(() => docker({ image: "a", cpus: 0 })).toThrow(/^cpus: /);
  expect(() => docker({ image: "a", pull: "sometimes" as never })).toThrow(/^pull: /);
  for (const strange of [
    { memory: "1 GB" },
    { network: 5 },
    { result: "stdout" },
    { fatalExitCodes: 64 },
    { command: "echo a" },
    { command: { arg: ["echo"] } },
    { command: { args: "echo a" } },
    { command: { mounts: [{ from: "data", to: "/in" }] } },
    { command: { mounts: [{ from: "/data", to: "/in", write: true }] } },
  ])
    expect(() => docker({ image: "a", ...(strange as object) }), JSON.stringify(strange)).toThrow(
      expect.objectContaining({ code: "CUTOVER_QUEUE_INVALID" }),
    );
});

const realEngine = await answers();

test.skipIf(!realEngine)(
  "with a real engine, a container runs, is measured, is kept to its memory and is gone afterwards (skipped: no Docker engine answers at DOCKER_HOST or /var/run/docker.sock)",
  async () => {
    const real = (args: readonly string[], memory: number) =>
      attempt(docker({ image: "busybox:1.36", command: { args } }), { memory, id: `real-${process.pid}` });
    expect(await real(["echo", "a b"], 64 * MB).outcome).toEqual({
      exitCode: 0,
      stdout: "a b\n",
      stderr: "",
    });
    const eat = ["sh", "-c", "x=a; while :; do x=$x$x; done"];
    expect(await failure(real(eat, 32 * MB).outcome)).toMatchObject({ code: "CUTOVER_ORDER_MEMORY" });
    const left = await (
      await openDocker(undefined)
    ).listContainers({
      all: true,
      filters: { label: [`cutover.order=real-${process.pid}`] },
    });
    expect(left).toEqual([]);
  },
  120_000,
);

/** Whether a real engine answers a ping. */
function answers(): Promise<boolean> {
  const host = process.env["DOCKER_HOST"];
  const socketPath = host?.startsWith("unix://") === true ? host.slice(7) : "/var/run/docker.sock";
  if (host !== undefined && !host.startsWith("unix://")) return Promise.resolve(true);
  if (!existsSync(socketPath)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const ping = request({ socketPath, path: "/_ping", timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on("error", () => resolve(false));
    ping.on("timeout", () => resolve(false));
    ping.end();
  });
}
