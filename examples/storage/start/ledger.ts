import { readFileSync } from "node:fs";

/** A write that is about to be sent (`i`), or one that the engine said is there (`a`). */
export type Line =
  | { readonly i: number; readonly k: string; readonly gone?: true }
  | {
      readonly a: number;
      readonly k: readonly string[];
      /** Side that took it. */
      readonly s: "old" | "new";
      readonly gone?: true;
    };

export interface Ledger {
  /** What was last said to be there, by key: the number of the write, and whether the key was forgotten by it. */
  readonly acknowledged: ReadonlyMap<string, { readonly write: number; readonly gone: boolean }>;
  /** Writes whose end nobody heard: they may be there or not. */
  readonly open: ReadonlyMap<number, { readonly key: string; readonly gone: boolean }>;
  readonly writes: number;
  /** Of these, taken by the new side. */
  readonly writesOnNew: number;
  readonly lastWrite: number;
  /** Largest number in an id that the load made. */
  readonly lastNumber: number;
}

export function readLedger(file: string): Ledger {
  const acknowledged = new Map<string, { write: number; gone: boolean }>();
  const open = new Map<number, { key: string; gone: boolean }>();
  let [writes, writesOnNew, lastWrite, lastNumber] = [0, 0, 0, 0];
  for (const line of linesOf<Line>(file)) {
    if ("i" in line) {
      open.set(line.i, { key: line.k, gone: line.gone === true });
      lastWrite = Math.max(lastWrite, line.i);
      const [, family, digits] = line.k.split(/[:-]/);
      if (family === "live") lastNumber = Math.max(lastNumber, Number(digits));
      continue;
    }
    open.delete(line.a);
    writes++;
    if (line.s === "new") writesOnNew++;
    for (const key of line.k) {
      const known = acknowledged.get(key);
      if (known === undefined || known.write < line.a)
        acknowledged.set(key, { write: line.a, gone: line.gone === true });
    }
  }
  return { acknowledged, open, writes, writesOnNew, lastWrite, lastNumber };
}

/** A JSON value a line; a file that is not there has none. */
export function* linesOf<T>(file: string): Generator<T> {
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return;
  }
  for (const line of text.split("\n")) {
    try {
      if (line !== "") yield JSON.parse(line) as T;
    } catch {
      // Who wrote it was killed in the middle of a line: of the load, nothing was sent or heard with it.
    }
  }
}
