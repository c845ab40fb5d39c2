import { join, resolve } from "node:path";
import { type Clock, shortId, type Side } from "../../core/index.ts";
import type { AnyFunction } from "./apart.ts";
import { type Backlog, openBacklog } from "./backlog.ts";
import { type Entity, type EntityLimits, type EntityOptions, type Functions } from "./entity-options.ts";
import { entityWrite } from "./entity-writes.ts";
import { Journal, lookEvery } from "./journal.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { openRoute, type RouteSurroundings } from "./open-route.ts";
import { ownPredicate } from "./own-functions.ts";
import type { Pins } from "./pinned-read.ts";
import { Replay } from "./replay.ts";
import { sideNow } from "./routed.ts";
import { WriteIds } from "./write-ids.ts";

/** What an entity shares with its door. */
export interface EntitySurroundings extends RouteSurroundings {
  readonly clock: Clock;
  readonly random: () => number;
  readonly disk: JournalDisk;
  /** The `.cutover` folder, or undefined while there is none. */
  readonly folder: () => string | undefined;
  /** False where each process counts the epochs of its states for itself. */
  readonly sharedEpochs: boolean;
  /** Second writes that may be missing in this process; more are only counted. Default 100,000. */
  readonly mostOpen?: number;
}

export interface OpenEntity<R extends Functions, W extends Functions> {
  readonly functions: Entity<R, W>;
  readonly backlog: Backlog;
  stateChanged(): void;
  close(): Promise<void>;
}

/** Puts the parts of one entity together: its operations share one stage, one ledger and one journal. */
export function openEntity<R extends Functions, W extends Functions>(
  name: string,
  options: EntityOptions<R, W>,
  limits: EntityLimits,
  around: EntitySurroundings,
): OpenEntity<R, W> {
  const { ledger, errors, clock } = around;
  const folder = (): string | undefined => {
    if (limits.writes.size === 0) return undefined;
    if (options.journal !== undefined) return resolve(options.journal);
    const found = around.folder();
    return found === undefined ? undefined : join(found, "journal");
  };
  const journal = new Journal({ ...around, route: name, folder });
  const ids = new WriteIds(shortId("", 6));
  const operations = new Map(
    [...limits.writes].map(([operation, { sides }]) => [
      operation,
      sides as Readonly<Record<Side, AnyFunction>>,
    ]),
  );
  const replay = new Replay({
    ...around,
    route: name,
    operations,
    journal,
    ids,
    attempts: limits.attempts,
    mostOpen: around.mostOpen ?? 100_000,
  });
  const pins: Pins = {
    any: () => replay.lines.entries.size > 0 || (journal.others(lookEvery)?.open ?? 0) > 0,
    sideOf: (key) => replay.sideOf(key),
  };
  const functions: Record<string, unknown> = {};
  const side = (of: string | number | bigint): Side => pins.sideOf(String(of)) ?? sideNow(ledger, of);
  for (const [operation, read] of limits.reads) {
    const fn = openRoute(name, read.options, read.limits, around, pins);
    functions[operation] = Object.assign(fn, { side });
  }
  for (const [operation, { sides, key }] of limits.writes) {
    const fn = entityWrite({
      ...(sides as Record<Side, AnyFunction>),
      route: name,
      operation,
      key: key as AnyFunction,
      ledger,
      replay,
      journal,
      ids,
      errors,
      unsure:
        options.unsure === undefined
          ? undefined
          : ownPredicate("unsure", options.unsure, { route: name, errors }),
      forPower: options.survives === "power",
      now: () => clock.now(),
    });
    functions[operation] = Object.assign(fn, { state: () => ledger.state, side });
  }
  return {
    functions: functions as Entity<R, W>,
    backlog: openBacklog(replay, journal),
    stateChanged: () => replay.stateChanged(),
    close: () => replay.close(),
  };
}
