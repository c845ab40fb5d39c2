import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Binaries, postgresBinaries } from "./binaries.ts";
import { connectClient } from "./client.ts";

/**
 * A real PostgreSQL server for tests: durable (`fsync`, `synchronous_commit`), in a temporary folder, on a port of its
 * own of the loopback. It ends with this process, however that ends.
 *
 * @example
 * const server = await postgresServer();
 * afterAll(() => server.stop());
 * const store = await openPostgresStore({ url: server.url(), schema: server.schema() });
 */
export interface TestServer {
  /** Process id of the postmaster; changes with a restart. */
  readonly pid: number;
  readonly port: number;
  readonly folder: string;
  /** Of a database of this server, by default `postgres`. */
  url(database?: string): string;
  /** A schema name nobody has used on this server. Much quicker than a database. */
  schema(): string;
  /** Makes an empty database; its url. */
  database(): Promise<string>;
  /** Runs statements on a connection of its own, as the superuser. */
  query(sql: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>;
  /** Ends the server (`immediate`: as a crash would) and leaves its data. */
  halt(mode?: "fast" | "immediate"): Promise<void>;
  start(): Promise<void>;
  restart(mode?: "fast" | "immediate"): Promise<void>;
  /** From the next start on no file of the server may become larger, as if its disk were full; undefined: any size. */
  limitFiles(bytes: number | undefined): void;
  /** Ends the server and removes everything. */
  stop(): Promise<void>;
}

const user = "postgres";
const password = "not-a-secret";
const startMs = 60_000;
const cache = join(import.meta.dirname, "../../node_modules/.cache/postgres");
/** How `initdb` is called, the file of the password aside. */
const initial: readonly string[] = [
  "-A",
  "scram-sha-256",
  "-U",
  user,
  "-E",
  "UTF8",
  "--locale=C",
  "--no-sync",
];

const settings: Readonly<Record<string, string>> = {
  listen_addresses: "127.0.0.1",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
  max_connections: "200",
  shared_buffers: "128MB",
  timezone: "UTC",
  log_min_messages: "warning",
};

/** `more`: settings of `postgresql.conf` on top of the usual ones. */
export async function postgresServer(more: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const binaries = await postgresBinaries();
  const folder = mkdtempSync(join(tmpdir(), "cutover-pg-"));
  const as = unprivileged();
  if (as !== undefined) chownSync(folder, as.uid, as.gid);
  const data = join(folder, "data");
  const guard = startGuard(folder);
  try {
    initialise(binaries, folder, data, as);
    const server = new Server(binaries, folder, data, as, guard, more);
    await server.start();
    return server;
  } catch (error) {
    endGuard(guard);
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

class Server implements TestServer {
  readonly folder: string;
  port = 0;
  readonly #binaries: Binaries;
  readonly #data: string;
  readonly #as: Ids | undefined;
  readonly #guard: ChildProcess;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #largestFile: number | undefined;
  #schemas = 0;
  #databases = 0;

  constructor(
    binaries: Binaries,
    folder: string,
    data: string,
    as: Ids | undefined,
    guard: ChildProcess,
    more: Readonly<Record<string, string>>,
  ) {
    this.#binaries = binaries;
    this.folder = folder;
    this.#data = data;
    this.#as = as;
    this.#guard = guard;
    this.#settings = { ...settings, unix_socket_directories: folder, ...more };
  }

  get pid(): number {
    if (this.#process?.pid === undefined) throw new Error("the test server does not run");
    return this.#process.pid;
  }

  url(database = "postgres"): string {
    return `postgres://${user}:${password}@127.0.0.1:${this.port}/${database}`;
  }

  schema(): string {
    return `test_${++this.#schemas}`;
  }

  async database(): Promise<string> {
    const name = `db_${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name}`);
    return this.url(name);
  }

  async query(sql: string, values: readonly unknown[] = []): Promise<readonly Record<string, unknown>[]> {
    const client = await connectClient(this.url());
    try {
      return (await client.query(sql, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  async halt(mode: "fast" | "immediate" = "fast"): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => running.once("exit", () => resolve()));
    // Started, it keeps nobody alive; whoever waits for its end must live to see it.
    running.ref();
    running.kill(mode === "fast" ? "SIGINT" : "SIGQUIT");
    await ended;
  }

  async start(): Promise<void> {
    // The port is kept over restarts. The first time somebody else may take it between the look and the start.
    for (let tries = 0; ; tries++) {
      const port = this.port === 0 ? await freePort() : this.port;
      try {
        await this.#startOn(port);
        this.port = port;
        return;
      } catch (error) {
        if (this.port !== 0 || tries >= 4) throw error;
      }
    }
  }

  limitFiles(bytes: number | undefined): void {
    this.#largestFile = bytes;
  }

  async restart(mode: "fast" | "immediate" = "fast"): Promise<void> {
    await this.halt(mode);
    await this.start();
  }

  async stop(): Promise<void> {
    await this.halt("immediate");
    endGuard(this.#guard);
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #startOn(port: number): Promise<void> {
    const flags = Object.entries({ ...this.#settings, port: String(port) });
    const given = ["-D", this.#data, ...flags.flatMap(([name, value]) => ["-c", `${name}=${value}`])];
    const limit = this.#largestFile === undefined ? "unlimited" : Math.ceil(this.#largestFile / 512);
    // The shell becomes the server: its process id is the postmaster's.
    const running = spawn(
      "sh",
      ["-c", `ulimit -S -f ${limit}; exec "$0" "$@"`, this.#binaries.postgres, ...given],
      // Detached: an interrupt of the terminal is for the tests, which then end the server themselves.
      { ...this.#as, cwd: this.folder, detached: true, stdio: ["ignore", "ignore", "pipe"] },
    );
    let said = "";
    running.stderr?.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4_000);
    });
    let ended = false;
    running.once("exit", () => (ended = true));
    const until = performance.now() + startMs;
    // The last line of the file says `ready` once connections are accepted, or `standby`.
    while (!this.#isReady(running.pid)) {
      if (ended || performance.now() > until) {
        running.kill("SIGKILL");
        throw new Error(`PostgreSQL did not start on port ${port}: ${said}`);
      }
      await pause(20);
    }
    running.unref();
    (running.stderr as unknown as { unref(): void } | null)?.unref();
    this.#process = running;
  }

  #isReady(pid: number | undefined): boolean {
    try {
      const lines = readFileSync(join(this.#data, "postmaster.pid"), "utf8").split("\n");
      return Number(lines[0]) === pid && /^(ready|standby)/.test(lines[7] ?? "");
    } catch {
      return false;
    }
  }
}

/**
 * Makes the server's data at `data`. `initdb` takes seconds of a processor and gives the same each time: what it made once
 * lies in `node_modules/.cache` and is copied. (All servers then have one system identifier, which nothing here asks for.)
 */
function initialise(binaries: Binaries, folder: string, data: string, as: Ids | undefined): void {
  const { size, mtimeMs } = statSync(binaries.postgres);
  const made = createHash("sha256").update(JSON.stringify([binaries, size, mtimeMs, initial, as ?? null]));
  const kept = join(cache, made.digest("hex").slice(0, 16));
  if (existsSync(kept)) return copy(kept, data);
  initdb(binaries, folder, data, as);
  const next = `${kept}.${process.pid}`;
  mkdirSync(cache, { recursive: true });
  try {
    copy(data, next);
    renameSync(next, kept);
  } catch (error) {
    rmSync(next, { recursive: true, force: true });
    // Another process was quicker; anything else is worth knowing.
    if (!existsSync(kept)) throw error;
  }
}

/** With owners and rights: the data belong to the account the server runs as. */
function copy(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to], { stdio: ["ignore", "ignore", "pipe"] });
}

function initdb(binaries: Binaries, folder: string, data: string, as: Ids | undefined): void {
  const secret = join(folder, "password");
  writeFileSync(secret, password);
  if (as !== undefined) chownSync(secret, as.uid, as.gid);
  execFileSync(binaries.initdb, ["-D", data, ...initial, `--pwfile=${secret}`], {
    ...as,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  rmSync(secret);
}

/** PostgreSQL refuses to run as root; any other account of the machine does. */
function unprivileged(): Ids | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync("/etc/passwd", "utf8").split("\n");
  const found = ["postgres", "nobody"]
    .map((name) => accounts.find((line) => line.startsWith(`${name}:`))?.split(":"))
    .find((fields) => fields !== undefined);
  return { uid: Number(found?.[2] ?? 65_534), gid: Number(found?.[3] ?? 65_534) };
}

/**
 * Waits for the end of its input, which the system closes with this process even after `kill -9`, then ends the server
 * and removes its folder.
 */
function startGuard(folder: string): ChildProcess {
  const script = `cat >/dev/null
    if [ -f "$0/data/postmaster.pid" ]; then kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; fi
    for i in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" 2>/dev/null && break; sleep 0.2; done`;
  const guard = spawn("sh", ["-c", script, folder], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.unref();
  (guard.stdin as unknown as { unref(): void } | null)?.unref();
  return guard;
}

function endGuard(guard: ChildProcess): void {
  guard.kill("SIGTERM");
  guard.stdin?.destroy();
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
