import { spawnSync, execFileSync } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { textWidth } from "../../src/cli/draw/text-width.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { Project, root, until } from "./command-line.ts";
import { copyRows } from "./crossings.ts";
import { worker } from "./queues.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

const seed = `
import { openQueue } from "cutover/queue";
await using queue = await openQueue("sqlite:work.db", { name: "jobs" });
await queue.submitAll([{ kind: "note", payload: "a" }, { kind: "other", payload: "b" }]);
`;
function withOrders(): void {
  project.write("seed.mjs", seed);
  execFileSync(process.execPath, ["seed.mjs"], { cwd: project.dir, timeout: 20_000, stdio: "pipe" });
}

describe("bad input to the commands of a queue", () => {
  const sqlite = ["--store", "sqlite:work.db", "--queue", "jobs"];

  test.each([
    [["queue", "ls", "--state", "DONE"], "CUTOVER_CLI_USAGE", "PENDING, PREPARING"],
    [["queue", "ls", "--limit", "0"], "CUTOVER_CLI_USAGE", "see `cutover help queue ls`"],
    [["queue", "show"], "CUTOVER_CLI_USAGE", "queue show ID"],
    [["queue", "show", "nothing"], "CUTOVER_QUEUE_UNKNOWN_ORDER", "queue ls --state all"],
    [["queue", "show", " "], "CUTOVER_CLI_USAGE", "found an empty one"],
    [["queue", "retry"], "CUTOVER_CLI_USAGE", "--failed"],
    [["queue", "retry", "x", "--failed"], "CUTOVER_CLI_USAGE", "found both"],
    [["queue", "cancel", "x"], "CUTOVER_CLI_USAGE", "expected a reason"],
    [["queue", "pause"], "CUTOVER_CLI_USAGE", "expected a reason"],
    [["queue", "cancel", "x", "--kind", "note", "--reason", "y"], "CUTOVER_CLI_USAGE", "leave out --kind"],
    [["queue", "cancel", "--all", "--state", "failed", "--reason", "y"], "CUTOVER_CLI_USAGE", "found FAILED"],
    [["queue", "stats", "--every", "2s"], "CUTOVER_CLI_USAGE", "--watch"],
    [["queue", "prune"], "CUTOVER_CLI_USAGE", "--older-than"],
    [["queue", "prune", "--older-than", "soon"], "CUTOVER_DURATION_INVALID", "soon"],
    [["queue", "stats", "--every", "1ms"], "CUTOVER_CLI_USAGE", "see `cutover help queue stats`"],
    [["queue", "lst"], "CUTOVER_CLI_UNKNOWN_COMMAND", "queue ls"],
  ] as const)("%j is refused with %s", async (words, code, says) => {
    withOrders();
    const takesQueue = words[1] === "lst" ? [] : sqlite;
    const ended = await project.run(...words, ...takesQueue);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain(code);
    const told = ended.stderr.replaceAll(/\s+/g, " ");
    expect(told).toContain(says);
    expect(told.split("--store sqlite:work.db").length).toBeLessThanOrEqual(2);
    expect(ended.stdout).toBe("");
  });

  test("an empty id is refused, where it was taken for the beginning of the only order", async () => {
    project.write("seed.mjs", seed.replace(', { kind: "other", payload: "b" }', ""));
    execFileSync(process.execPath, ["seed.mjs"], { cwd: project.dir, timeout: 20_000, stdio: "pipe" });
    for (const words of [
      ["cancel", "", "--reason", "x"],
      ["retry", "  "],
      ["show", ""],
    ]) {
      const ended = await project.run("queue", ...words, ...sqlite);
      expect([words, ended.code, ended.stdout]).toEqual([words, 2, ""]);
      expect(ended.stderr).toContain("expected the id of an order, found an empty one");
    }
    const { orders } = await project.json<{ readonly orders: readonly object[] }>("queue", "ls", ...sqlite);
    expect(orders).toMatchObject([{ state: "PENDING" }]);
  });

  test("an order of another queue is not changed: its queue is named, and what to type", async () => {
    withOrders();
    const { orders } = await project.json<{ readonly orders: readonly { readonly id: string }[] }>(
      "queue",
      "ls",
      ...sqlite,
    );
    const id = orders[0]?.id ?? "";
    for (const [words, says] of [
      [["cancel", id, "--reason", "x"], `cancel ${id} --reason "…" --queue jobs --store sqlite:work.db`],
      [["retry", id], `retry ${id} --queue jobs --store sqlite:work.db`],
    ] as const) {
      const ended = await project.run("queue", ...words, "--store", "sqlite:work.db");
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      const told = ended.stderr.replaceAll(/\s+/g, " ");
      expect(told).toContain(`expected an order of queue default, found ${id} in queue jobs`);
      expect(told).toContain(says);
    }
  });

  test("a list of one kind counts no orders of other kinds", async () => {
    project.write("seed.mjs", seed.replace("[{", '[{ kind: "note", payload: "c" }, {'));
    execFileSync(process.execPath, ["seed.mjs"], { cwd: project.dir, timeout: 20_000, stdio: "pipe" });
    const all = await project.run("queue", "ls", "--limit", "1", ...sqlite);
    expect(all.stdout).toContain("1 of 3 · next:");
    const notes = await project.run("queue", "ls", "--kind", "note", "--limit", "1", ...sqlite);
    expect(notes.stdout).toContain("1 shown, more follow · next:");
    expect(notes.stdout).toContain("ls --kind note --limit 1 --after");
  });

  test("an id that looks like an option is an id in each command that is printed for it", async () => {
    project.write(
      "seed.mjs",
      seed.replace("queue.submitAll([", 'queue.submitAll([{ kind: "note", id: "--all" },'),
    );
    execFileSync(process.execPath, ["seed.mjs"], { cwd: project.dir, timeout: 20_000, stdio: "pipe" });
    const first = await project.run("queue", "ls", "--limit", "1", ...sqlite);
    expect(first.stdout).toContain("--after=--all");
    const shown = await project.run("queue", "show", ...sqlite, "--", "--all");
    const next = /next: npx cutover (.*)/.exec(shown.stdout)?.[1] ?? "";
    expect(next).toMatch(/^queue cancel --reason "…" .* -- --all$/);
    const words = next.split(" ").map((word) => word.replaceAll('"', ""));
    const cancelled = await project.run(...words);
    expect(cancelled.stdout).toContain("✔ --all is cancelled");
    const left = await project.run("queue", "ls", ...sqlite);
    expect(left.stdout).not.toContain("cancelled");
    expect(left.stdout.match(/pending/g)).toHaveLength(2);
  });

  test("a queue that nobody ever used is paused with a warning that names those there are", async () => {
    withOrders();
    const where = ["--store", "sqlite:work.db"];
    const misspelt = await project.run("queue", "pause", "--queue", "job", "--reason", "x", ...where);
    expect([misspelt.code, misspelt.stderr]).toEqual([
      0,
      expect.stringContaining("nothing was ever seen of queue job; the store has jobs"),
    ]);
    const meant = await project.run("queue", "pause", "--reason", "x", ...sqlite);
    expect([meant.code, meant.stderr]).toEqual([0, ""]);
  });

  test.each([
    [["ls"]],
    [["workers"]],
    [["cancel", "--all", "--reason", "x"]],
    [["retry", "--failed"]],
    [["prune", "--older-than", "1d"]],
  ])("a queue that nobody ever used is told of by a command that finds nothing in it: %j", async (words) => {
    withOrders();
    const where = ["--store", "sqlite:work.db"];
    const misspelt = await project.run("queue", ...words, "--queue", "job", ...where);
    expect([misspelt.code, misspelt.stderr]).toEqual([
      0,
      "⚠ nothing was ever seen of queue job; the store has jobs\n",
    ]);
    const { stderr } = await project.run("queue", ...words, "--queue", "job", "--json", ...where);
    expect(stderr).toBe("");
  });

  test("a command makes no store, and says how to name one", async () => {
    for (const words of [["queue"], ["queue", "ls"], ["queue", "pause", "--reason", "x"]]) {
      const ended = await project.run(...words, "--store", "sqlite:none.db");
      expect(ended.code).toBe(6);
      expect(ended.stderr).toContain("CUTOVER_STORE_UNAVAILABLE");
    }
    expect(project.read("none.db")).toBe("");
    project.write("none.db", "");
    const empty = await project.run("queue", "ls", "--store", "sqlite:none.db");
    expect([empty.code, project.read("none.db")]).toEqual([6, ""]);
    expect((await project.run("queue", "--store", "mysql://ann:s3cret@host/db")).stderr).not.toContain(
      "s3cret",
    );
  });

  test("a worker wants a file with something to do, and a shared store for runs", async () => {
    project.write("empty.ts", "export default 1;\n");
    project.write("worker.ts", worker);
    project.write("again.ts", worker);
    project.write("crossing.ts", copyRows);
    project.write("copy.ts", copyRows);
    project.write(
      "bad.ts",
      'import { defineWorker } from "cutover/queue";\nexport default defineWorker({ kinds: {} });\n',
    );
    for (const [files, code] of [
      [[], "CUTOVER_CLI_USAGE"],
      [["nowhere.ts"], "CUTOVER_PLAN_NOT_FOUND"],
      [["empty.ts"], "CUTOVER_PLAN_NOT_FOUND"],
      [["worker.ts", "again.ts"], "CUTOVER_CLI_USAGE"],
      [["crossing.ts"], "CUTOVER_CLI_USAGE"],
      [["crossing.ts", "copy.ts", "--store", "sqlite:work.db"], "CUTOVER_CLI_USAGE"],
      [["bad.ts"], "CUTOVER_QUEUE_INVALID"],
      [["worker.ts", "--tags", ","], "found an empty one"],
      [["worker.ts", "--tags", "gpu,e u"], 'found "e u"'],
      [["worker.ts", "--slots", "many"], "see `cutover help worker`"],
    ] as const) {
      const ended = await project.run("worker", ...files);
      const told = ended.stderr.replaceAll(/\s+/g, " ");
      expect([files, ended.code, told]).toEqual([files, 2, expect.stringContaining(code)]);
    }
  });
});

