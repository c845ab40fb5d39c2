import { basename, resolve } from "node:path";
import { CutoverError } from "../../core/index.ts";

/** The longest name of a file on the usual file systems, bytes. */
const longestName = 255;
const longestCompanion = "-journal";

/**
 * The path that SQLite is given and every other part of the process is told. An absolute one names the same file after a
 * `process.chdir()`, and SQLite takes it for a path even where `file:…` would be a URI, parameters and all.
 * `":memory:"` and `""` (a temporary database) stay themselves.
 * @throws CUTOVER_STORE_UNAVAILABLE for a name with a NUL, or one too long for the files that SQLite puts beside it;
 *   nothing is made
 */
export function databasePath(path: string): string {
  if (path === ":memory:" || path === "") return path;
  if (path.includes("\0")) {
    throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
      message: "expected a path of a file, found one with a NUL character",
      remedy: "take the NUL out of the path",
      place: path.replaceAll("\0", "\\0"),
    });
  }
  const most = longestName - longestCompanion.length;
  const length = Buffer.byteLength(basename(path));
  if (length > most) {
    throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
      message: `expected a file name of at most ${most} bytes, since SQLite puts NAME${longestCompanion} beside it, found ${length}`,
      remedy: "choose a shorter name",
      place: path,
    });
  }
  return resolve(path);
}
