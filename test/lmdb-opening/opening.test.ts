import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CutoverError, systemClock } from "../../src/core/index.ts";
import { Opening } from "../../src/data/connectors/lmdb-opening.ts";
import { openLmdb } from "../../src/data/index.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";

interface Writer {
  readonly name: string;
  readonly child: ChildProcess;
  readonly lines: () => readonly string[];
  readonly ended: Promise<string | number | null>;
}

let folder: string;
let path: string;
let writers: Writer[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cutover-opening-"));
  path = join(folder, "db");
  writers = [];
});
afterEach(async () => {
  for (const { child } of writers) child.kill("SIGKILL");
  await Promise.all(writers.map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string): Writer {
  const said = join(folder, `${name}.${writers.length}`);
  const file = openSync(said, "w");
  const child = spawn(process.execPath, [join(import.meta.dirname, "writer.ts"), path, name], {
    stdio: ["ignore", file, file],
    timeout: 100_000,
  });
  closeSync(file);
  const ended = new Promise<string | number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(signal ?? code));
  });
  const writer = { name, child, ended, lines: () => readFileSync(said, "utf8").split("\n").slice(0, -1) };
  writers.push(writer);
  return writer;
}

const told = ({ lines }: Writer): number =>
  Number(/\d+/.exec(lines().findLast((line) => line.startsWith("told")) ?? "0"));

async function until(what: () => boolean): Promise<void> {
  if (!(await comes(what, 60_000))) throw new Error("expected it within a minute");
}

async function comes(what: () => boolean, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (!what()) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** Stopped within a transaction it would keep everybody from writing: it is stopped where another one gets on. */
async function stopBeside(steady: Writer, { child }: Writer): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    child.kill("SIGSTOP");
    const before = told(steady);
    if (await comes(() => told(steady) > before + 5, 3_000)) return;
    child.kill("SIGCONT");
    await comes(() => told(steady) > before + 5, 3_000);
  }
  throw new Error("expected a moment without a transaction");
}

/** Each key is what its writer was told last, or what it had asked for when it was ended. */
async function nothingLost(): Promise<void> {
  for (const { child } of writers) child.kill("SIGKILL");
  await Promise.all(writers.map(({ ended }) => ended));
  await using store = await openLmdb(path);
  const most = new Map<string, number>();
  for (const writer of writers) {
    expect(writer.lines().filter((line) => !/^(open|told \d+)$/.test(line))).toEqual([]);
    most.set(writer.name, Math.max(most.get(writer.name) ?? 0, told(writer)));
  }
  for (const [name, last] of most) {
    const [found] = await store.get("", [Buffer.from(name)]);
    const number = Number(Buffer.from(found ?? "0").toString());
    expect([name, number - last]).toEqual([name, number === last ? 0 : 1]);
  }
}