test.each([
  [
    "defineWorker({ kinds: {} })",
    "found an empty object",
    "bad.ts:2 · kinds",
    "say how each kind is done: kinds:",
  ],
  [
    "defineWorker({ slot: 1, kinds: { a() {} } })",
    'found "slot"',
    "bad.ts:2 · options",
    'did you mean "slots"?',
  ],
  ["defineWorker({ kinds: { k: 5 } })", "found 5", "bad.ts:2 · kinds.k", "say how each kind is done: kinds:"],
  [
    'defineWorker({ queue: "a b", kinds: { a() {} } })',
    'found "a b"',
    "bad.ts:2 · name",
    "correct the option name",
  ],
  ['({ type: "worker", kinds: { a() {} } })', "found neither", "in bad.ts ", "defineWorker({ kinds:"],
  [
    '({ type: "worker", queue: "q", options: {}, kinds: {} })',
    "found an empty object",
    "in bad.ts · kinds",
    "say how each kind is done: kinds:",
  ],
])(
  "a worker's file with %s is refused with the file, what is wrong and what to do",
  async (text, ...says) => {
    project.write("bad.ts", `import { defineWorker } from "cutover/queue";\nexport default ${text};\n`);
    const ended = await project.run("worker", "bad.ts", "--store", "sqlite:work.db");
    expect(ended).toMatchObject({ code: 2, stdout: "" });
    const told = ended.stderr.replaceAll(/\s+/g, " ");
    for (const each of says) expect(told).toContain(each);
    expect(project.read("work.db")).toBe("");
  },
);

