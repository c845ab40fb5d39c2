/** Redis for BullMQ: on a free port of the loopback, in a temporary folder, gone with this process however that ends. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface RedisServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The version of `redis-server` on the PATH. @throws when there is none, saying how to get it */
export function redisVersion(): string {
  try {
    const said = execFileSync("redis-server", ["--version"], { encoding: "utf8" });
    return /v=([\d.]+)/.exec(said)?.[1] ?? "of an unknown version";
  } catch (cause) {
    throw new Error("redis-server is not on the PATH: apt-get update && apt-get install -y redis-server", {
      cause,
    });
  }
}

/** `fsync`: the setting `appendfsync`; the append-only file itself is always on. */
export async function redisServer(fsync: "always" | "everysec"): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "cutover-bench-redis-"));
  const port = await freePort();
  const flags = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  // The shell waits for the end of its input, which the system closes with this process, and takes Redis with it.
  const script = `redis-server "$@" >/dev/null & cat >/dev/null; kill -9 $!; wait; rm -rf "$0"`;
  const guard = spawn("sh", ["-c", script, folder, ...flags, "--appendonly", "yes", "--appendfsync", fsync], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const stop = async (): Promise<void> => {
    await endGuard(guard);
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; !(await answers(port)); tries++) {
    if (tries === 200) {
      await stop();
      throw new Error(`expected redis-server to answer on port ${port} within ten seconds`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url: `redis://127.0.0.1:${port}`, stop };
}

async function endGuard(guard: ChildProcess): Promise<void> {
  if (guard.exitCode !== null) return;
  const ended = new Promise((resolve) => guard.once("exit", resolve));
  guard.stdin?.end();
  await ended;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const end = (found: boolean): void => {
      socket.destroy();
      resolve(found);
    };
    socket.on("data", (chunk) => end(chunk.toString().startsWith("+PONG")));
    socket.on("error", () => end(false));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
