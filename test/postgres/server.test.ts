import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { postgresServer } from "./server.ts";

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test("a test server starts durable, keeps its data over a crash, and leaves nothing behind", async () => {
  const server = await postgresServer();
  const { pid, folder } = server;
  expect(await server.query("SHOW fsync")).toEqual([{ fsync: "on" }]);
  await server.query("CREATE TABLE kept (n int)");
  await server.query("INSERT INTO kept VALUES ($1)", [7]);
  await server.restart("immediate");
  expect(server.pid).not.toBe(pid);
  expect(await server.query("SELECT n FROM kept")).toEqual([{ n: 7 }]);
  const last = server.pid;
  await server.stop();
  expect(isAlive(last)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

test("a test server ends with its process, even when that is killed", async () => {
  const script = `import { postgresServer } from ${JSON.stringify(import.meta.resolve("./server.ts"))};
    const server = await postgresServer();
    console.log(JSON.stringify({ pid: server.pid, folder: server.folder }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  const { pid, folder } = JSON.parse(chunk.toString()) as { pid: number; folder: string };
  expect(isAlive(pid)).toBe(true);
  child.kill("SIGKILL");
  for (let tries = 0; tries < 200 && (isAlive(pid) || existsSync(folder)); tries++) await pause(50);
  expect(isAlive(pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

test("a script that stops its test server goes on behind it, with nothing else to keep it alive", async () => {
  const script = `import { postgresServer } from ${JSON.stringify(import.meta.resolve("./server.ts"))};
    const server = await postgresServer();
    await server.halt("fast");
    await server.start();
    await server.stop();
    console.log("went on");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, said }).toEqual({ code: 0, said: "went on\n" });
});
