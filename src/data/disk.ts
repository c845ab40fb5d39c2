import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { CutoverError } from "../core/index.ts";

/** Free bytes on the disk of a folder that may not be there yet; undefined where the file system does not say. */
export async function freeAt(dir: string): Promise<number | undefined> {
  for (let at = resolve(dir); ; at = dirname(at)) {
    try {
      const { bavail, bsize, blocks } = await statfs(at);
      // Without limits, as some file systems in memory or on the network are.
      return blocks === 0 ? undefined : bavail * bsize;
    } catch {
      if (dirname(at) === at) return undefined;
    }
  }
}

/** @throws CUTOVER_DATA_FULL when less than `bytes` is free where `dir` lies; `what` it is for, and `remedy`, where there is a better one */
export async function requireFree(dir: string, bytes: number, what: string, remedy?: string): Promise<void> {
  const free = await freeAt(dir);
  if (free === undefined || free >= bytes) return;
  throw new CutoverError("CUTOVER_DATA_FULL", {
    message: `expected about ${bytes} free bytes for ${what}, found ${free}`,
    place: dir,
    details: { needed: bytes, free },
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** Linux: `proc`, `sysfs` and `cgroup2` let the superuser write, and take no files. */
const takeNoFiles = new Set([0x9fa0, 0x62656572, 0x63677270]);

/**
 * Refuses a path that could not be written, or made, without touching it: one that is there has to be writable, else the nearest folder
 * above it that is there.
 * @throws what the operating system says: EACCES, EROFS, ENOTDIR
 */
export async function requireWritable(path: string): Promise<void> {
  for (let at = resolve(path); ; at = dirname(at)) {
    const found = await stat(at).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" && dirname(at) !== at) return undefined;
      throw error;
    });
    if (found === undefined) continue;
    await access(at, constants.W_OK | (found.isDirectory() ? constants.X_OK : 0));
    // Something has to be made in it.
    if (at !== resolve(path) && !found.isDirectory()) throw refused("ENOTDIR", "not a directory", at);
    if (takeNoFiles.has((await statfs(at)).type)) throw refused("EACCES", "no files can be made here", at);
    return;
  }
}

const refused = (code: string, why: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${why}, ${path}`), { code });