describe("a server that cannot be used", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await postgresServer();
  }, 60_000);
  afterAll(() => server.stop());

  test("a wrong password, a missing database and a closed port are told, never the password", async () => {
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const wrong = new URL(server.url());
    wrong.password = "s3cret";
    const closed = new URL(server.url());
    closed.port = String(port);
    for (const url of [wrong.href, server.url("nowhere"), closed.href]) {
      for (const words of [["status"], ["queue", "ls"]]) {
        const ended = await project.run(...words, "--store", url);
        expect([words, ended.code]).toEqual([words, 6]);
        expect(ended.stderr).toContain("CUTOVER_STORE_UNAVAILABLE");
        expect(ended.stdout + ended.stderr).not.toMatch(/s3cret|not-a-secret/);
      }
    }
  });

  test("commands that look or decide make no schema; those that work make theirs", async () => {
    const schema = server.schema();
    const where = `${server.url()}?schema=${schema}`;
    const there = (): Promise<readonly object[]> =>
      server.query("SELECT nspname FROM pg_namespace WHERE nspname = $1", [schema]);
    for (const [words, code, says] of [
      [["queue"], 6, "expected a store with queues, found none"],
      [["queue", "ls"], 6, "expected a store with queues, found none"],
      [["queue", "stats"], 6, "expected a store with queues, found none"],
      [["queue", "pause", "--reason", "x"], 6, "expected a store with queues, found none"],
      [["queue", "cancel", "x", "--reason", "y"], 6, "expected a store with queues, found none"],
      [["status"], 0, "no run in"],
      [["audit"], 6, "expected a store, found none"],
      [["audit", "rebuild"], 6, "expected a store, found none"],
      [["audit", "log", "--run", "x"], 2, "CUTOVER_RUN_NOT_FOUND"],
      [["watch"], 2, "CUTOVER_RUN_NOT_FOUND"],
      [["report"], 2, "CUTOVER_RUN_NOT_FOUND"],
      [["route"], 0, ""],
      [["doctor"], 0, ""],
      [["pause", "--reason", "x"], 2, "CUTOVER_RUN_NOT_FOUND"],
      [["resume"], 2, "CUTOVER_RUN_NOT_FOUND"],
      [["rollback", "--reason", "x"], 2, "CUTOVER_RUN_NOT_FOUND"],
    ] as const) {
      const ended = await project.run(...words, "--store", where);
      const told = (ended.stdout + ended.stderr).replaceAll(/\s+/g, " ");
      expect([words, ended.code, told]).toEqual([words, code, expect.stringContaining(says)]);
      expect([words, await there()]).toEqual([words, []]);
    }
    await server.query(`CREATE SCHEMA ${schema}`);
    const empty = await project.run("queue", "ls", "--store", where);
    expect([empty.code, empty.stderr]).toEqual([6, expect.stringContaining("CUTOVER_STORE_UNAVAILABLE")]);
    await server.query(`DROP SCHEMA ${schema}`);
    project.write("worker.ts", worker);
    expect((await project.run("worker", "worker.ts", "--until-empty", "--store", where)).code).toBe(0);
    expect(await there()).toHaveLength(1);
    expect((await project.run("queue", "ls", "--store", where)).stdout).toContain("no such orders");
  }, 60_000);

  test("doctor looks at it, and CUTOVER_STORE names it for every command", async () => {
    const env = { CUTOVER_STORE: `${server.url()}?schema=${server.schema()}` };
    project.write("crossing.ts", copyRows);
    project.write("go", "");
    const run = await project.start(["run"], { env }).ended;
    expect(run.code).toBe(0);
    expect(run.stdout).not.toContain("--store");
    const doctor = await project.start(["doctor"], { env }).ended;
    expect(doctor.code).toBe(0);
    expect(doctor.stdout).toMatch(/audit +\d+ events, chain whole/);
    const status = await project.start(["status"], { env }).ended;
    expect(status.stdout).toContain("finished");
    expect(run.stdout + doctor.stdout + status.stdout).not.toContain("not-a-secret");
  });
});

