import { join } from "node:path";
import { asError, type Clock, CutoverError, sha256, timeId } from "../../core/index.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { JournalFile, type KeptWrite, lockPath, syncEvery } from "./journal-file.ts";
import { type WrittenInput } from "./journal-input.ts";
import { JournalPeers } from "./journal-peers.ts";
import type { JournalReader, RecordedWrite } from "./journal-reader.ts";
import { type Ending, readRecord, recordLine, writeLine, type WriteRecord } from "./journal-record.ts";
import type { ErrorReporter } from "./report-error.ts";

export interface JournalOptions {
  readonly route: string;
  readonly door: string;
  /** The folder of the journals, or undefined while there is none. */
  readonly folder: () => string | undefined;
  readonly disk: JournalDisk;
  readonly clock: Clock;
  readonly errors: ErrorReporter;
}

/** Bytes of lines kept in memory besides the file. */
const mostText = 16 * 1024 * 1024;
/** Reads ask no more often than this for what other doors have written, milliseconds. */
export const lookEvery = 20;

/**
 * The second writes of one route that are not done yet, on disk: a journal of this door, those it took over, and a look
 * at those of other doors. Without a folder nothing is on disk and a crash loses them.
 */
export class Journal {
  readonly #options: JournalOptions;
  #folder: string | undefined;
  #peers: JournalPeers | undefined;
  #own: JournalFile | undefined;
  readonly #files = new Set<JournalFile>();
  readonly #prefix: string;
  #text = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #syncing = false;
  /** Lost writes that stand in no file. */
  #lost = 0;

  constructor(options: JournalOptions) {
    this.#options = options;
    const name = options.route.replaceAll(/[^\w-]/g, "_").slice(0, 60);
    this.#prefix = `${name}-${sha256(options.route).slice(0, 8)}.`;
    this.openFolder();
  }

