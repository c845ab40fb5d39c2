import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/store/index.ts";
import { postgresServer, type TestServer } from "../postgres/server.ts";
import { Place, type Process, serve, until } from "./processes.ts";

let place: Place;
beforeEach(() => {
  place = new Place();
});
afterEach(() => place[Symbol.dispose]());

const last = (app: Process): string => app.lines.at(-1) ?? "";
const answers = (app: Process, line: string): Promise<number> =>
  until(
    () => last(app).startsWith(line),
    `the application answers ${line}; it says ${last(app)} ${app.said()}`,
  );
const reason = ["--reason", "test"];
const kill = async ({ child, ended }: Process): Promise<void> => {
  child.kill("SIGKILL");
  await ended;
};

describe.each(["postgres", "sqlite"])("many processes on one %s store", (kind) => {
  let server: TestServer | undefined;
  let where: string;
  beforeAll(async () => {
    if (kind === "postgres") server = await postgresServer();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    where =
      server === undefined ? `sqlite:${place.path("work.db")}` : `${server.url()}?schema=${server.schema()}`;
  });
  const route = (...args: readonly string[]): Promise<string> =>
    place.run("route", "r", ...args, ...reason, "--store", where);
  const opened = (): Promise<Store> => openStore(where);

  test("a route set by one process reaches the door of another through `cutover serve`, and its counts come back", async () => {
    const server = await serve(place, ["--port", "0", "--store", where]);
    const app = place.application(`createRollout({ url: "${server.url}", name: "shop", flush: 50 })`);
    // The record knows the route because the door declared it.
    await answers(app, "old off 0 1");
    await route("--stage", "complete");
    expect(await answers(app, "new complete 100 2")).toBeLessThan(5_000);
    await using store = await opened();
    await until(
      async () =>
        (await store.routes.intervals({ route: "r", since: 0 })).some(
          (each) => each.epoch === 2 && each.new.calls > 0,
        ),
      "what the door measured lies in the store",
    );
    const doors = new Set((await store.routes.intervals({ route: "r", since: 0 })).map(({ door }) => door));
    expect([...doors]).toEqual(["shop"]);
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('cutover_route_stage{route="r",stage="complete"} 1');
    expect(metrics).toMatch(/cutover_route_calls_total\{route="r",side="new"\} [1-9]/);

    server.child.kill("SIGINT");
    expect(await server.ended).toBe(0);
    expect(last(app)).toBe("new complete 100 2");
  });

  test("an application that has the store open follows it without a server", async () => {
    const app = place.application(
      `createRollout({ link: storeLink(await openStore(${JSON.stringify(where)})), flush: 50 })`,
      'import { openStore, storeLink } from "cutover/store";',
    );
    await answers(app, "old off 0 1");
    await route("--stage", "live", "--share", "100");
    expect(await answers(app, "new live 100 2")).toBeLessThan(5_000);
    app.child.kill("SIGTERM");
    expect(await app.ended).toBe(0);
    await using store = await opened();
    const stored = await store.routes.intervals({ route: "r", since: 0 });
    expect(stored.filter(({ epoch }) => epoch === 2).some(({ new: { calls } }) => calls > 0)).toBe(true);
  });

  test("answers go on while the server is killed and a new one started, and a new process begins with the kept stages", async () => {
    const first = await serve(place, ["--port", "0", "--store", where]);
    const rollout = `createRollout({ url: "${first.url}", cache: "stages.cache.json", flush: 50 })`;
    const app = place.application(rollout);
    await answers(app, "old off 0 1");
    await route("--stage", "complete");
    await answers(app, "new complete 100 2");
    await kill(first);
    const before = app.lines.length;
    await until(
      () => readFileSync(place.path("stages.cache.json"), "utf8").includes('"epoch": 2'),
      "the stages are kept",
    );
    const second = place.application(rollout);
    await until(() => second.lines.length > 0, "another process of the application begins");
    expect(second.lines[0]).toBe("new complete 100 2");
    await route("--stage", "off");
    await pause(300);
    expect(app.lines.length).toBe(before);
    await serve(place, ["--port", String(first.port), "--store", where]);
    await answers(app, "old off 0 3");
    await answers(second, "old off 0 3");
  });

  test("a run in one process proves and moves a route whose doors speak to a server in another", async () => {
    const server = await serve(place, ["--port", "0", "--store", where]);
    const app = place.application(
      `createRollout({ url: "${server.url}", flush: 50 })`,
      "",
      'operations: ["get"], operation: () => "get", normalize: () => "same",',
    );
    await answers(app, "old off 0 1");
    place.write(
      "crossing.ts",
      `import { defineMigration, phase, rate } from "cutover";
import { ramp, shadow } from "cutover/rollout";
export default defineMigration({
  name: "shared",
  phases: [
    phase("shadow", { steps: [shadow("r", { atLeast: 20, until: 0.2 })] }),
    phase("rollout", { steps: [ramp("r", [100], { hold: "500ms", atLeast: 20, gate: rate.error("r").below(0.2) })] }),
  ],
});
`,
    );
    const run = place.cutover(["run", "crossing.ts", "--store", where]);
    const code = await run.ended;
    expect([code, run.said()]).toEqual([0, expect.stringContaining("finished")]);
    await answers(app, "new live 100");
    const page = await (await fetch(`${server.url}/v1/runs`)).json();
    expect(page).toMatchObject([{ migration: "shared", state: "COMPLETED" }]);
    // The step that compares had to see the operation which the application had declared.
    await using store = await opened();
    const [id] = (await store.runs.list()).map((each) => each.id);
    const evidence = JSON.stringify(await store.runs.evidence(id ?? ""));
    expect(evidence).toContain('"get"');
  });

  test("a door that stood still reports what it did under its old epoch, and nobody turns a stage back by an old one", async () => {
    const server = await serve(place, ["--port", "0", "--store", where], {
      CUTOVER_TOKEN: "0123456789abcdef",
    });
    const app = place.application(
      `createRollout({ url: "${server.url}", token: "0123456789abcdef", name: "stopped", flush: 50 })`,
    );
    await answers(app, "old off 0 1");
    await route("--stage", "live", "--share", "100");
    await answers(app, "new live 100 2");
    app.child.kill("SIGSTOP");
    await pause(100);
    await route("--stage", "off");
    await route("--stage", "live", "--share", "40");
    app.child.kill("SIGCONT");
    await until(() => last(app).endsWith("live 40 4"), "it hears how things stand now");
    await using store = await opened();
    const found = async (): ReturnType<Store["routes"]["intervals"]> =>
      store.routes.intervals({ route: "r", since: 0 });
    await until(async () => (await found()).some((each) => each.epoch === 4), "it reports again");
    for (const each of await found()) {
      const { epoch, stage, share } = each;
      expect([epoch, stage, share]).toEqual(
        { 0: [0, "off", 0], 1: [1, "off", 0], 2: [2, "live", 100], 3: [3, "off", 0], 4: [4, "live", 40] }[
          epoch
        ],
      );
      // What it did while it had not heard is told as what it was: by the side and the share of then.
      if (epoch === 2) expect(each.old.calls).toBe(0);
      if (epoch === 3) expect(each.new.calls).toBe(0);
    }
    // Somebody who stood still as well, and decides by what it saw before.
    const body = JSON.stringify({ stage: "live", share: 100, epoch: 2, by: "ann", reason: "late" });
    const headers = { "content-type": "application/json", authorization: "Bearer 0123456789abcdef" };
    const late = await fetch(`${server.url}/v1/routes/r`, { method: "POST", headers, body });
    expect([late.status, ((await late.json()) as { error: { code: string } }).error.code]).toEqual([
      409,
      "CUTOVER_ROUTE_EPOCH",
    ]);
    await expect(
      store.routes.set({ route: "r", epoch: 3, stage: "off", share: 0, by: "ann" }),
    ).rejects.toMatchObject({ code: "CUTOVER_ROUTE_EPOCH" });
    expect(await store.routes.get("r")).toMatchObject({ epoch: 4, share: 40 });
  });
});

