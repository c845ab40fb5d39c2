import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { dirname, resolve } from "node:path";
import { asError, type Clock, CutoverError, isCutoverError, type Timer } from "../../core/index.ts";
import type { Link, LinkedDoor } from "./link.ts";
import type { ErrorReporter } from "./report-error.ts";
import { readStageFile, type WrittenStage } from "./stage-file.ts";

/** The watch tells of most changes at once; this look finds the rest. */
const lookMs = 1_000;
/** Writers make several small changes; a file is looked at once for all of them. */
const settleMs = 20;
/** What is wrong is looked at once more before it is told: an editor may be in the middle of writing. */
const secondLookMs = 150;
const largest = 1_000_000;

export interface FileLinkOptions {
  readonly file: string;
  readonly clock: Clock;
  readonly errors: ErrorReporter;
}

/**
 * Stages from a file that a person or a configuration system writes. What the file says is in force, in this process
 * and in every other that reads the same; what is wrong with it is told and changes nothing. It has no record:
 * measurements go nowhere, and no verdict can be given.
 */
export class FileLink implements Link {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #errors: ErrorReporter;
  readonly #known = new Map<string, WrittenStage & { readonly epoch: number }>();
  #door: LinkedDoor | undefined;
  #seen = "";
  #doubted = "";
  #doubtedAt = 0;
  #timer: Timer | undefined;
  #watcher: FSWatcher | undefined;
  #closed = false;

  constructor({ file, clock, errors }: FileLinkOptions) {
    this.#file = resolve(file);
    this.#clock = clock;
    this.#errors = errors;
  }

  open(door: LinkedDoor): void {
    this.#door = door;
    this.#look();
  }

  declare(): void {
    // Nobody is there to be told.
  }

  send(): void {
    // Nobody is there to judge it.
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#unwatch();
    return Promise.resolve();
  }

  #look(): void {
    if (this.#closed) return;
    this.#watch();
    this.#lookIn(this.#read() ? lookMs : secondLookMs);
  }

  #lookIn(ms: number): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => this.#look());
    this.#timer.unref();
  }

  /** False when the file was found wrong just now and should be looked at again before that is told. */
  #read(): boolean {
    let version = "missing";
    try {
      const { mtimeMs, ino, size } = statSync(this.#file);
      version = `${mtimeMs} ${ino} ${size}`;
      if (version === this.#seen) return true;
      if (size > largest) throw this.#wrong(`expected at most ${largest} bytes, found ${size}`);
      this.#apply(readStageFile(readFileSync(this.#file, "utf8"), this.#file));
      this.#seen = version;
      return true;
    } catch (thrown) {
      if (this.#seen === version) return true;
      const now = this.#clock.monotonic();
      if (this.#doubted !== version) {
        this.#doubted = version;
        this.#doubtedAt = now;
      }
      if (now - this.#doubtedAt < secondLookMs) return false;
      this.#seen = version;
      this.#errors.report(isCutoverError(thrown) ? thrown : this.#wrong(unreadable(thrown), thrown));
      return true;
    }
  }

  #apply(written: readonly WrittenStage[]): void {
    for (const entry of written) {
      const before = this.#known.get(entry.route);
      const { stage, share, salt } = entry;
      if (before?.stage === stage && before.share === share && before.salt === salt) continue;
      // Counted here, so that the file may also go back to what it said before.
      const state = { ...entry, epoch: (before?.epoch ?? 0) + 1 };
      this.#known.set(entry.route, state);
      this.#door?.apply([state], true);
    }
    const named = new Set(written.map(({ route }) => route));
    for (const [route, { stage, share }] of this.#known) {
      if (named.has(route)) continue;
      this.#errors.report(
        this.#wrong(
          `expected route ${JSON.stringify(route)} to be named as before, found it gone; it stays at ${stage} ${share} %`,
          undefined,
          route,
        ),
      );
    }
  }

  /** The folder is watched, not the file: configuration systems put a new file, or a new link, in place of the old. */
  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      this.#watcher = watch(dirname(this.#file), { persistent: false }, () => {
        if (!this.#closed) this.#lookIn(settleMs);
      });
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#unwatch(); // no such folder yet, or out of watches: the slow look finds every change as well
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #wrong(message: string, cause?: unknown, at?: string): CutoverError {
    return new CutoverError("CUTOVER_STAGES_INVALID", {
      message,
      place: at === undefined ? this.#file : `${this.#file}: ${at}`,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

const unreadable = (thrown: unknown): string =>
  (thrown as NodeJS.ErrnoException).code === "ENOENT"
    ? "expected a file of stages, found none"
    : `expected a file of stages, found: ${asError(thrown).message}`;
