import { chmodSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { execFileSync, spawnSync } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { openSqliteStore } from "../../src/store/index.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { main, Project, type Running, until } from "./command-line.ts";
import { copyRows, withApproval } from "./crossings.ts";
import { submit, worker } from "./queues.ts";

/** The same commands on both stores that many processes share. */
let server: TestServer;
let project: Project;
let where: string;
beforeAll(async () => {
  server = await postgresServer();
}, 60_000);
afterAll(() => server.stop());

type Kind = "sqlite" | "postgres";

function newProject(kind: Kind): void {
  project = new Project();
  project.write("worker.ts", worker);
  project.write("submit.mjs", submit);
  where = kind === "sqlite" ? "sqlite:work.db" : `${server.url()}?schema=${server.schema()}`;
}

/** Submits orders from a process of its own; their ids. */
function submitOrders(
  ...orders: readonly (readonly [kind: string, payload: unknown, options?: object])[]
): readonly string[] {
  const printed = execFileSync(process.execPath, ["submit.mjs", where, JSON.stringify(orders)], {
    cwd: project.dir,
    encoding: "utf8",
    timeout: 30_000,
    env: { ...process.env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1" },
  });
  return JSON.parse(printed) as readonly string[];
}

const queue = (...words: readonly string[]): ReturnType<Project["run"]> =>
  project.run("queue", ...words, "--queue", "jobs", "--store", where);
const queueJson = <T>(...words: readonly string[]): Promise<T> =>
  project.json<T>("queue", ...words, "--queue", "jobs", "--store", where);
const work = (...more: readonly string[]): Running =>
  project.start(["worker", "worker.ts", "--store", where, ...more]);

interface Order {
  readonly id: string;
  readonly state: string;
  readonly attempt: number;
  readonly worker: string | null;
}
const stateOf = async (id: string): Promise<string> =>
  (await queueJson<{ readonly order: Order }>("show", id)).order.state;

describe.each<Kind>(["sqlite", "postgres"])("a queue on %s", (kind) => {
  beforeEach(() => newProject(kind));
  afterEach(() => project[Symbol.dispose]());

  test("is worked off by two processes, each order once, and tells what became of it", async () => {
    const ids = submitOrders(...Array.from({ length: 40 }, (_, n) => ["note", `n${n}`] as const), [
      "fail",
      null,
    ]);
    const ended = await Promise.all([work("--until-empty").ended, work("--until-empty").ended]);
    expect(ended.map(({ code }) => code)).toEqual([0, 0]);
    const noted = project.lines("ledger.txt").map((line) => line.split(" ")[0]);
    expect(noted).toHaveLength(40);
    expect(new Set(noted)).toEqual(new Set(Array.from({ length: 40 }, (_, n) => `n${n}`)));

    const listed = await queueJson<{ readonly orders: readonly Order[] }>("ls");
    expect(listed.orders).toMatchObject([{ id: ids[40], state: "FAILED", error: { code: "E_NEVER" } }]);
    const shown = await queue("show", ids[40] ?? "");
    expect(shown.stdout).toMatch(/submitted[^]*started[^]*exhausted[^]*E_NEVER: it cannot be/);
    expect(shown.stdout).toContain(`cutover queue retry ${ids[40]}`);

    const stats = await queue("stats");
    expect(stats.code).toBe(3);
    expect(stats.stdout).toMatch(/completed +40/);
    expect(stats.stdout).toContain("1 failed and waits for a person");
    expect((await project.run("audit", "--store", where)).stdout).toContain("chain whole");
  });

  test("failed orders are run again, one or all, and who did it stands in the record", async () => {
    const [one = "", two = ""] = submitOrders(["fail", 1], ["fail", 2]);
    await work("--until-empty").ended;
    expect((await queue("retry", one, "--reason", "it is mended", "--by", "ann")).code).toBe(0);
    expect(await stateOf(one)).toBe("PENDING");
    const { history } = await queueJson<{ readonly history: readonly { event: string; note: string }[] }>(
      "show",
      one,
    );
    expect(history.at(-1)).toMatchObject({ event: "requeued", note: "it is mended (ann)" });
    const again = await queueJson<{ readonly retried: number }>("retry", "--failed", "--code", "E_NEVER");
    expect(again).toEqual({ retried: 1, movedOn: 0 });
    expect(await stateOf(two)).toBe("PENDING");

    const refused = await queue("retry", one, "--reason", "once more");
    expect(refused).toMatchObject({ code: 2, stdout: "" });
    expect(refused.stderr).toContain("CUTOVER_QUEUE_ILLEGAL_TRANSITION");
  });

  test("waiting orders are cancelled at once, a running one by its worker", async () => {
    const [running = ""] = submitOrders(["wait", "never"]);
    const worker = work();
    await until(() => project.lines("ledger.txt").length === 1, "the order runs");
    expect((await queue("cancel", running.slice(0, 24), "--reason", "not wanted", "--by", "ann")).code).toBe(
      0,
    );
    await until(async () => (await stateOf(running)) === "CANCELLED", "the running one is cancelled");
    worker.child.kill("SIGTERM");
    await worker.ended;
    submitOrders(["note", "a"], ["note", "b"], ["wait", "x"]);
    expect(await queueJson("cancel", "--all", "--kind", "note", "--reason", "not wanted")).toEqual({
      cancelled: 2,
      asked: 0,
      movedOn: 0,
    });
    const done = await queueJson<{ readonly orders: readonly Order[] }>("ls", "--state", "cancelled");
    expect(done.orders).toHaveLength(3);
    expect((await queue("cancel", running, "--reason", "again")).code).toBe(0);
    expect((await queue("cancel", "nothing", "--reason", "x")).stderr).toContain(
      "CUTOVER_QUEUE_UNKNOWN_ORDER",
    );
  });

  test("a pause holds every worker until it is lifted", async () => {
    submitOrders(["note", "a"]);
    const paused = await queue("pause", "--reason", "the printer burns", "--by", "ann");
    expect(paused.stdout).toContain("ann: the printer burns");
    const worker = work();
    await until(() => worker.output().includes("worker "), "the worker is there");
    const stats = await queue("stats");
    expect(stats.stdout).toContain("paused: no worker starts anything");
    expect(project.lines("ledger.txt")).toEqual([]);
    expect((await queue("resume")).code).toBe(0);
    await until(() => project.lines("ledger.txt").length === 1, "the order is done");
    const workers =
      await queueJson<readonly { readonly kinds: readonly string[]; readonly alive: boolean }[]>("workers");
    expect(workers).toMatchObject([{ alive: true, slots: 4 }]);
    worker.child.kill("SIGTERM");
    expect((await worker.ended).code).toBe(0);
    expect(await queueJson("prune", "--older-than", "0ms")).toEqual({ queue: "jobs", removed: 1 });
  });

  test("SIGTERM drains: what runs may end, nothing new is begun, what is left goes back unharmed", async () => {
    const [quick = "", endless = ""] = submitOrders(["wait", "go"], ["wait", "never"]);
    const worker = work("--drain", "2s");
    await until(() => project.lines("ledger.txt").length === 2, "both run");
    worker.child.kill("SIGTERM");
    await until(() => worker.output().includes("draining"), "it drains");
    // At once: to start the program that submits takes as long as the drain where much else runs.
    project.write("go", "");
    const [later = ""] = submitOrders(["note", "later"]);
    const { code, stderr } = await worker.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining("drained: nothing of this worker runs")]);
    expect(await stateOf(quick)).toBe("COMPLETED");
    expect(await stateOf(later)).toBe("PENDING");
    const { order } = await queueJson<{ readonly order: Order }>("show", endless);
    expect(order).toMatchObject({ state: "PENDING", attempt: 0 });
  });

  test("after kill -9 another worker goes on, with a higher fence", async () => {
    const [id = ""] = submitOrders(["wait", "go"]);
    const first = work();
    await until(() => project.lines("ledger.txt").length === 1, "it runs");
    first.child.kill("SIGKILL");
    await first.ended;
    const second = work("--until-empty");
    await until(() => project.lines("ledger.txt").length === 2, "it runs again");
    project.write("go", "");
    expect((await second.ended).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual(["waits go 1", "waits go 2", "went go 2"]);
    expect(await stateOf(id)).toBe("COMPLETED");
  });

  test("a worker that stands still longer than its lease is replaced, and what it does then is refused", async () => {
    const [id = ""] = submitOrders(["wait", "go"]);
    const first = work();
    await until(() => project.lines("ledger.txt").length === 1, "it runs");
    first.child.kill("SIGSTOP");
    const second = work("--until-empty");
    await until(
      () => project.lines("ledger.txt").length === 2,
      "another one runs it after the lease",
      30_000,
    );
    project.write("go", "");
    expect((await second.ended).code).toBe(0);
    first.child.kill("SIGCONT");
    await until(() => project.lines("ledger.txt").length === 4, "the first one wakes", 3_000).catch(() => {});
    first.child.kill("SIGTERM");
    await first.ended;
    const { order, history } = await queueJson<{
      readonly order: Order;
      readonly history: readonly { readonly event: string }[];
    }>("show", id);
    expect(order.state).toBe("COMPLETED");
    expect(history.filter(({ event }) => event === "completed")).toHaveLength(1);
  });
});

test("an order that somebody edited is named by audit, and made anew by what it says to type", async () => {
  newProject("sqlite");
  using own = project;
  const [id = ""] = submitOrders(["fail", 1], ["note", "n1"]);
  await work("--until-empty").ended;
  const db = new DatabaseSync(own.path("work.db"));
  db.prepare("UPDATE orders SET state = 'COMPLETED' WHERE id = ?").run(id);
  db.close();
  const found = await own.run("audit", "--store", where);
  expect(found.code).toBe(6);
  const told = found.stderr.replaceAll(/\s+/g, " ");
  expect(told).toContain(
    `the row of orders with id "${id}" has state "COMPLETED", and the events tell "FAILED"`,
  );
  expect(told).toContain(`cutover audit rebuild --store ${where}`);
  const rebuilt = await own.run("audit", "rebuild", "--store", where);
  expect(rebuilt.stdout).toContain(id);
  expect((await own.run("audit", "--store", where)).stdout).toContain("chain whole");
  expect(await stateOf(id)).toBe("FAILED");
});

test("a backup on a read-only disk is looked at, and nothing is made beside it", async () => {
  newProject("sqlite");
  using own = project;
  where = "sqlite:backup/work.db";
  mkdirSync(own.path("backup"));
  const [id = ""] = submitOrders(["note", "early"]);
  chmodSync(own.dir, 0o755);
  chmodSync(own.path("backup"), 0o555);
  // Root may write everywhere, so it looks as somebody else.
  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const look = (...words: readonly string[]): string => {
    const env = { ...process.env, NO_COLOR: "1", NODE_OPTIONS: "" };
    const options = { cwd: own.dir, encoding: "utf8" as const, env, ...user };
    const { stdout, stderr } = spawnSync(process.execPath, [main, ...words, "--store", where], options);
    return stdout + stderr;
  };
  expect(look("queue", "ls", "--queue", "jobs")).toContain(id);
  expect(look("queue", "show", id, "--queue", "jobs")).toContain("submitted");
  expect(look("queue", "stats", "--queue", "jobs")).toMatch(/pending +1/);
  expect(look("queue", "workers", "--queue", "jobs")).not.toContain("CUTOVER_");
  expect(look("audit", "verify")).toContain("chain whole");
  expect(look("queue", "pause", "--queue", "jobs", "--reason", "x")).toContain("CUTOVER_STORE_UNAVAILABLE");
  expect(readdirSync(own.path("backup"))).toEqual(["work.db"]);
  chmodSync(own.path("backup"), 0o755);
});

describe("a worker whose file is replaced", () => {
  beforeEach(() => newProject("sqlite"));
  afterEach(() => project[Symbol.dispose]());

  test.each([[[]], [["--until-empty"]]])("ends with its work, and says what to do (%j)", async (more) => {
    submitOrders(["note", "early"], ["wait", "never"]);
    const worker = work(...more);
    await until(() => project.lines("ledger.txt").length === 2, "both were begun");
    execFileSync("sh", ["-ec", "mkdir before; mv work.db* before/"], { cwd: project.dir });
    submitOrders(["note", "late"]);
    const { code, stderr } = await worker.ended;
    expect(code).toBe(6);
    expect(stderr).toMatch(/CUTOVER_STORE_GONE[^]*end every process that has the store open/);
    expect(project.lines("ledger.txt")).toHaveLength(2);
    const next = work("--until-empty");
    expect((await next.ended).code).toBe(0);
    expect(project.lines("ledger.txt").at(-1)).toBe("late 1");
    where = "sqlite:before/work.db";
    const old = await queueJson<{ readonly orders: readonly Order[] }>("ls");
    expect(old.orders).toMatchObject([{ kind: "wait", state: "RUNNING" }]);
  });
});

describe("a worker", () => {
  afterEach(() => project[Symbol.dispose]());

  test("outlives a crash of its server", async () => {
    newProject("postgres");
    submitOrders(["note", "before"]);
    const running = work();
    await until(() => project.lines("ledger.txt").length === 1, "the first order is done");
    await server.restart("immediate");
    submitOrders(["note", "after"]);
    // The first one is done again when its outcome was not recorded before the crash.
    const isDone = (): boolean => project.lines("ledger.txt").some((line) => line.startsWith("after"));
    await until(isDone, "the second order is done");
    running.child.kill("SIGTERM");
    expect((await running.ended).code).toBe(0);
    expect((await project.run("audit", "--store", where)).stdout).toContain("chain whole");
  });

  test("tells with --json what it does, a line each", async () => {
    newProject("sqlite");
    submitOrders(["note", "a"], ["fail", null]);
    const { stdout, code } = await work("--until-empty", "--json").ended;
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; event?: string });
    expect(lines[0]?.type).toBe("started");
    expect(lines.at(-1)?.type).toBe("drained");
    const events = lines.flatMap(({ type, event }) =>
      type === "order" && event !== undefined ? [event] : [],
    );
    expect(events.toSorted((a, b) => a.localeCompare(b))).toEqual([
      "completed",
      "exhausted",
      "started",
      "started",
    ]);
  });

  test("whose store is away when it is told to drain leaves in time, and says so", async () => {
    newProject("postgres");
    const away = await postgresServer();
    where = `${away.url()}?schema=${away.schema()}`;
    const running = work("--drain", "1s");
    submitOrders(["note", "before"], ["wait", "never"]);
    await until(() => project.lines("ledger.txt").length === 2, "both have begun");
    await away.stop();
    running.child.kill("SIGTERM");
    const { code, stderr } = await running.ended;
    expect([code, stderr]).toEqual([6, expect.stringContaining("the store does not answer: left")]);
  }, 60_000);

  test("that is to end when all is done goes on through an outage, and says what a pause has left", async () => {
    newProject("postgres");
    submitOrders(["note", "late", { runAt: Date.now() + 3_000 }]);
    const running = work("--until-empty");
    await until(() => running.output().includes("worker "), "the worker is there");
    await server.restart("immediate");
    expect(await running.ended).toMatchObject({ code: 0 });
    expect(project.lines("ledger.txt")).toHaveLength(1);
    await queue("pause", "--reason", "hold");
    submitOrders(["note", "more"]);
    const { code, stderr } = await work("--until-empty").ended;
    expect([code, stderr]).toEqual([
      0,
      expect.stringContaining("queue jobs is paused: 1 order left waiting"),
    ]);
    expect(project.lines("ledger.txt")).toHaveLength(1);
  }, 60_000);

  test("ends at once at the second signal, as a crash would; nothing is lost", async () => {
    newProject("sqlite");
    const [id = ""] = submitOrders(["wait", "go"]);
    const running = work("--drain", "1h");
    await until(() => project.lines("ledger.txt").length === 1, "it runs");
    running.child.kill("SIGINT");
    await until(() => running.output().includes("draining"), "it drains");
    running.child.kill("SIGINT");
    expect((await running.ended).code).toBe(130);
    project.write("go", "");
    expect((await work("--until-empty").ended).code).toBe(0);
    expect(await stateOf(id)).toBe("COMPLETED");
  });
});