const hasScript = spawnSync("script", ["--version"]).status === 0;

describe.skipIf(!hasScript)("a queue on a terminal (needs the program `script`)", () => {
  test.each([100, 60, 40])(
    "stats --watch paints a picture that fits %i columns; an interrupt leaves it standing",
    async (columns) => {
      withOrders();
      const main = join(root, "dist/cli/main.js");
      const watch = `"${process.execPath}" "${main}" queue stats --watch --every 100ms --queue jobs --store sqlite:work.db`;
      const written = execFileSync(
        "script",
        ["-qec", `stty cols ${columns} rows 30; timeout --foreground -s INT 2 ${watch}; true`, "/dev/null"],
        {
          cwd: project.dir,
          encoding: "utf8",
          timeout: 25_000,
          env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "", TERM: "xterm-256color" },
        },
      );
      const end = written.lastIndexOf("\u001b[?25h");
      expect(end).toBeGreaterThan(0);
      const lines = stripVTControlCharacters(written.slice(0, end)).split(/\r?\n/);
      expect(Math.max(...lines.map(textWidth))).toBeLessThanOrEqual(columns);
      const left = stripVTControlCharacters(written.slice(end));
      expect(left).toContain("queue jobs");
      expect(left).toMatch(/pending +2/);
    },
  );
});

