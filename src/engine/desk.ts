import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import {
  asError,
  type Clock,
  faultPoint,
  type Log,
  type RandomBytes,
  type RouteDeclaration,
} from "../core/index.ts";
import type { Compiled, CompiledPhase, CompiledStep } from "../plan/index.ts";
import type { Store } from "../store/index.ts";
import type { Holds } from "./holds.ts";
import type { Standing } from "./incidents.ts";
import type { Journal } from "./journal.ts";
import type { Judges } from "./judges.ts";
import type { Live } from "./live.ts";
import type { RunMemory } from "./run-memory.ts";

/** What `createEngine` takes, defaults filled in. Times in milliseconds. */
export interface Settings {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: RandomBytes;
  readonly owner: string;
  readonly dir: string;
  readonly judgeEveryMs: number;
  readonly leaseMs: number;
  /** Steps of one phase that may run side by side. */
  readonly concurrency: number;
  /** How long aborted work may take to stop before it is left behind. */
  readonly graceMs: number;
  readonly readMemory: (() => number | Promise<number>) | undefined;
  readonly declarations: (
    route: string,
  ) => readonly RouteDeclaration[] | Promise<readonly RouteDeclaration[]>;
  readonly isDead: (owner: string) => boolean;
  /** Pace at which decisions of other processes are looked for; undefined when there are none. */
  readonly hearEveryMs: number | undefined;
}

/** The graph with its look-ups. */
export interface Graph {
  readonly compiled: Compiled;
  readonly phase: ReadonlyMap<string, CompiledPhase>;
  readonly step: ReadonlyMap<string, CompiledStep>;
  /** Per phase, the steps that have a `complete`. */
  readonly completable: ReadonlyMap<string, readonly CompiledStep[]>;
}

export function graphOf(compiled: Compiled): Graph {
  return {
    compiled,
    phase: new Map(compiled.phases.map((phase) => [phase.name, phase])),
    step: new Map(
      [...compiled.steps, ...compiled.contingencies.flatMap(({ steps }) => steps)].map((step) => [
        step.id,
        step,
      ]),
    ),
    completable: new Map(
      compiled.phases.map(({ name, steps }) => [
        name,
        steps.filter(({ kind }) => kind.complete !== undefined),
      ]),
    ),
  };
}

/** What all parts that carry one run share. */
export interface Desk {
  readonly settings: Settings;
  readonly graph: Graph;
  readonly memory: RunMemory;
  readonly journal: Journal;
  readonly fence: number;
  readonly holds: Holds;
  /** What the rules about incidents look at. */
  readonly standing: Standing;
  readonly live: Live;
  readonly judges: Judges;
  readonly workDir: string;
  /** Name of the throttling trigger while one is active: concurrency is 1. */
  throttledBy(): string | undefined;
  /** Name of the trigger that throttles or holds while one does: shares do not rise. */
  restrainedBy(): string | undefined;
  /** Emergency procedures that run now, by name. */
  readonly procedures: Set<string>;
  /** What waited for its time is looked at now. */
  lookNow(): void;
  /** Makes the carrier look again at what is to be done. */
  wake(): void;
  /** A named fault point; a handler that throws ends the carrier as a crash would: nothing is written after it. */
  fault(name: string): void;
}

export function breakOnFault(journal: Journal, name: string): void {
  try {
    faultPoint(name);
  } catch (thrown) {
    journal.break(asError(thrown));
  }
}

/** `<dir>/work/<run>`, made when it is not there. */
export async function makeWorkDir(dir: string, run: string): Promise<string> {
  const path = join(dir, "work", run);
  await mkdir(path, { recursive: true });
  return path;
}
