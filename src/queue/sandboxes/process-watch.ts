import type { Clock, Timer } from "../../core/index.ts";
import type { ProcessMark } from "../machine.ts";
import { openProcFiles, type ProcessEntry, type ProcFiles } from "./proc-files.ts";
import type { Usage } from "./sandbox.ts";

/** What all processes of one program take at one moment. */
export interface Reading {
  readonly processes: number;
  /** Sum of their resident memory; divided fairly where they share pages and the sum is over the limit. */
  readonly rss: number;
}

/** A program that is watched. */
export interface Watched {
  /** What it took so far: processor time as last seen, the largest memory seen. */
  readonly usage: Usage;
  /** Its processes as last seen. */
  readonly marks: readonly ProcessMark[];
  /** Looks once more, e.g. when its output ended. */
  look(): void;
  /** Looks at all processes, once for all programs that ask in one turn: a child may be younger than the last look. */
  lookAround(): void;
  stop(): void;
}

/** Between two looks at all processes. */
const everyMs = 100;
/** A look at a machine with many processes takes longer; looking takes at most this share of the time. */
const share = 1 / 20;
const longestMs = 1_000;
/** Looks between two of the slower questions: the leader's peak, the fair share of shared pages. */
const slowEvery = 5;

const watches = new WeakMap<Clock, ProcessWatch>();

/** The watch of this process; undefined where `/proc` is missing. One timer and one pass serve all programs. */
export function processWatch(clock: Clock): ProcessWatch | undefined {
  const known = watches.get(clock);
  if (known !== undefined) return known;
  const files = openProcFiles();
  if (files === undefined) return undefined;
  const made = new ProcessWatch(files, clock);
  watches.set(clock, made);
  return made;
}

/**
 * Adds up what programs take. A process belongs to a program when it is in its group or session, when its parent
 * belongs, or when it once did: a child that leaves the group is found while its parent lives, and kept.
 */
export class ProcessWatch {
  readonly #files: ProcFiles;
  readonly #clock: Clock;
  readonly #programs = new Map<number, Program>();
  /** Who owned which process at the last look. */
  #seen = new Map<number, { readonly startTime: string; readonly program: Program }>();
  #timer: Timer | undefined;
  #looked = false;

  constructor(files: ProcFiles, clock: Clock) {
    this.#files = files;
    this.#clock = clock;
  }

