import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";

const source = new URL("..", import.meta.url).href;

/**
 * An application that writes orders to two real databases without a pause, or one that only waits until both sides are
 * equal. The second side fails every third time. Sides take a write of a key only when its id is newer than what they have.
 */
const program = `
import { appendFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { createRollout } from "${source}index.ts";

const [dir, name, mode, stage] = process.argv.slice(2);
const open = (side) => {
  const db = new DatabaseSync(dir + "/" + side + ".db", { timeout: 10_000 });
  return db.prepare(
    "INSERT INTO orders (key, id, text) VALUES (?, ?, ?) " +
    "ON CONFLICT (key) DO UPDATE SET id = excluded.id, text = excluded.text WHERE excluded.id > id");
};
const sides = { old: open("old"), new: open("new") };
let calls = 0;
const put = (side) => async function (order) {
  if (this.attempt > 0 && mode === "write" && ++calls % 3 === 0) throw new Error("the second side is not well");
  await new Promise((resolve) => setTimeout(resolve, 1));
  sides[side].run(order.key, this.id, order.text);
};
const rollout = createRollout({ link: null, state: [{ route: "orders", stage, share: 50 }] });
const orders = rollout.entity("orders", {
  key: (order) => order.key,
  writes: { put: { old: put("old"), new: put("new") } },
  journal: dir + "/journal",
});
const alive = setInterval(() => {}, 1_000);
if (mode === "write") {
  console.log("writing");
  for (let n = 0; ; n++) {
    const key = "k" + (n % 7);
    await orders.put({ key, text: name + " " + n });
    appendFileSync(dir + "/acknowledged", name + " " + n + " " + key + "\\n");
  }
} else {
  while (!rollout.backlog("orders").converged()) await new Promise((resolve) => setTimeout(resolve, 20));
  await rollout.close();
  console.log("converged");
}
clearInterval(alive);
`;

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "cutover-entity-kill-"));
  await writeFile(join(dir, "child.ts"), program);
  for (const side of ["old", "new"]) {
    const db = new DatabaseSync(join(dir, `${side}.db`));
    db.exec("PRAGMA journal_mode = WAL; CREATE TABLE orders (key TEXT PRIMARY KEY, id TEXT, text TEXT)");
    db.close();
  }
});
afterEach(() => rm(dir, { recursive: true, force: true }));

function start(name: string, mode: "write" | "finish", stage: string) {
  const child = spawn(process.execPath, [join(dir, "child.ts"), dir, name, mode, stage], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  child.stdout.on("data", (text: Buffer) => (said += text.toString()));
  child.stderr.on("data", (text: Buffer) => (said += text.toString()));
  const ended = new Promise<string>((resolve) => child.once("close", () => resolve(said)));
  const spoke = new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  return { child, ended, spoke };
}

/** Keys whose writes were answered, in order. */
async function acknowledged(): Promise<readonly string[]> {
  const lines = (await readFile(join(dir, "acknowledged"), "utf8").catch(() => "")).split("\n");
  return lines.slice(0, -1).map((line) => line.split(" ")[2] ?? "");
}

async function killAfter(child: ChildProcess, writes: number): Promise<void> {
  const limit = performance.now() + 15_000;
  while ((await acknowledged()).length < writes && performance.now() < limit)
    await new Promise((resolve) => setTimeout(resolve, 3));
  child.kill("SIGKILL");
}

function contents(side: string): readonly unknown[] {
  const db = new DatabaseSync(join(dir, `${side}.db`));
  const rows = db.prepare("SELECT key, id, text FROM orders ORDER BY key").all();
  db.close();
  return rows;
}

test("applications killed in the middle of their writes leave two sides that the next one makes equal", async () => {
  for (const [round, stage] of ["dualwrite", "live", "rampdown"].entries()) {
    const writers = ["a", "b"].map((name) => start(`${name}${round}`, "write", stage));
    await Promise.all(writers.map(({ spoke }) => spoke));
    const before = (await acknowledged()).length;
    await Promise.all(writers.map(({ child }, index) => killAfter(child, before + 15 + 20 * index)));
    await Promise.all(writers.map(({ ended }) => ended));
  }
  const left = (await readdir(join(dir, "journal"))).filter((name) => name.endsWith(".journal"));
  expect(left.length).toBeGreaterThan(0);

  const finisher = start("last", "finish", "live");
  const limit = setTimeout(() => finisher.child.kill("SIGKILL"), 30_000);
  expect(await finisher.ended).toContain("converged");
  clearTimeout(limit);

  expect(contents("new")).toEqual(contents("old"));
  expect(await readdir(join(dir, "journal"))).toEqual([]);
  const keys = (await acknowledged()).toSorted();
  expect(keys.length).toBeGreaterThan(90);
  expect(contents("old").map((row) => (row as { key: string }).key)).toEqual(
    expect.arrayContaining([...new Set(keys)]),
  );
}, 60_000);