describe("a database that goes away", () => {
  test("leaves answers as they are, and stages move again when it is back", async () => {
    const database = await postgresServer();
    try {
      const where = `${database.url()}?schema=${database.schema()}`;
      const server = await serve(place, ["--port", "0", "--store", where]);
      const behind = place.application(`createRollout({ url: "${server.url}", flush: 50 })`);
      const beside = place.application(
        `createRollout({ link: storeLink(await openStore(${JSON.stringify(where)})), flush: 50 })`,
        'import { openStore, storeLink } from "cutover/store";',
      );
      for (const app of [behind, beside]) await answers(app, "old off 0 1");
      await place.run("route", "r", "--stage", "complete", ...reason, "--store", where);
      for (const app of [behind, beside]) await answers(app, "new complete 100 2");
      const before = [behind.lines.length, beside.lines.length];
      await database.halt("immediate");
      await pause(1_000);
      expect([behind.lines.length, beside.lines.length]).toEqual(before);
      expect([server, behind, beside].map(({ child }) => child.exitCode)).toEqual([null, null, null]);
      await database.start();
      await until(
        () =>
          place.run("route", "r", "--stage", "off", ...reason, "--store", where).then(
            () => true,
            () => false,
          ),
        "the database takes orders again",
      );
      for (const app of [behind, beside]) await answers(app, "old off 0 3");
    } finally {
      await database.stop();
    }
  });
});