describe("a worker with work that cannot be ended", () => {
  /** A thread that blocks in a call of the system, until somebody writes to the pipe: nobody does. */
  beforeEach(() => {
    newProject("sqlite");
    execFileSync("mkfifo", [`${project.dir}/pipe`]);
    project.write(
      "thread.mjs",
      `import { readFileSync, writeFileSync } from "node:fs";
      export default ({ payload }) => { writeFileSync("begun", ""); readFileSync(payload); };`,
    );
    project.write(
      "worker.ts",
      `import { defineWorker, workerThread } from "cutover/queue";
      export default defineWorker({
        queue: "jobs", stagger: 0, grace: "100ms",
        kinds: {
          read: workerThread({ module: new URL("./thread.mjs", import.meta.url) }),
          /** A sandbox that never says that its work ended. */
          endless: {
            provider: "endless", findOrphan: () => undefined,
            prepare: async () => ({ run: () => new Promise(() => {}), cancel: () => new Promise(() => {}), cleanup: async () => {} }),
          },
        },
      });`,
    );
  });
  afterEach(() => project[Symbol.dispose]());

  async function reading(...more: readonly string[]): Promise<Running> {
    submitOrders(["read", "pipe"]);
    const running = work(...more);
    await until(() => existsSync(`${project.dir}/begun`), "it reads");
    return running;
  }

  test("drains without it, and ends", async () => {
    const running = await reading("--drain", "0s");
    running.child.kill("SIGTERM");
    const { code, stderr } = await running.ended;
    expect([code, stderr]).toEqual([0, expect.stringContaining("drained: nothing of this worker runs")]);
  });

  test("ends at once at the second signal", async () => {
    const running = await reading("--drain", "1h");
    running.child.kill("SIGTERM");
    await until(() => running.output().includes("draining"), "it drains");
    running.child.kill("SIGTERM");
    expect((await running.ended).code).toBe(130);
  });

  test("names the orders that hold it up, not the store", async () => {
    const [id = ""] = submitOrders(["endless", null]);
    const running = work("--drain", "0s");
    await until(() => running.output().includes(id), "it runs");
    running.child.kill("SIGTERM");
    const { code, stderr } = await running.ended;
    expect([code, stderr]).toEqual([6, expect.stringContaining(`1 order did not end: ${id} (endless)`)]);
  }, 60_000);
});