const chatty = `
import { defineWorker } from "cutover/queue";
console.log("read by hand");
export default defineWorker({ queue: "jobs", stagger: 0, kinds: {
  note: async (order) => {
    console.log("handler says " + order.payload);
    process.stdout.write("half a line");
    console.error("handler complains");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  },
  other: () => {},
} });
`;

test("what a handler prints is no part of a worker's NDJSON: it goes to stderr", async () => {
  withOrders();
  project.write("chatty.mjs", chatty);
  const words = ["worker", "chatty.mjs", "--until-empty", "--json", "--store", "sqlite:work.db"];
  const ended = await project.run(...words);
  expect(ended.code).toBe(0);
  const lines = ended.stdout.trim().split("\n");
  expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toContain("drained");
  for (const text of ["read by hand", "handler says a", "half a line", "handler complains"])
    expect(ended.stderr).toContain(text);
});

test.skipIf(!hasScript)(
  "on a terminal what a handler prints stands above the picture, whole and once",
  () => {
    withOrders();
    project.write("chatty.mjs", chatty);
    const main = join(root, "dist/cli/main.js");
    const work = `"${process.execPath}" "${main}" worker chatty.mjs --until-empty --store sqlite:work.db`;
    const written = execFileSync("script", ["-qec", `stty cols 80 rows 30; ${work}`, "/dev/null"], {
      cwd: project.dir,
      encoding: "utf8",
      timeout: 25_000,
      env: { ...process.env, NODE_OPTIONS: "", NO_COLOR: "", TERM: "xterm-256color" },
    });
    const page = screenOf(written);
    for (const text of ["handler says a", "half a line", "handler complains"])
      expect(page.filter((line) => line === text)).toHaveLength(1);
    expect(page.filter((line) => line.startsWith("queue jobs"))).toHaveLength(1);
  },
);

/* eslint-disable no-control-regex */
/** The page as a terminal without an end shows it: what was painted over is gone. */
function screenOf(written: string): readonly string[] {
  const page: string[] = [""];
  let row = 0;
  for (const [token] of written.matchAll(/\u001b\[[?\d;]*[a-zA-Z]|\r|\n|[^\u001b\r\n]+/g)) {
    const up = /^\u001b\[(\d+)A$/.exec(token)?.[1];
    if (up !== undefined) row = Math.max(0, row - Number(up));
    else if (token === "\u001b[2K") page[row] = "";
    else if (token === "\u001b[0J") page.splice(row, page.length, "");
    else if (token === "\n") page[++row] ??= "";
    else if (!token.startsWith("\u001b") && token !== "\r") page[row] += token;
  }
  return page;
}
/* eslint-enable no-control-regex */

test("in a pipe stats --watch prints a line each time, with --json NDJSON; a signal ends it with 0", async () => {
  withOrders();
  const words = [
    "queue",
    "stats",
    "--watch",
    "--every",
    "100ms",
    "--queue",
    "jobs",
    "--store",
    "sqlite:work.db",
  ];
  const plain = project.start(words);
  const json = project.start([...words, "--json"]);
  await until(
    () => plain.output().split("\n").length > 3 && json.output().split("\n").length > 3,
    "some looks",
  );
  plain.child.kill("SIGINT");
  json.child.kill("SIGTERM");
  const [first, second] = await Promise.all([plain.ended, json.ended]);
  expect([first.code, second.code]).toEqual([0, 0]);
  expect(first.stdout).toMatch(/^\d\d:\d\d:\d\d {2}jobs {2}pending 2 · in [\d.]+\/s/);
  for (const line of second.stdout.trimEnd().split("\n"))
    expect(JSON.parse(line)).toMatchObject({
      type: "queue",
      view: { queue: "jobs", counts: { PENDING: 2 } },
    });
});