  /** @param limit bytes, 0 for none · `over` is called with each reading above it */
  add(leader: ProcessMark, limit: number, over: (reading: Reading) => void): Watched {
    const stop = (): void => {
      if (this.#programs.get(leader.pid) === program) this.#programs.delete(leader.pid);
      if (this.#programs.size > 0) return;
      this.#seen.clear();
      this.#timer?.cancel();
      this.#timer = undefined;
    };
    const program = new Program(leader, limit, over, this.#files, () => this.#lookAround(), stop);
    program.look();
    this.#programs.set(leader.pid, program);
    if (this.#timer === undefined) this.#arm(everyMs);
    return program;
  }

  #arm(ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      const begin = this.#clock.monotonic();
      this.#tryToLook();
      const took = this.#clock.monotonic() - begin;
      this.#timer = undefined;
      if (this.#programs.size > 0) this.#arm(Math.min(longestMs, Math.max(everyMs, took / share)));
    });
    this.#timer.unref();
  }

  #lookAround(): void {
    if (!this.#looked) this.#tryToLook();
  }

  #tryToLook(): void {
    this.#looked = true;
    setImmediate(() => (this.#looked = false));
    try {
      this.#look();
    } catch {
      // A look that cannot be done is none: what was seen before stands until the next.
    }
  }

  #look(): void {
    const entries = new Map(this.#files.all().map((entry) => [entry.pid, entry]));
    const owners = new Map<number, Program | undefined>();
    const owner = (entry: ProcessEntry): Program | undefined => {
      if (owners.has(entry.pid)) return owners.get(entry.pid);
      // Set before the parent is asked: numbers reused between two reads could make a circle.
      owners.set(entry.pid, undefined);
      const direct = this.#programs.get(entry.group) ?? this.#programs.get(entry.session);
      const parent = entries.get(entry.parent);
      const found = direct ?? (parent === undefined ? undefined : owner(parent)) ?? this.#knownTo(entry);
      owners.set(entry.pid, found);
      return found;
    };
    const members = new Map<Program, ProcessEntry[]>();
    for (const program of this.#programs.values()) members.set(program, []);
    const seen = new Map<number, { readonly startTime: string; readonly program: Program }>();
    for (const entry of entries.values()) {
      const program = owner(entry);
      if (program === undefined) continue;
      members.get(program)?.push(entry);
      seen.set(entry.pid, { startTime: entry.startTime, program });
    }
    this.#seen = seen;
    for (const [program, own] of members) program.take(own);
  }

  #knownTo(entry: ProcessEntry): Program | undefined {
    const seen = this.#seen.get(entry.pid);
    if (seen?.startTime !== entry.startTime) return undefined;
    return this.#programs.get(seen.program.leader) === seen.program ? seen.program : undefined;
  }
}

class Program implements Watched {
  usage: Usage = { cpuMs: 0, maxRss: 0 };
  readonly #leader: ProcessMark;
  readonly #limit: number;
  readonly #over: (reading: Reading) => void;
  readonly #files: ProcFiles;
  readonly lookAround: () => void;
  readonly stop: () => void;
  #known = new Map<number, string>();
  #looks = 0;
  #askAgain = 0;

  constructor(
    leader: ProcessMark,
    limit: number,
    over: (reading: Reading) => void,
    files: ProcFiles,
    lookAround: () => void,
    stop: () => void,
  ) {
    this.#leader = leader;
    this.#limit = limit;
    this.#over = over;
    this.#files = files;
    this.lookAround = lookAround;
    this.stop = stop;
  }

  get marks(): readonly ProcessMark[] {
    return [...this.#known].map(([pid, startTime]) => ({ pid, startTime }));
  }

  get leader(): number {
    return this.#leader.pid;
  }

  look(): void {
    try {
      this.#look();
    } catch {
      // As with a look at all of them.
    }
  }

  #look(): void {
    const entry = this.#files.one(this.#leader.pid);
    if (entry === undefined || entry.startTime !== this.#leader.startTime) return;
    const others = [...this.#known].flatMap(([pid, startTime]) => {
      const other = pid === entry.pid ? undefined : this.#files.one(pid);
      return other?.startTime === startTime ? [other] : [];
    });
    this.take([entry, ...others]);
  }

  take(own: readonly ProcessEntry[]): void {
    if (own.length === 0) return;
    this.#known = new Map(own.map((entry) => [entry.pid, entry.startTime]));
    const slow = this.#looks++ % slowEvery === 0;
    const sum = own.reduce((all, entry) => all + entry.rss, 0);
    const cpuMs = own.reduce((all, entry) => all + entry.cpuMs, 0);
    const peak = slow ? (this.#files.peak(this.#leader.pid) ?? 0) : 0;
    this.usage = {
      // A child whose parent did not wait for it takes its time with it; what was seen once stays.
      cpuMs: Math.max(this.usage.cpuMs, cpuMs),
      maxRss: Math.max(this.usage.maxRss, sum, peak),
    };
    if (this.#limit === 0 || sum <= this.#limit) return;
    const rss = own.length === 1 ? sum : this.#fairShare(own);
    if (rss > this.#limit) this.#over({ processes: own.length, rss });
  }

  /**
   * Forks of one program share most of their pages, and the sum counts them once for each. Only asked when the sum is
   * over the limit, and then not at each look: it walks the page tables.
   */
  #fairShare(own: readonly ProcessEntry[]): number {
    if (this.#looks < this.#askAgain) return 0;
    this.#askAgain = this.#looks + slowEvery;
    return own.reduce((all, { pid, rss }) => all + (this.#files.proportional(pid) ?? rss), 0);
  }
}