describe.each<Kind>(["sqlite", "postgres"])("a run on %s", (kind) => {
  beforeEach(() => newProject(kind));
  afterEach(() => project[Symbol.dispose]());
  const cutover = (...words: readonly string[]): ReturnType<Project["run"]> =>
    project.run(...words, "--store", where);

  test("that is killed is carried on by a worker of another process", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run", "--store", where]);
    // Not only written: the checkpoint behind the fifth row is stored, too.
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;
    const other = project.start(["worker", "crossing.ts", "--store", where]);
    await until(() => other.output().includes("taken up"), "the worker takes it up");
    project.write("go", "");
    await until(async () => (await cutover("status")).stdout.includes("finished"), "the run is over");
    other.child.kill("SIGTERM");
    expect((await other.ended).code).toBe(0);
    expect(project.lines("ledger.txt")).toEqual([
      "before",
      ...Array.from({ length: 10 }, (_, n) => `row ${n}`),
    ]);
  });

  test("that nobody carries is carried to its end by a worker that is to end when all is done", async () => {
    project.write("crossing.ts", copyRows);
    const first = project.start(["run", "--store", where]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    first.child.kill("SIGKILL");
    await first.ended;
    project.write("go", "");
    const other = await project.run("worker", "crossing.ts", "--until-empty", "--store", where);
    expect([other.code, other.stderr]).toEqual([0, expect.stringContaining("COMPLETED")]);
    expect(project.lines("ledger.txt").at(-1)).toBe("row 9");
  });

  test("hears what people decide elsewhere: pause, continue, approve", async () => {
    project.write("crossing.ts", withApproval);
    const carrier = project.start(["run", "--store", where]);
    await until(() => carrier.output().includes("waits for approval"), "it asks for an approval");
    const paused = await cutover("pause", "--reason", "lunch", "--by", "ann");
    expect(paused).toMatchObject({ code: 0 });
    expect((await cutover("status")).code).toBe(0);
    expect((await cutover("continue")).code).toBe(0);
    const refused = await cutover("approve", "--phase", "move", "--reason", "x");
    expect(refused.stderr).toContain("CUTOVER_APPROVAL_INVALID");
    expect((await cutover("approve", "--reason", "looked at it", "--by", "ben")).code).toBe(0);
    expect((await carrier.ended).code).toBe(0);
    expect((await cutover("report")).code).toBe(0);
    expect((await cutover("audit")).stdout).toContain("chain whole");
  });

  test("is taken back from elsewhere, and looked at meanwhile", async () => {
    project.write("crossing.ts", copyRows);
    const carrier = project.start(["run", "--store", where]);
    await until(() => existsSync(project.path("go.awaited")), "five rows copied");
    const looking = project.start(["watch", "--store", where]);
    await until(() => looking.output().includes("copy-rows"), "the watcher sees it");
    const back = await cutover("rollback", "--reason", "not today", "--by", "ann");
    expect(back.code).toBe(4);
    expect((await carrier.ended).code).toBe(4);
    expect((await looking.ended).code).toBe(4);
    expect(project.lines("ledger.txt").slice(-2)).toEqual(["copy back", "before back"]);
  });

  test("printed commands name the store, without its password", async () => {
    project.write("crossing.ts", withApproval);
    const ended = await project.run("run", "--until-held", "--store", where);
    expect(ended.code).toBe(3);
    const status = await cutover("status");
    for (const text of [ended.stdout, status.stdout]) {
      expect(text).toMatch(/npx cutover \w+ .*--store '?(sqlite:work\.db|postgres:\/\/postgres@)/);
      expect(text).not.toContain("not-a-secret");
    }
  });
});

test("a run whose carrier fell silent is taken back by the process that asked for it", async () => {
  newProject("sqlite");
  using own = project;
  own.write("crossing.ts", withApproval);
  expect((await own.run("run", "--until-held", "--store", where)).code).toBe(3);
  {
    // On another machine: its lease has to be waited for.
    await using store = await openSqliteStore({ path: own.path("work.db"), clock: systemClock });
    const [run] = await store.runs.list();
    await store.runs.claim(run?.id ?? "", "elsewhere:1:1", 2_000);
  }
  expect((await own.run("rollback", "--reason", "not today", "--store", where)).code).toBe(4);
  expect((await own.run("status", "--store", where)).stdout).toContain("rolled back");
  expect(own.lines("ledger.txt")).toEqual(["copy", "copy back"]);
});
