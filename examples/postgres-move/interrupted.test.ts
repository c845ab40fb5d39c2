import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { health } from "./crossing/call-service.ts";
import { openPool } from "./service/pool.ts";
import { addressOf, places, readRecord, type ServersRecord } from "./settings.ts";
import { drained, settleAccount } from "./start/account.ts";
import { cutover } from "./start/cutover-command.ts";
import { endAll, endLoad, freshFolders, keepServers, keepService, makeShops } from "./start/programs.ts";

const projectRoot = join(import.meta.dirname, "../..");
let root: string;
let dir: string;
const running = new Set<ChildProcess>();
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "cutover-interrupted-"));
  dir = join(root, "current");
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await endAll(dir);
  const servers = readRecord<ServersRecord>(places(dir).servers);
  for (const place of [servers?.old, servers?.new])
    if (place !== undefined) rmSync(place.folder, { recursive: true, force: true, maxRetries: 10 });
  rmSync(root, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}, 60_000);

const store = (): string => join(dir, "cutover");
const accepted = (): number =>
  existsSync(places(dir).accepted) ? readFileSync(places(dir).accepted, "utf8").split("\n").length - 1 : 0;

async function until(done: () => boolean | Promise<boolean>, what: string, limitMs = 90_000): Promise<void> {
  for (const end = Date.now() + limitMs; !(await done()); await wait(20))
    if (Date.now() > end) throw new Error(`expected within ${limitMs} ms: ${what}`);
}

/** `npx cutover …` as a person runs it beside the shop, which is not the crossing's to start or stop. */
class Crossing {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = "";

  constructor(...words: readonly string[]) {
    const main = join(projectRoot, "src/cli/main.ts");
    const args = ["--conditions=cutover-source", main, ...words, "--store", store()];
    const env = { ...process.env, POSTGRES_MOVE_DIR: dir, NO_COLOR: "1" };
    this.child = spawn(process.execPath, args, { cwd: projectRoot, env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk: Buffer) => (this.output += chunk.toString("utf8")));
    this.ended = new Promise((resolve) =>
      this.child.once("close", (code) => {
        running.delete(this.child);
        resolve(code);
      }),
    );
  }

  async prints(pattern: RegExp): Promise<void> {
    await until(() => {
      if (this.child.exitCode !== null && !pattern.test(this.output))
        throw new Error(`ended without printing ${String(pattern)}:\n${this.output}`);
      return pattern.test(this.output);
    }, String(pattern));
  }

  /** Ctrl-C: it has to stop by itself, and to say how it goes on. */
  async interrupt(): Promise<string> {
    this.child.kill("SIGINT");
    expect([await this.ended, this.output]).toEqual([130, expect.stringMatching(/npx cutover resume \w+/)]);
    return /npx cutover resume (\w+)/.exec(this.output)?.[1] ?? "";
  }
}

/** Customers are served by the old shop, and soon. */
async function shopGoesOn(): Promise<void> {
  const before = accepted();
  await until(() => accepted() > before + 5, "orders are accepted after the crossing was stopped", 20_000);
  expect((await health(dir)).side).toBe("old");
}

test("Ctrl-C in the copy and in the pause stops the crossing alone: customers go on in the old shop, and it is resumed to its end", async () => {
  await freshFolders(dir, store());
  const servers = await keepServers(dir);
  await makeShops(servers, { orders: 4_000, strange: false });
  await keepService(dir, { load: true });

  const first = new Crossing("run", "examples/postgres-move/crossing.ts");
  await first.prints(/● move begins/);
  const run = await first.interrupt();
  expect(first.output).not.toMatch(/backfill done/);
  await shopGoesOn();

  const second = new Crossing("resume", run);
  await second.prints(/close-counter done/);
  // Somebody's transaction stays open: the pause has begun and cannot end.
  const pool = await openPool(addressOf(servers.old, "shop"), 2);
  const held = await pool.connect();
  await held.query("BEGIN");
  await held.query(
    "INSERT INTO shop.orders (request, customer, state, total) VALUES ('held', 'nobody', 'new', 1)",
  );
  await until(async () => {
    const { rows } = await pool.query(
      "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE ONLY%SHARE ROW EXCLUSIVE%' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()",
    );
    return rows.length > 0;
  }, "writers are being stopped");
  await second.interrupt();
  expect(second.output).not.toMatch(/the new side is in charge/);
  await held.query("ROLLBACK");
  held.release();
  await pool.end();
  await shopGoesOn();

  const third = new Crossing("resume", run);
  await third.prints(/cutover approve \w+ --phase retire/);
  const signed = ["approve", run, "--phase", "retire", "--by", "test", "--reason", "it answers"];
  expect((await cutover(signed, { dir, store: store() }, { show: false })).code).toBe(0);
  expect([await third.ended, third.output]).toEqual([0, expect.stringContaining("rows equal by SQL")]);
  expect((await health(dir)).side).toBe("new");
  await endLoad(dir);
  await drained(dir, "new");
  const { lost, twice, open, bySide } = await settleAccount(dir, "new");
  expect({ lost, twice, open }).toEqual({ lost: [], twice: [], open: 0 });
  expect(Math.min(bySide.old, bySide.new)).toBeGreaterThan(0);
}, 420_000);
