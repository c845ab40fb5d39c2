import { accessSync, constants, realpathSync } from "node:fs";
import { dirname } from "node:path";
import { CutoverError } from "../../core/index.ts";
import { fileAt } from "./standing-files.ts";

/** How a database that this process may not write is opened. */
export interface Look {
  /**
   * Nobody has it open, as far as can be seen, and all of it is in the one file: SQLite takes no locks and makes no files. It
   * is whole only as long as that holds: `stillWhole` is to be asked after each query.
   */
  readonly immutable: boolean;
  /** @throws CUTOVER_STORE_UNAVAILABLE when somebody has begun to write since */
  readonly stillWhole: () => void;
}

/**
 * How to look at a database that may not be written: a backup on a read-only disk, or the file of another user. Undefined
 * where it may, or where there is none. Opening it as usual would fail, or leave a log beside it that its own user cannot
 * write.
 * @throws CUTOVER_STORE_UNAVAILABLE when it cannot be read without writing beside it: it says what to copy
 */
export function lookAt(path: string): Look | undefined {
  const file = fileAt(path);
  if (file === undefined) return undefined;
  const real = realpathSync(path);
  const [wal, shm] = [fileAt(`${real}-wal`), fileAt(`${real}-shm`)];
  const needed = [real, dirname(real), ...(wal ? [`${real}-wal`] : []), ...(shm ? [`${real}-shm`] : [])];
  if (needed.every(mayWrite)) return undefined;
  // With the log and its index there, readers stand beside the writer; only without them they would be made.
  if (wal !== undefined && shm !== undefined) return { immutable: false, stillWhole: () => {} };
  if (wal !== undefined && wal.size > 0n) throw incomplete(path);
  return {
    immutable: true,
    stillWhole() {
      const now = fileAt(path);
      const alone = fileAt(`${real}-wal`)?.size === wal?.size;
      if (alone && now?.ino === file.ino && now.mtimeNs === file.mtimeNs && now.size === file.size) return;
      throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
        message: "expected a file that nobody writes while it is looked at, found that somebody does",
        remedy: "look again: beside one who has it open all is read as it stands then",
        place: path,
      });
    },
  };
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const incomplete = (path: string): CutoverError =>
  new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
    message: `expected ${path}-shm beside ${path}-wal, or the right to make it, found neither: what was written last lies in the log and cannot be read`,
    remedy: `copy the file and its -wal to a folder that can be written, and look there: cp ${path} ${path}-wal DIR`,
    place: path,
  });