/** Puts the route at `complete`, then waits until somebody ends it. */
const crossing = `
import { defineMigration, phase, step } from "cutover";
export default defineMigration({
  name: "by-hand",
  phases: [phase("rollout", { steps: [step("all", {
    run: async ({ routes, signal }) => {
      const now = await routes.get("r");
      if (now?.stage !== "complete") await routes.set("r", now?.epoch ?? 0, { stage: "complete", share: 100 });
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    rollback: async ({ routes }) => {
      const now = await routes.get("r");
      if (now !== undefined) await routes.set("r", now.epoch, { stage: "off", share: 0 });
    },
  })] })],
});
`;

describe("a folder with its owner", () => {
  test("a door behind `cutover serve` follows whoever owns the folder, from one owner to the next and with none", async () => {
    const server = await serve(place, ["--port", "0"]);
    const app = place.application(`createRollout({ url: "${server.url}", flush: 50 })`);
    await answers(app, "old off 0 1");

    place.write("crossing.ts", crossing);
    const run = place.cutover(["run", "crossing.ts"]);
    await answers(app, "new complete 100 2");
    // The door is known to the run's own process now: its declaration went there.
    await until(
      async () =>
        ((await (await fetch(`${server.url}/v1/health`)).json()) as { pid: number }).pid === run.child.pid,
      "calls go to the owner",
    );
    await until(
      async () =>
        ((await (await fetch(`${server.url}/v1/health`)).json()) as { doors: string[] }).doors.length === 1,
      "the owner knows the door",
    );

    await kill(run);
    expect(last(app)).toBe("new complete 100 2");
    await place.run("route", "r", "--stage", "off", ...reason);
    await answers(app, "old off 0 3");

    place.write("next.ts", crossing.replace("by-hand", "by-hand-again"));
    const again = place.cutover(["run", "next.ts"]);
    await answers(app, "new complete 100 4");
    await kill(again);
  });
});

test("`cutover serve` refuses what it cannot serve, by name and before it listens", async () => {
  const refused = async (...args: readonly string[]): Promise<readonly [number | null, string]> => {
    const process = place.cutover(["serve", "--json", ...args]);
    const code = await process.ended;
    return [code, (JSON.parse(process.lines.join("")) as { error: { code: string } }).error.code];
  };
  expect(await refused("--host", "0.0.0.0")).toEqual([2, "CUTOVER_TOKEN_REQUIRED"]);
  expect(await refused("--port", "70000")).toEqual([2, "CUTOVER_CLI_USAGE"]);
  expect(await refused("--prot", "1")).toEqual([2, "CUTOVER_CLI_USAGE"]);
  expect(await refused("--token-file", "nowhere")).toEqual([2, "CUTOVER_TOKEN_REQUIRED"]);
  place.write("token", "short\n");
  expect(await refused("--token-file", "token")).toEqual([2, "CUTOVER_TOKEN_REQUIRED"]);
  const { port } = await serve(place, ["--port", "0"]);
  expect(await refused("--port", String(port))).toEqual([6, "CUTOVER_PORT_IN_USE"]);
});
