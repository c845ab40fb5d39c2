import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { asError, type Clock, CutoverError, faultPoint } from "../core/index.ts";
import { swapFile } from "./routes-file.ts";
import { isBusy, storeError } from "./sqlite/sqlite-error.ts";

/** Who holds a store's folder, as `owner.json` tells it. Null where the file is not written yet. */
export interface Owner {
  readonly pid: number | null;
  /** Path of the Unix socket it answers on; null when it answers nobody. */
  readonly socket: string | null;
  /** Wall-clock milliseconds. */
  readonly startedAt: number | null;
  readonly version: string | null;
}

export interface OwnOptions {
  readonly pid: number;
  readonly socket: string | null;
  readonly version: string;
  readonly clock: Clock;
}

export interface Ownership extends AsyncDisposable {
  readonly owner: Owner;
  /** Writes `owner.json` again, e.g. once the socket is open. */
  announce(change: { readonly socket: string | null }): void;
  release(): Promise<void>;
}

const unknown: Owner = { pid: null, socket: null, startedAt: null, version: null };
/** A look at the lock holds it shared for some microseconds; an owner that meets one tries again this often. */
const triesAmongLookers = 500;
/** Seen exclusively held this often in a row, it is owned and not just being fought for. */
const timesHeld = 3;

/**
 * Takes the folder for this process, making it when it is missing. The lock is an SQLite file in an exclusive
 * transaction: a lock of the operating system on the open file, freed with the process however it ends.
 * No other code may open `owner.lock` with `fs`: closing any handle on it would free the lock (POSIX).
 * @throws CUTOVER_STORE_OWNED with pid and socket of the process that holds it
 * @throws CUTOVER_STORE_UNAVAILABLE when the folder cannot be made or written
 */
export async function ownFolder(dir: string, options: OwnOptions): Promise<Ownership> {
  const lock = await takeLock(dir);
  const file = join(dir, "owner.json");
  let owner: Owner = {
    pid: options.pid,
    socket: options.socket,
    startedAt: options.clock.now(),
    version: options.version,
  };
  const write = (): void => {
    try {
      swapFile(file, `${JSON.stringify(owner)}\n`);
    } catch (error) {
      throw unavailable(dir, error);
    }
  };
  try {
    faultPoint("store.owner.before-file");
    write();
    faultPoint("store.owner.after-file");
  } catch (error) {
    lock.close();
    throw error;
  }
  let held = true;
  const release = (): Promise<void> => {
    if (held) {
      held = false;
      rmSync(file, { force: true });
      lock.close();
    }
    return Promise.resolve();
  };
  return {
    get owner() {
      return owner;
    },
    announce(change) {
      owner = { ...owner, ...change };
      write();
    },
    release,
    [Symbol.asyncDispose]: release,
  };
}

/**
 * Who holds the folder now; undefined when nobody does. The lock decides, never `owner.json`, which a killed owner
 * leaves behind. Reads only; a missing folder is owned by nobody.
 */
export function readOwner(dir: string): Owner | undefined {
  return isHeld(dir) ? readOwnerFile(dir) : undefined;
}

/** An owner's exclusive lock keeps others from reading; the shared lock of somebody who only looks does not. */
function isHeld(dir: string): boolean {
  let probe: DatabaseSync | undefined;
  try {
    probe = new DatabaseSync(join(dir, "owner.lock"), { readOnly: true, timeout: 0 });
    probe.prepare("SELECT count(*) FROM sqlite_schema").get();
    return false;
  } catch (error) {
    return isBusy(error);
  } finally {
    probe?.close();
  }
}

async function takeLock(dir: string): Promise<DatabaseSync> {
  try {
    mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw unavailable(dir, error);
  }
  for (let tries = 0, held = 0; tries < triesAmongLookers && held < timesHeld; tries++) {
    let lock: DatabaseSync | undefined;
    try {
      lock = new DatabaseSync(join(dir, "owner.lock"), { timeout: 0 });
      lock.exec("BEGIN EXCLUSIVE");
      return lock;
    } catch (error) {
      lock?.close();
      if (!isBusy(error)) throw lockUnusable(dir, error);
    }
    held = isHeld(dir) ? held + 1 : 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  throw owned(dir);
}

function readOwnerFile(dir: string): Owner {
  try {
    const found = JSON.parse(readFileSync(join(dir, "owner.json"), "utf8")) as Partial<Owner>;
    return { ...unknown, ...found };
  } catch {
    return unknown; // held, but not announced yet
  }
}

function owned(dir: string): CutoverError {
  const { pid, socket } = readOwnerFile(dir);
  return new CutoverError("CUTOVER_STORE_OWNED", {
    message: `expected ${dir} to be free, found it owned by process ${pid ?? "(not announced yet)"}`,
    details: { pid, socket },
    place: dir,
  });
}

function lockUnusable(dir: string, thrown: unknown): CutoverError {
  const error = storeError(thrown, join(dir, "owner.lock"));
  if (error.code !== "CUTOVER_STORE_CORRUPT") return error;
  return new CutoverError(error.code, {
    message: `expected the lock file of a store, found ${join(dir, "owner.lock")} to be something else`,
    remedy: "remove owner.lock; it holds no data",
    place: dir,
    cause: thrown,
  });
}

function unavailable(dir: string, error: unknown): CutoverError {
  const code = (error as { code?: string }).code ?? null;
  const full = code === "ENOSPC" || code === "EDQUOT";
  return new CutoverError(full ? "CUTOVER_STORE_FULL" : "CUTOVER_STORE_UNAVAILABLE", {
    message: `expected a folder that can be written, found: ${asError(error).message}`,
    details: { code },
    place: dir,
    cause: error,
  });
}
