import { answer, answerAndTell } from "./answers.ts";
import { shareBuckets, type Side } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import type { Journal } from "./journal.ts";
import type { Ledger } from "./ledger.ts";
import type { Replay } from "./replay.ts";
import type { Entry } from "./replay-entry.ts";
import { type KeyParts, keyOf } from "./routed.ts";
import type { Write, WriteIds } from "./write-ids.ts";

export interface WriteParts extends KeyParts {
  readonly operation: string;
  readonly old: AnyFunction;
  readonly new: AnyFunction;
  readonly ledger: Ledger;
  readonly replay: Replay;
  readonly journal: Journal;
  readonly ids: WriteIds;
  readonly unsure: ((error: unknown) => boolean) | undefined;
  /** Wait for the disk before the first side is called. */
  readonly forPower: boolean;
  /** Milliseconds of the wall clock, for ids. */
  readonly now: () => number;
}

/**
 * The function of a write. At a stage with two sides its intent is written down, then the first side is called for the
 * caller, and the second one after it. Writes of one key are called one after the other when they answer by a promise.
 */
export function entityWrite(parts: WriteParts): AnyFunction {
  const { ledger, replay, journal, operation } = parts;
  let waits = [parts.old, parts.new].some((fn) => fn.constructor.name === "AsyncFunction");

  const ask = (entry: Entry, args: readonly unknown[]): unknown => {
    const { first, id, key } = entry;
    entry.state = "asked";
    const self: Write = { id, operation, key, side: first, attempt: 0, again: false };
    const watch = ledger.cohort[first];
    const assigned = sideOfStage(ledger, key);
    if (key !== undefined && isShared(ledger)) ledger.cohort.tally.keyLoad.add(ledger.bucketOf(key));
    const result = answerAndTell(ledger, parts[first], watch, self, args, (ok, error) => {
      if (ok) return replay.taken(entry);
      // A key that is held to one side says nothing about the share.
      if (key !== undefined && assigned === first && isShared(ledger) && !watch.isExpected(error))
        watch.noteFirst(key);
      if (isUnsure(parts, error)) replay.unknown(entry);
      else replay.refused(entry);
    });
    waits = result instanceof Promise;
    return result;
  };

  return function (...args: unknown[]): unknown {
    const { stage } = ledger.state;
    const key = keyOf(parts, args);
    const both = stage !== "off" && stage !== "complete";
    const pinned = key === undefined ? undefined : both ? replay.sideToWrite(key) : replay.sideOf(key);
    const first = pinned ?? sideOfStage(ledger, key);
    const entry = both || pinned !== undefined ? replay.intend(operation, key, first, args) : undefined;
    if (entry === undefined) {
      const id = parts.ids.next(parts.now());
      const self: Write = { id, operation, key, side: first, attempt: 0, again: false };
      return answer(ledger, parts[first], ledger.cohort[first], self, args);
    }
    if (!waits) {
      if (parts.forPower) journal.syncNow();
      return ask(entry, args);
    }
    const turn = replay.turn(entry);
    if (!parts.forPower) return turn === undefined ? ask(entry, args) : turn.then(() => ask(entry, args));
    return Promise.all([turn, journal.synced()]).then(() => ask(entry, args));
  };
}

function isShared({ state, limit }: Ledger): boolean {
  return state.stage === "live" && limit > 0 && limit < shareBuckets;
}

function sideOfStage(ledger: Ledger, key: string | undefined): Side {
  const { stage } = ledger.state;
  if (stage === "complete" || stage === "rampdown") return "new";
  if (stage !== "live") return "old";
  if (ledger.limit >= shareBuckets) return "new";
  return key !== undefined && ledger.bucketOf(key) < ledger.limit ? "new" : "old";
}

function isUnsure(parts: WriteParts, error: unknown): boolean {
  try {
    return parts.unsure?.(error) === true;
  } catch (fault) {
    parts.errors.fault(parts.route, "unsure", fault);
    return true; // it cannot tell, and neither can anybody else
  }
}
