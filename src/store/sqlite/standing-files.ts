import { type BigIntStats, realpathSync, statSync } from "node:fs";
import { asError, type Clock, CutoverError } from "../../core/index.ts";

/** So long a read and the beginning of a commit trust the last look: who reads all the time looks next to never. */
const trustMs = 10;

/** Which file a path names: its device and its number there. */
interface FileId {
  readonly dev: bigint;
  readonly ino: bigint;
}

interface Standing {
  readonly path: string;
  readonly id: FileId | undefined;
}

/**
 * What a path names now; undefined where there is nothing, and for a database in memory.
 * @throws CUTOVER_STORE_UNAVAILABLE where the system does not say
 */
export function fileAt(path: string): BigIntStats | undefined {
  if (isInMemory(path)) return undefined;
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw new CutoverError("CUTOVER_STORE_UNAVAILABLE", {
      message: `expected a folder and file that can be read and written, found: ${asError(error).message}`,
      place: path,
      cause: error,
    });
  }
}

const isInMemory = (path: string): boolean => path === ":memory:" || path === "";

/**
 * Whether the files of an open store still stand where they were opened. SQLite writes on into a file that was removed or
 * replaced, and nobody would ever find what it keeps there; without the log or its index that the others use, two
 * processes write over each other. A look at all three files takes 7 µs; a commit syncs, which takes at least 50.
 */
export class StandingFiles {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #files: readonly Standing[];
  #lookedAt = Number.NEGATIVE_INFINITY;
  #gone: CutoverError | undefined;

  /**
   * @param path of a database that is open and was read, so that its companions are there; nothing is looked at for one in memory
   * @param opened what `path` named when it was opened
   * @throws CUTOVER_STORE_GONE when it names another file by now
   */
  constructor(path: string, clock: Clock, opened: FileId | undefined) {
    this.#path = path;
    this.#clock = clock;
    this.#files = isInMemory(path) ? [] : [{ path, id: opened }, ...companions(path)];
    this.check();
  }

  /**
   * What was written before a look that finds all in place went into the store.
   * @throws CUTOVER_STORE_GONE from the first look on that finds a file missing or replaced, also when it is put back:
   *   others may have written where it was
   * @throws CUTOVER_STORE_UNAVAILABLE where the system does not say
   */
  check(): void {
    if (this.#gone !== undefined) throw this.#gone;
    for (const { path, id } of this.#files) {
      const found = fileAt(path);
      if (found !== undefined && found.ino === id?.ino && found.dev === id.dev) continue;
      this.#gone = new CutoverError("CUTOVER_STORE_GONE", {
        message: `expected the file that was opened at ${path}, found ${found === undefined ? "none" : "another one"}`,
        details: { file: path, found: found === undefined ? "none" : "another" },
        place: this.#path,
      });
      throw this.#gone;
    }
    this.#lookedAt = this.#clock.monotonic();
  }

  /** As `check`, but looks only when the last look is some time ago. */
  glance(): void {
    if (this.#gone !== undefined) throw this.#gone;
    if (this.#clock.monotonic() - this.#lookedAt >= trustMs) this.check();
  }
}

/** The log and its index. SQLite follows links before it names what lies beside the file. */
function companions(path: string): readonly Standing[] {
  if (fileAt(path) === undefined) return [];
  const real = realpathSync(path);
  return [`${real}-wal`, `${real}-shm`].flatMap((beside) => {
    const id = fileAt(beside);
    return id === undefined ? [] : [{ path: beside, id }];
  });
}
