import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The outside world of the crash test: what steps really did, in files that the store knows nothing of. `done` says what
 * is in effect now; `log` says how often something was applied or undone, whoever asked for it.
 */
export interface World {
  apply(effect: string): void;
  undo(effect: string): void;
  isApplied(effect: string): boolean;
  log(): readonly string[];
  /** Remembers a fact across processes, e.g. that a step has failed once. */
  mark(name: string): void;
  isMarked(name: string): boolean;
}

export function openWorld(dir: string): World {
  const effects = join(dir, "effects");
  const log = join(dir, "effects.log");
  mkdirSync(effects, { recursive: true });
  const file = (effect: string): string => join(effects, encodeURIComponent(effect));
  return {
    apply(effect) {
      // The log line comes first: an effect that is in place was always logged, and a second one shows.
      appendFileSync(log, `apply ${effect}\n`);
      writeFileSync(file(effect), "");
    },
    undo(effect) {
      appendFileSync(log, `undo ${effect}\n`);
      rmSync(file(effect), { force: true });
    },
    isApplied: (effect) => existsSync(file(effect)),
    log: () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").filter(Boolean) : []),
    mark: (name) => writeFileSync(join(dir, `mark-${name}`), ""),
    isMarked: (name) => existsSync(join(dir, `mark-${name}`)),
  };
}
