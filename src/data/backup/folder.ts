import { mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { requireFree, requireWritable } from "../disk.ts";

/** A folder that is there under its name only when it is whole. */
export interface NewFolder {
  /** Where it is written until then. */
  readonly dir: string;
  /** What earlier attempts left behind that were killed. */
  readonly leftovers: readonly string[];
  /** Gives it its name. All files in it are on disk already. */
  publish(): Promise<void>;
  discard(): Promise<void>;
}

/**
 * Whether a new folder can be made there, told without making anything.
 * @throws CUTOVER_DATA_NOT_EMPTY when something is there; CUTOVER_DATA_FULL when less than `bytes` is free; CUTOVER_DATA_DENIED
 */
export async function requirePlace(wanted: string, bytes: number | undefined): Promise<void> {
  const final = resolve(wanted);
  await tellFiles(final, async () => {
    const there = await readdir(final).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error.code === "ENOTDIR" ? occupied(final, "a file") : error;
    });
    if (there !== undefined && there.length > 0) throw occupied(final, `${there.length} entries`);
    // It is written beside, and renamed: an empty folder is replaced.
    await requireWritable(dirname(final));
    const parent = dirname(final);
    const remedy = "make room, or put the backup on another disk";
    if (bytes !== undefined) await requireFree(parent, bytes, "the backup", remedy);
  });
}

/** @throws as `requirePlace` */
export async function newFolder(wanted: string, bytes: number | undefined): Promise<NewFolder> {
  const final = resolve(wanted);
  const parent = dirname(final);
  const start = `${basename(final)}.partial-`;
  await requirePlace(final, bytes);
  return tellFiles(final, async () => {
    await makeFolders(parent);
    const leftovers = (await readdir(parent)).filter((name) => name.startsWith(start));
    const dir = await mkdtemp(join(parent, start));
    return {
      dir,
      leftovers: leftovers.map((name) => join(parent, name)),
      publish: async () => {
        await syncFolder(dir);
        // Renaming onto an empty folder replaces it; onto one that was filled meanwhile it fails.
        await rename(dir, final);
        await syncFolder(parent);
      },
      discard: () => rm(dir, { recursive: true, force: true }),
    };
  });
}

/** Node's own `recursive` never ends where a parent is there and takes no folder, as below `/proc`. */
async function makeFolders(dir: string): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(dir).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" || dirname(dir) === dir) throw error;
    await makeFolders(dirname(dir));
    await make();
  });
}

/** A rename is on disk when its folder is. */
async function syncFolder(dir: string): Promise<void> {
  await using handle = await open(dir, "r");
  await handle.sync();
}

function occupied(place: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
    message: `expected a place for a new folder, found ${found} there`,
    place,
    remedy: "name a folder that is not there yet: a backup never overwrites another one",
  });
}

/** What the file system refuses, as errors of ours. */
export async function tellFiles<T>(place: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG")
      throw new CutoverError("CUTOVER_DATA_FULL", {
        message: `expected room on the disk, found ${code}`,
        place,
        cause: error,
      });
    if (code === "EACCES" || code === "EPERM" || code === "EROFS")
      throw new CutoverError("CUTOVER_DATA_DENIED", {
        message: `expected to read and write there, found ${code}`,
        place,
        cause: error,
      });
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ENOTEMPTY" || code === "EEXIST")
      throw new CutoverError("CUTOVER_DATA_NOT_EMPTY", {
        message: `expected a place for a new folder, found ${code}`,
        place,
        cause: error,
      });
    throw error;
  }
}
