import { appendFileSync, closeSync, mkdirSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One attempt as its own process noted it before it did anything. */
export interface Noted {
  readonly n: number;
  readonly key: string;
  readonly fence: number;
  readonly attempt: number;
}

/**
 * What really happened, kept apart from the queue: a line for each attempt in a file of each process, and an effect for
 * each order that counts once under its idempotency key, because its file can be made only once.
 */
export class Ledger {
  readonly #attempts: string;
  readonly #effects: string;

  constructor(folder: string, process: string) {
    this.#effects = effectsFolder(folder);
    mkdirSync(this.#effects, { recursive: true });
    this.#attempts = join(folder, `attempts-${process}`);
  }

  begin({ n, key, fence, attempt }: Noted): void {
    appendFileSync(this.#attempts, `${n} ${encodeURIComponent(key)} ${fence} ${attempt}\n`);
  }

  /** False when the effect was there already. */
  effect(n: number, key: string): boolean {
    try {
      closeSync(openSync(join(this.#effects, `${n}~${encodeURIComponent(key)}`), "wx"));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }
}

const effectsFolder = (folder: string): string => join(folder, "effects");

export function readAttempts(folder: string): readonly Noted[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("attempts-"))
    .flatMap((name) => readFileSync(join(folder, name), "utf8").split("\n"))
    .map((line) => line.split(" "))
    .filter((fields) => fields.length === 4)
    .map(([n, key = "", fence, attempt]) => ({
      n: Number(n),
      key: decodeURIComponent(key),
      fence: Number(fence),
      attempt: Number(attempt),
    }));
}

/** Keys under which the effect of each order counts: more than one is an effect too many. */
export function readEffects(folder: string): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  for (const name of readdirSync(effectsFolder(folder))) {
    const n = Number(name.slice(0, name.indexOf("~")));
    const key = decodeURIComponent(name.slice(name.indexOf("~") + 1));
    found.set(n, [...(found.get(n) ?? []), key]);
  }
  return found;
}
