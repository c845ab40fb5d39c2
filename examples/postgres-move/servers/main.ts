/**
 * Keeps both PostgreSQL servers: starts them on the ports and folders of the record, ends them when it is told to (SIGTERM) or
 * when its life is over. One that was killed left them running: they are ended first, and recover as after a crash.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, exit, pid } from "node:process";
import { setTimeout as wait } from "node:timers/promises";
import { type Binaries, postgresBinaries } from "../../../test/postgres/binaries.ts";
import {
  lifeMs,
  password,
  places,
  readRecord,
  type ServerPlace,
  type ServersRecord,
  user,
  writeRecord,
} from "../settings.ts";
import { commandOf } from "../start/processes.ts";

const settings: readonly string[] = [
  "listen_addresses=127.0.0.1",
  "wal_level=logical",
  "max_replication_slots=20",
  "max_wal_senders=20",
  "timezone=UTC",
  "log_min_messages=warning",
];
const startMs = 60_000;
let stopping = false;

const file = places(argv[2] ?? "").servers;
const binaries = await postgresBinaries();
const as = unprivileged();
const before = readRecord<ServersRecord>(file);
const found = { old: before?.old ?? (await newPlace()), new: before?.new ?? (await newPlace()) };
writeRecord(file, { pid, ...found, ready: false } satisfies ServersRecord);
const running = [found.old, found.new].map((place) => {
  endLeftover(place);
  if (!existsSync(join(place.folder, "data"))) initialise(binaries, place);
  return startServer(binaries, place);
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void stop(0));
// A server that ended by itself is not started again here: whoever needs it starts this program anew.
for (const server of running) server.once("exit", () => void stop(1));
await Promise.all([ready(found.old, running[0]), ready(found.new, running[1])]);
writeRecord(file, { pid, ...found, ready: true } satisfies ServersRecord);
await wait(lifeMs);
await stop(0);

async function stop(code: number): Promise<void> {
  if (stopping) return;
  stopping = true;
  for (const server of running) server.kill("SIGINT");
  await Promise.all(
    running.map(async (server) => {
      for (let i = 0; i < 200 && server.exitCode === null && server.signalCode === null; i++) await wait(50);
      server.kill("SIGKILL");
    }),
  );
  exit(code);
}

async function newPlace(): Promise<ServerPlace> {
  // Not in the work folder: the account that runs the servers may not be allowed to look there.
  const folder = mkdtempSync(join(tmpdir(), "cutover-postgres-move-"));
  if (as !== undefined) chownSync(folder, as.uid, as.gid);
  return { folder, port: await freePort() };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

function initialise({ initdb }: Binaries, { folder }: ServerPlace): void {
  const secret = join(folder, "password");
  writeFileSync(secret, password);
  if (as !== undefined) chownSync(secret, as.uid, as.gid);
  const flags = ["-A", "scram-sha-256", "-U", user, `--pwfile=${secret}`, "-E", "UTF8", "--locale=C"];
  const data = join(folder, "data");
  try {
    execFileSync(initdb, ["-D", data, ...flags, "--no-sync"], { ...as, cwd: folder, stdio: "ignore" });
  } catch (error) {
    rmSync(data, { recursive: true, force: true });
    throw error;
  }
  rmSync(secret);
}

function startServer({ postgres }: Binaries, { folder, port }: ServerPlace): ChildProcess {
  const flags = [...settings, `port=${port}`, `unix_socket_directories=${folder}`];
  const words = ["-D", join(folder, "data"), ...flags.flatMap((flag) => ["-c", flag])];
  return spawn(postgres, words, {
    ...as,
    cwd: folder,
    detached: true,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** The last line of the file says `ready` once connections are accepted. */
async function ready({ folder }: ServerPlace, server: ChildProcess | undefined): Promise<void> {
  for (const until = Date.now() + startMs; Date.now() < until; await wait(20)) {
    const lines = postmaster(folder);
    if (Number(lines[0]) === server?.pid && lines[7]?.trim() === "ready") return;
  }
  await stop(1);
}

function endLeftover({ folder }: ServerPlace): void {
  const leftover = Number(postmaster(folder)[0] ?? 0);
  if (!(leftover > 0) || !commandOf(leftover).includes(folder)) return;
  process.kill(leftover, "SIGQUIT");
  const until = Date.now() + 10_000;
  while (commandOf(leftover).includes(folder) && Date.now() < until)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
}

function postmaster(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, "data/postmaster.pid"), "utf8").split("\n");
  } catch {
    return [];
  }
}

/** PostgreSQL refuses to run as root; any other account of the machine does. */
function unprivileged(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => /^(postgres|nobody):/.test(each));
  const fields = line?.split(":") ?? [];
  return { uid: Number(fields[2] ?? 65_534), gid: Number(fields[3] ?? 65_534) };
}
