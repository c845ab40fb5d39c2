import { appendFileSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One attempt as its own process noted it before it did anything. */
export interface Noted {
  readonly n: number;
  readonly key: string;
  readonly fence: number;
  readonly attempt: number;
  /** Its limit key. */
  readonly limit?: string | undefined;
}

/** A line of somebody's notes. Times in milliseconds of the one monotonic clock that all processes of a machine share. */
export type Note =
  | ({ readonly what: "begin"; readonly at: number } & Noted)
  /** `how`: "done", "failed", or the code of the reason for which the work was asked to end. */
  | {
      readonly what: "end";
      readonly at: number;
      readonly n: number;
      readonly fence: number;
      readonly how: string;
    }
  | { readonly what: "refused"; readonly n: number; readonly fence: number }
  /** A process stood still as a whole, its clock aside. */
  | { readonly what: "still"; readonly process: string; readonly from: number; readonly to: number }
  | { readonly what: "ended"; readonly process: string; readonly at: number };

/** No wall clock: that of some processes jumps. */
export const ledgerTime = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

export function note(folder: string, by: string, line: Note): void {
  appendFileSync(join(folder, `notes-${by}`), `${JSON.stringify(line)}\n`);
}

/**
 * What really happened, kept apart from the queue: when each attempt began and ended, and an effect for each order that
 * counts once under its idempotency key.
 *
 * It takes fences, as an application should. The attempt that may have an effect is a file named by its fence; a newer one
 * takes the older ones' files away when it begins, and an effect is that file under another name, which is one step of the
 * file system. A process that is stopped anywhere in between can do no harm.
 */
export class Ledger {
  readonly #folder: string;
  readonly #process: string;

  constructor(folder: string, process: string) {
    this.#folder = folder;
    this.#process = process;
  }

  /** False when an attempt with a newer fence was here already. */
  begin(attempt: Noted): boolean {
    const { n, fence } = attempt;
    const place = effectsOf(this.#folder, n);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, String(fence)), "");
    const fences = readdirSync(place).filter((name) => !name.includes("~"));
    if (fences.some((other) => Number(other) > fence)) return this.#refuse(n, fence, place);
    for (const other of fences) if (Number(other) < fence) rmSync(join(place, other), { force: true });
    this.#note({ what: "begin", at: ledgerTime(), ...attempt });
    return true;
  }

  /** False when the fence is over. An effect that is there already under this key is as good as this one. */
  effect(n: number, key: string, fence: number): boolean {
    const place = effectsOf(this.#folder, n);
    const name = `${encodeURIComponent(key)}~`;
    if (readdirSync(place).includes(name)) return true;
    try {
      renameSync(join(place, String(fence)), join(place, name));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return this.#refuse(n, fence, place);
      throw error;
    }
  }

  end(n: number, fence: number, how: string): void {
    this.#note({ what: "end", at: ledgerTime(), n, fence, how });
  }

  /** Notes each time this process stands still for longer than `longestMs`, as it is found out afterwards. */
  watch(longestMs: number): void {
    let last = ledgerTime();
    setInterval(() => {
      const now = ledgerTime();
      if (now - last > longestMs) this.#note({ what: "still", process: this.#process, from: last, to: now });
      last = now;
    }, longestMs / 5).unref();
  }

  #refuse(n: number, fence: number, place: string): false {
    rmSync(join(place, String(fence)), { force: true });
    this.#note({ what: "refused", n, fence });
    return false;
  }

  #note(line: Note): void {
    note(this.#folder, this.#process, line);
  }
}

export const effectsOf = (folder: string, n: number): string => join(folder, "effects", String(n));
