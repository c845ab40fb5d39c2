import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { openQueue } from "../../src/queue/index.ts";
import { openSqliteStore } from "../../src/store/index.ts";
import { type Ended, Project, type Running, until } from "./command-line.ts";

let project: Project;
beforeEach(() => {
  project = new Project();
});
afterEach(() => project[Symbol.dispose]());

async function submitMany(orders: number): Promise<void> {
  await using queue = await openQueue(`sqlite:${project.path("work.db")}`);
  await queue.submitAll(Array.from({ length: orders }, (_, n) => ({ kind: "mail", payload: n })));
}

/** Sends the signal while somebody else writes, so that the command cannot come to its end before it hears of it. */
async function stopped(running: Running, signal: "SIGINT" | "SIGTERM"): Promise<Ended> {
  using mine = new DatabaseSync(project.path("work.db"), { timeout: 20_000 });
  mine.exec("BEGIN IMMEDIATE");
  running.child.kill(signal);
  await until(() => running.output().includes("stopping after"), "it heard the signal");
  mine.exec("ROLLBACK");
  return await running.ended;
}

test.each(["SIGINT", "SIGTERM"] as const)(
  "many cancellations are stopped cleanly by %s, are told of, and go on with the command that is printed",
  async (signal) => {
    await submitMany(8_000);
    await using store = await openSqliteStore({ path: project.path("work.db"), clock: systemClock });
    const cancelled = async (): Promise<number> => (await store.orders.counts("default")).CANCELLED;
    const words = ["queue", "cancel", "--all", "--reason", "not wanted", "--store", "sqlite:work.db"];
    const running = project.start(words);
    await until(async () => (await cancelled()) > 0, "some are cancelled");
    const ended = await stopped(running, signal);
    expect([ended.code, ended.stdout]).toEqual([130, ""]);
    const done = await cancelled();
    const said = ended.stderr.replaceAll(/\s+/g, " ");
    expect(said).toContain(
      `stopped: ${done.toLocaleString("en")} orders cancelled; the others are as they were`,
    );
    expect(said).toContain("`cutover queue cancel --all --reason 'not wanted' --store sqlite:work.db`");
    const rest = await project.run(...words);
    expect(rest.stdout).toContain(`✔ ${(8_000 - done).toLocaleString("en")} orders cancelled`);
    expect(rest.code).toBe(0);
  },
);