  /** Looks for the folder again, when there was none. True while the journal is on disk. */
  openFolder(): boolean {
    if (this.#peers !== undefined) return true;
    const folder = this.#options.folder();
    if (folder === undefined) return false;
    this.#attempt("be opened", () => {
      this.#options.disk.makeFolder(folder);
      const peers = new JournalPeers(this.#options.disk, folder, this.#prefix);
      peers.look(this.#options.clock.now());
      this.#folder = folder;
      this.#peers = peers;
    });
    return this.#peers !== undefined;
  }

  /** Writes an intent down. Undefined when it is in memory only, which was told. */
  begin(record: WriteRecord, input: WrittenInput | undefined): KeptWrite | undefined {
    if (this.#folder === undefined) {
      this.#tell("lie on disk", "there is no folder for it, a crash loses what the other side has not taken");
      return undefined;
    }
    return this.#attempt("take a write", () => {
      const file = this.#ownFile();
      if (file === undefined) return undefined;
      const line =
        input !== undefined && "v8" in input
          ? writeLine({ ...record, v8: input.v8 }, undefined)
          : writeLine(record, input?.json);
      const place = file.append(line);
      const remembered = this.#text + place.length <= mostText;
      if (remembered) this.#text += place.length;
      const kept: KeptWrite = {
        id: record.id,
        file,
        ...place,
        line: remembered ? line.slice(0, -1) : undefined,
        taken: false,
        aside: undefined,
      };
      file.keep(kept);
      this.#syncLater();
      return kept;
    });
  }

  taken(write: KeptWrite): void {
    write.taken = true;
    write.file.mark({ t: "taken", id: write.id });
  }

  /** @param now before anybody can act on it: a refusal that was lost would be a write that is done after all */
  ended(write: KeptWrite, why: Ending, now: boolean): void {
    const { file } = write;
    file.drop(write);
    if (write.line !== undefined) this.#text -= write.length;
    file.mark({ t: "ended", id: write.id, why });
    if (now) file.flush();
    if (file.longAndMostlyEnded) this.#attempt("be written anew", () => file.rewrite(this.#head()));
    this.#removeIfDone(file);
  }

  aside(write: KeptWrite, why: string | undefined): void {
    write.aside = why;
    write.file.mark(why === undefined ? { t: "again", id: write.id } : { t: "aside", id: write.id, why });
  }

  /** The intent as it was written down. */
  record(write: KeptWrite): WriteRecord | undefined {
    const line = write.line ?? this.#attempt("be read", () => write.file.readLine(write));
    const record = line === undefined ? undefined : readRecord(line);
    return record?.t === "write" ? record : undefined;
  }

  /** Resolves when all that was written so far would survive a loss of power. */
  async synced(): Promise<void> {
    await Promise.all([...this.#files].map((file) => file.synced()));
  }

  syncNow(): void {
    this.#attempt("reach the disk", () => this.#own?.syncNow());
  }

  /** A write that cannot be held: counted where the count survives. */
  addLost(): void {
    const file = this.#attempt("take a write", () => this.#ownFile());
    if (file === undefined) this.#lost++;
    else file.mark({ t: "lost", count: ++file.lost });
  }

  get lost(): number {
    let lost = this.#lost;
    for (const file of this.#files) lost += file.lost;
    return lost;
  }

  clearLost(): void {
    this.#lost = 0;
    for (const file of this.#files) {
      if (file.lost === 0) continue;
      file.lost = 0;
      file.mark({ t: "lost", count: 0 });
      this.#removeIfDone(file);
    }
  }

  /** What other doors have written, no older than `within` milliseconds. Undefined where there can be none. */
  others(within: number): JournalPeers | undefined {
    const peers = this.#peers;
    if (peers === undefined) return undefined;
    const now = this.#options.clock.monotonic();
    if (within === 0 || now - this.#lookedAt >= within) {
      this.#lookedAt = now;
      this.#attempt("be looked for", () => peers.look(this.#options.clock.now()));
    }
    return peers;
  }

  /** Takes over the journals of doors that are gone, and answers their open writes, oldest first. */
  takeOver(knows: (operation: string) => boolean): readonly (readonly [RecordedWrite, KeptWrite])[] {
    const found: (readonly [RecordedWrite, KeptWrite])[] = [];
    const orphans = this.#attempt("be taken over", () => this.others(0)?.orphans(knows)) ?? [];
    for (const { reader, lock } of orphans) {
      const adopted = this.#attempt("be taken over", () => this.#adopt(reader, lock));
      if (adopted === undefined) {
        this.#peers?.disown(reader.path);
        lock.release();
      } else found.push(...adopted);
    }
    for (const reader of this.#peers?.stranded ?? []) {
      const strange = [...reader.open.values()]
        .map(({ operation }) => operation)
        .filter((name) => !knows(name));
      this.#options.errors.report(strandedError(this.#options.route, reader, [...new Set(strange)]));
    }
    return found.toSorted(([a], [b]) => (a.id < b.id ? -1 : 1));
  }

  /** Writes in journals that no living door can finish, as far as this one knows. */
  get stranded(): number {
    let stranded = 0;
    for (const reader of this.#peers?.stranded ?? []) stranded += reader.open.size;
    return stranded;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#files].map((file) => file.close(file.kept.size === 0 && file.lost === 0)));
    this.#files.clear();
  }

  #adopt(reader: JournalReader, lock: { release(): void }): readonly (readonly [RecordedWrite, KeptWrite])[] {
    const { disk } = this.#options;
    const file = new JournalFile(disk, reader.path, lock, reader.size, (error) =>
      this.#tell("be written", error),
    );
    file.lost = reader.lost;
    const writes = [...reader.open.values()].map((write) => {
      const { id, at, length, taken, aside } = write;
      const kept: KeptWrite = { id, file, at, length, line: undefined, taken, aside };
      file.keep(kept);
      return [write, kept] as const;
    });
    if (reader.damaged.length > 0) {
      disk.copy(reader.path, `${reader.path}.damaged`);
      file.lost += reader.damaged.length;
      file.rewrite(this.#head());
      this.#options.errors.report(damaged(reader));
    }
    this.#files.add(file);
    this.#removeIfDone(file);
    return writes;
  }

  #ownFile(): JournalFile | undefined {
    if (this.#own !== undefined || this.#folder === undefined) return this.#own;
    const { disk, clock } = this.#options;
    const path = join(this.#folder, `${this.#prefix}${timeId(clock.now())}.journal`);
    this.#peers?.own(path);
    // The lock first: a journal without one would look like that of a door that is gone.
    const lock = disk.lock(lockPath(path));
    if (lock === undefined) return undefined;
    try {
      const file = new JournalFile(disk, path, lock, 0, (error) => this.#tell("be written", error));
      file.append(recordLine(this.#head()));
      this.#own = file;
      this.#files.add(file);
      return file;
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  #head(): { readonly t: "journal"; readonly version: 1; readonly route: string; readonly door: string } {
    return { t: "journal", version: 1, route: this.#options.route, door: this.#options.door };
  }

  /** A journal that was taken over goes when nothing is left in it; the own one when the door closes. */
  #removeIfDone(file: JournalFile): void {
    if (file === this.#own || file.kept.size > 0 || file.lost > 0) return;
    this.#files.delete(file);
    void file.close(true).then(() => this.#peers?.disown(file.path));
  }

  #syncLater(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    this.#options.clock
      .after(syncEvery, () => {
        this.#syncing = false;
        void this.synced();
      })
      .unref();
  }

  #attempt<T>(what: string, fn: () => T): T | undefined {
    try {
      return fn();
    } catch (error) {
      this.#tell(what, error);
      return undefined;
    }
  }

  #tell(what: string, error: unknown): void {
    const { route } = this.#options;
    this.#options.errors.report(
      new CutoverError("CUTOVER_JOURNAL_UNAVAILABLE", {
        message: `the journal of ${JSON.stringify(route)} could not ${what}: ${asError(error).message}`,
        details: { route, code: (error as { code?: string } | undefined)?.code ?? null },
        place: this.#folder ?? `entity(${JSON.stringify(route)}).journal`,
        cause: error,
      }),
    );
  }
}

function damaged(reader: JournalReader): CutoverError {
  const lines = reader.damaged.slice(0, 20);
  return new CutoverError("CUTOVER_JOURNAL_DAMAGED", {
    message: `expected whole lines in ${reader.path}, found ${reader.damaged.length} damaged: ${lines.join(", ")}`,
    details: { lines, damaged: reader.damaged.length, kept: `${reader.path}.damaged` },
    place: `${reader.path}:${lines[0] ?? 0}`,
  });
}

function strandedError(route: string, reader: JournalReader, strange: readonly string[]): CutoverError {
  return new CutoverError("CUTOVER_WRITE_ASIDE", {
    message: `${reader.open.size} second writes in ${reader.path} wait for a process whose entity ${JSON.stringify(route)} has the operations ${strange.slice(0, 8).join(", ")}`,
    details: { route, open: reader.open.size, operations: strange.slice(0, 8) },
    place: reader.path,
    remedy: "start the application that has them, or declare them here under these names",
  });
}