describe("an LMDB that is opened while others write in it", () => {
  test("loses nothing of theirs, however often it is opened", async () => {
    write("one");
    write("two");
    await until(() => writers.every((writer) => told(writer) > 20));
    const before = writers.map(told);
    for (let round = 0; round < 200; round++) {
      await using store = await openLmdb(path);
      // What the opener writes itself is kept too.
      if (round % 10 === 0)
        await store.write([{ collection: "", key: Buffer.from(`r${round}`), value: Buffer.from("x") }]);
    }
    await until(() => writers.every((writer, index) => told(writer) > (before[index] as number) + 20));
    await nothingLost();
    await using store = await openLmdb(path);
    const kept = await store.get(
      "",
      Array.from({ length: 20 }, (_, index) => Buffer.from(`r${index * 10}`)),
    );
    expect(kept.map((value) => value?.length)).toEqual(kept.map(() => 1));
  }, 90_000);

  test("is opened while not one of them writes", async () => {
    write("one");
    write("two");
    await until(() => writers.every((writer) => told(writer) > 20));
    const opening = Opening.of({ path, file: false, name: "test", clock: systemClock });
    const wait = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const moments = await opening.carryOut(() => {
      // What was written before is still being told.
      wait(300);
      const begun = writers.map(told);
      wait(300);
      return [begun, writers.map(told)];
    });
    opening.leave();
    expect(moments[1]).toEqual(moments[0]);
    await until(() => writers.every((writer, index) => told(writer) > (moments[1]?.[index] as number) + 20));
  }, 90_000);

  test("is opened by many at once, one after the other", async () => {
    for (const name of ["a", "b", "c", "d", "e", "f"]) write(name);
    await until(() => writers.every((writer) => told(writer) > 20));
    await nothingLost();
  }, 90_000);

  test("is opened and goes on when processes are killed that have it open, or are opening it", async () => {
    write("steady");
    await until(() => writers.every((writer) => told(writer) > 5));
    for (let round = 0; round < 12; round++) {
      const frail = write(`frail${round % 3}`);
      // From before it listens to after it has written.
      await new Promise((resolve) => setTimeout(resolve, 40 * round));
      frail.child.kill("SIGKILL");
      await frail.ended;
    }
    const before = told(writers[0] as Writer);
    await until(() => told(writers[0] as Writer) > before + 20);
    await nothingLost();
    // Whoever is dead has left nothing behind after the next opening.
    expect(readdirSync(join(path, "cutover-opening"))).toEqual([]);
  }, 90_000);

  test("is not opened beside a process that does not answer, which is named, and writes nothing meanwhile", async () => {
    const [steady, stopped] = [write("steady"), write("stopped")];
    await until(() => writers.every((writer) => told(writer) > 5));
    await stopBeside(steady, stopped);
    // On a clock that is about five times as fast as that of the others.
    const clock = new ManualClock();
    let settled = false;
    const refused = openLmdb(path, { clock })
      .then(
        () => expect.unreachable(),
        (error: unknown) => error as CutoverError,
      )
      .finally(() => (settled = true));
    for (let round = 0; !settled && round < 2_000; round++) {
      await clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const refusal = await refused;
    expect(refusal.code).toBe("CUTOVER_DATA_UNAVAILABLE");
    expect(refusal.details["processes"]).toEqual([stopped.child.pid]);
    const before = told(steady);
    // Who is held between the rounds gets on.
    await until(() => told(steady) > before + 20);
    stopped.child.kill("SIGCONT");
    await using store = await openLmdb(path);
    expect(await store.get("", [Buffer.from("none")])).toEqual([undefined]);
    await until(() => told(steady) > before + 20);
    await nothingLost();
  }, 90_000);

  test("is not opened beside a process that ends each connection without an answer, which is named", async () => {
    await (await openLmdb(path, { create: true }))[Symbol.asyncDispose]();
    const rude = createServer((socket) => socket.destroy());
    const address = join(folder, "rude.sock");
    await new Promise<void>((resolve) => rude.listen(address, resolve));
    writeFileSync(join(path, "cutover-opening", "4711-rude.open"), address);
    const clock = new ManualClock();
    let settled = false;
    const opened = openLmdb(path, { clock }).finally(() => (settled = true));
    const refused = expect(opened).rejects.toMatchObject({
      code: "CUTOVER_DATA_UNAVAILABLE",
      details: { processes: [4711] },
    });
    for (let round = 0; !settled && round < 2_000; round++) {
      await clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await refused;
    await new Promise((resolve) => rude.close(resolve));
    // Nobody listens there any more.
    await using store = await openLmdb(path);
    expect(readdirSync(join(path, "cutover-opening"))).not.toContain("4711-rude.open");
    expect(await store.get("", [Buffer.from("none")])).toEqual([undefined]);
  });

  test("in a folder whose path is too long for a socket is opened as well", async () => {
    path = join(folder, "x".repeat(90), "db");
    await using here = await openLmdb(path, { create: true });
    write("one");
    await until(() => writers.every((writer) => told(writer) > 20));
    await here.write([{ collection: "", key: Buffer.from("k"), value: Buffer.from("v") }]);
    expect(await here.get("", [Buffer.from("k")])).toEqual([Buffer.from("v")]);
  }, 60_000);

  test("as a single file keeps its sockets beside it", async () => {
    path = join(folder, "one.mdb");
    const { open } = await import("lmdb");
    await open({ path, encoding: "binary" }).close();
    const store = await openLmdb(path);
    expect(readdirSync(`${path}-cutover-opening`).length).toBe(2);
    await store[Symbol.asyncDispose]();
    expect(readdirSync(`${path}-cutover-opening`)).toEqual([]);
    expect(existsSync(path)).toBe(true);
  });
});
