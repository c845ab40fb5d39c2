import {
  afterArrow,
  type Arrow,
  type Attempt,
  type CrossingState,
  nextArrow,
  otherSide,
  type Side,
  stateAfter,
} from "../../src/data/cutover/arrows.ts";
import type { Standing } from "../../src/data/cutover/switch.ts";
import { isDecision } from "../../src/data/cutover/turn-law.ts";
import { isLate } from "../../src/data/capture-refusals.ts";
import type { CutoverRules } from "./cutover-rules.ts";
import type { Model, Step } from "./explorer.ts";

export interface CutoverCase {
  /** Sides that take charge, one after the other. */
  readonly plan: readonly Side[];
  readonly writers: number;
  readonly writes: number;
  readonly crashes: number;
  readonly takeovers: number;
  /** Times that an application gives up waiting, and arrows that fail. */
  readonly giveBacks: number;
  readonly failures: number;
}

/** One row on each side: values are numbers that are given out once. */
interface StoreWorld {
  readonly value: number;
  readonly log: readonly { readonly value: number; readonly by: "application" | "stream" }[];
  /** The least epoch that may write. */
  readonly least: number;
}

interface StreamWorld {
  readonly active: boolean;
  readonly at: number;
}

interface Application {
  readonly side: Side;
  readonly epoch: number;
  /** A transaction that is open: it was let in. */
  readonly open?: { readonly side: Side; readonly value: number };
  readonly refused?: number;
  readonly lifts?: Standing;
}

interface Process {
  readonly state: CrossingState;
  readonly attempt: Attempt;
  readonly arrow?: Arrow;
  /** Another one has taken over: what it saves or applies is refused. */
  readonly stale?: true;
}

export interface CutoverWorld {
  readonly standing: Standing;
  readonly sides: Readonly<Record<Side, StoreWorld>>;
  readonly streams: Readonly<Record<Side, StreamWorld>>;
  readonly kept: CrossingState;
  readonly crossing: number;
  readonly processes: readonly Process[];
  readonly applications: readonly Application[];
  /** The value that was acknowledged last. */
  readonly last: number;
  readonly nextValue: number;
  readonly writesLeft: number;
  readonly crashesLeft: number;
  readonly takeoversLeft: number;
  readonly giveBacksLeft: number;
  readonly failuresLeft: number;
}

/**
 * Applications, streams, crashes and a migration that brings one row there and back: every order of what can happen, through the
 * arrows and the law of the switch that are shipped.
 */
export function cutoverModel(rules: CutoverRules, what: CutoverCase): Model<CutoverWorld> {
  const store: StoreWorld = { value: 1, log: [], least: 0 };
  const to = what.plan[0] as Side;
  return {
    initial: {
      standing: { side: "old", epoch: 0 },
      sides: { old: store, new: store },
      // A backfill has copied the row and follows the log.
      streams: { new: { active: true, at: 0 }, old: { active: false, at: 0 } },
      kept: { to },
      crossing: 0,
      processes: [{ state: { to }, attempt: {} }],
      applications: Array.from({ length: what.writers }, () => ({ side: "old" as const, epoch: 0 })),
      last: 1,
      nextValue: 2,
      writesLeft: what.writes,
      crashesLeft: what.crashes,
      takeoversLeft: what.takeovers,
      giveBacksLeft: what.giveBacks,
      failuresLeft: what.failures,
    },
    key: (world) => JSON.stringify(world),
    broken: () => undefined,
    finished: ({ crossing }) => crossing === what.plan.length,
    steps: (world) => steps(rules, what, world),
  };
}

function* steps(rules: CutoverRules, what: CutoverCase, world: CutoverWorld): Generator<Step<CutoverWorld>> {
  if (world.crossing === what.plan.length) return;
  for (const [at, application] of world.applications.entries())
    yield* applicationSteps(rules, world, application, (next, rest = {}) => ({
      ...world,
      ...rest,
      applications: world.applications.with(at, next),
    }));
  yield* streamSteps(rules, world);
  for (const [at, process] of world.processes.entries()) {
    const put = (next: Process | undefined, rest: Partial<CutoverWorld> = {}): CutoverWorld => ({
      ...world,
      ...rest,
      processes: next === undefined ? world.processes.toSpliced(at, 1) : world.processes.with(at, next),
    });
    yield* processSteps(rules, what, world, process, put);
    if (process.stale) {
      yield { name: "the stale process dies", to: put(undefined) };
      continue;
    }
    const fresh: Process = { state: world.kept, attempt: {} };
    if (world.crashesLeft > 0)
      yield { name: "the process dies", to: put(fresh, { crashesLeft: world.crashesLeft - 1 }), bad: true };
    if (world.takeoversLeft > 0 && process.arrow !== undefined) {
      const processes = [...world.processes.with(at, { ...process, stale: true }), fresh];
      const to = { ...world, processes, takeoversLeft: world.takeoversLeft - 1 };
      yield { name: "another process takes over", to, bad: true };
    }
  }
}

const withSide = (
  { sides }: CutoverWorld,
  side: Side,
  next: Partial<StoreWorld>,
): { readonly sides: CutoverWorld["sides"] } => ({
  sides: { ...sides, [side]: { ...sides[side], ...next } },
});

const lifted = (
  rules: CutoverRules,
  world: CutoverWorld,
  { side, epoch }: Standing,
): Partial<CutoverWorld> =>
  rules.leavesLaterFences && isLate(epoch, world.sides[side].least)
    ? {}
    : withSide(world, side, { least: epoch });

/** The standing after a turn; undefined when it is refused. */
function turned(rules: CutoverRules, now: Standing, to: Standing): Standing | undefined {
  if (!rules.decidesOnce && to.epoch === now.epoch) return to;
  try {
    return isDecision(now, to, "model") ? to : now;
  } catch {
    return undefined;
  }
}

function* applicationSteps(
  rules: CutoverRules,
  world: CutoverWorld,
  application: Application,
  put: (next: Application, rest?: Partial<CutoverWorld>) => CutoverWorld,
): Generator<Step<CutoverWorld>> {
  const { standing } = world;
  const { side, epoch, open, refused, lifts } = application;
  if (lifts !== undefined) {
    const { lifts: _done, ...next } = application;
    yield {
      name: `application lifts ${lifts.side} to ${lifts.epoch}`,
      to: put(next, lifted(rules, world, lifts)),
    };
    return;
  }
  if (open !== undefined) {
    const { open: _done, ...next } = application;
    const { value, log } = world.sides[open.side];
    const to = put(next, {
      ...withSide(world, open.side, {
        value: open.value,
        log: [...log, { value: open.value, by: "application" }],
      }),
      last: open.value,
    });
    // Writes of one row follow each other: whoever writes finds what was acknowledged before.
    const lost =
      value === world.last ? undefined : `${open.side} had ${value} when ${world.last} was acknowledged`;
    yield { name: `write ${open.value} on ${open.side} is acknowledged`, to, broken: lost };
    return;
  }
  if (side !== standing.side || epoch !== standing.epoch) {
    const { refused: _over, ...next } = application;
    yield { name: "application looks at the switch", to: put({ ...next, ...standing }) };
  }
  if (refused !== undefined) {
    const { refused: _over, ...next } = application;
    yield { name: "application tries again", to: put(next) };
    if (world.giveBacksLeft === 0) return;
    const giveBacksLeft = world.giveBacksLeft - 1;
    const decision = turned(rules, standing, { side, epoch: refused });
    yield decision === undefined
      ? { name: "application gives back too late", to: put(next, { giveBacksLeft }), bad: true }
      : {
          name: `application gives ${side} back at ${refused}`,
          to: put({ ...next, epoch: refused, lifts: decision }, { standing: decision, giveBacksLeft }),
          bad: true,
        };
    return;
  }
  if (world.writesLeft === 0) return;
  // Two transactions on one row: the second waits for the first.
  if (world.applications.some((other) => other.open?.side === side)) return;
  const { least } = world.sides[side];
  if (epoch < least) yield { name: `${side} refuses ${epoch}`, to: put({ ...application, refused: least }) };
  else
    yield {
      name: `write ${world.nextValue} begins on ${side}`,
      to: put(
        { ...application, open: { side, value: world.nextValue } },
        { nextValue: world.nextValue + 1, writesLeft: world.writesLeft - 1 },
      ),
    };
}

/** Applies one entry of a log. */
function* streamSteps(rules: CutoverRules, world: CutoverWorld): Generator<Step<CutoverWorld>> {
  for (const to of ["new", "old"] as const) {
    const { active, at } = world.streams[to];
    const entry = world.sides[otherSide(to)].log[at];
    if (!active || entry === undefined) continue;
    const streams = { ...world.streams, [to]: { active, at: at + 1 } };
    const passes = entry.by === "stream" && rules.loopFree;
    const { log } = world.sides[to];
    const written = passes
      ? {}
      : withSide(world, to, { value: entry.value, log: [...log, { value: entry.value, by: "stream" }] });
    yield {
      name: `stream to ${to} ${passes ? "passes over" : "applies"} ${entry.value}`,
      to: { ...world, ...written, streams },
    };
  }
}

function* processSteps(
  rules: CutoverRules,
  what: CutoverCase,
  world: CutoverWorld,
  process: Process,
  put: (next: Process | undefined, rest?: Partial<CutoverWorld>) => CutoverWorld,
): Generator<Step<CutoverWorld>> {
  const { state, attempt, arrow, stale } = process;
  const name = stale ? "stale process" : "process";
  if (arrow === undefined) {
    const next = nextArrow(state, world.standing, attempt);
    yield { name: `${name} is to ${next.do}`, to: put({ ...process, arrow: next }) };
    return;
  }
  const { arrow: _done, ...idle } = process;
  const { to } = state;
  const from = otherSide(to);
  const after = (rest: Partial<CutoverWorld> = {}, position?: string): CutoverWorld =>
    put({ ...idle, attempt: afterArrow(attempt, arrow, position) }, rest);
  /** Keeps what stands; a stale process is refused. */
  const saved = (rest: Partial<CutoverWorld> = {}): CutoverWorld => {
    const kept = stateAfter(state, arrow);
    return stale
      ? put(undefined)
      : put({ ...idle, state: kept, attempt: afterArrow(attempt, arrow) }, { ...rest, kept });
  };
  const goes = `${name}: ${arrow.do}`;
  const stops = arrow.do === "turn" && arrow.to.side === from;
  if (
    world.failuresLeft > 0 &&
    ["close", "drain", "apply", "compare", "try", "turn"].includes(arrow.do) &&
    !stops
  )
    yield {
      name: `${goes} fails`,
      to: put({ ...idle, attempt: { ...attempt, failed: true } }, { failuresLeft: world.failuresLeft - 1 }),
      bad: true,
    };
  switch (arrow.do) {
    case "prepare": {
      const armed = { active: rules.armsBefore, at: world.sides[to].log.length };
      yield {
        name: goes,
        to: stale ? put(undefined) : after({ streams: { ...world.streams, [from]: armed } }),
      };
      return;
    }
    case "intend":
      yield { name: goes, to: saved() };
      return;
    case "close": {
      const { least } = world.sides[arrow.side];
      yield { name: goes, to: after(withSide(world, arrow.side, { least: Math.max(least, arrow.epoch) })) };
      return;
    }
    case "drain": {
      const { least, log } = world.sides[arrow.side];
      const fenced = rules.fences ? withSide(world, arrow.side, { least: Math.max(least, arrow.epoch) }) : {};
      const open = world.applications.some((each) => each.open?.side === arrow.side);
      if (open && rules.drains) {
        // Who comes now is refused; who was there is waited for.
        const waits = { ...world, ...fenced };
        if (rules.fences && least < arrow.epoch) yield { name: `${goes} waits`, to: waits };
      } else yield { name: goes, to: after(fenced, String(log.length)) };
      return;
    }
    case "apply":
      if (stale) yield { name: goes, to: put(undefined) };
      else if (!rules.appliesFirst || world.streams[to].at >= Number(arrow.position))
        yield { name: goes, to: after() };
      return;
    case "compare":
    case "try":
      yield { name: goes, to: after() };
      return;
    case "turn":
      yield turnStep(rules, world, process, arrow, { goes, after, put });
      return;
    case "lift": {
      const late = lifted(rules, world, arrow);
      const { least } = world.sides[from];
      const opened =
        !rules.staysFenced && arrow.side === to && least > 0
          ? withSide({ ...world, ...late }, from, { least: 0 })
          : {};
      yield { name: goes, to: after({ ...late, ...opened }) };
      return;
    }
    case "withdraw":
      yield { name: goes, to: saved() };
      return;
    case "finish": {
      const late = rules.armsBefore ? world.streams[from] : { active: true, at: world.sides[to].log.length };
      const ended = { active: !rules.endsStreams && world.streams[to].active, at: world.streams[to].at };
      yield { name: goes, to: saved({ streams: { ...world.streams, [from]: late, [to]: ended } }) };
      return;
    }
    case "end": {
      if (stale) {
        yield { name: goes, to: put(undefined) };
        return;
      }
      // An attempt that failed is begun again; after a crossing the next one begins.
      const crossing = world.crossing + (arrow.crossed ? 1 : 0);
      const next = what.plan[crossing];
      const kept: CrossingState = arrow.crossed && next !== undefined ? { to: next } : state;
      yield { name: goes, to: put({ state: kept, attempt: {} }, { crossing, kept }) };
    }
  }
}

function turnStep(
  rules: CutoverRules,
  world: CutoverWorld,
  process: Process,
  arrow: Extract<Arrow, { do: "turn" }>,
  {
    goes,
    after,
    put,
  }: {
    readonly goes: string;
    readonly after: (rest?: Partial<CutoverWorld>) => CutoverWorld;
    readonly put: (next: Process, rest?: Partial<CutoverWorld>) => CutoverWorld;
  },
): Step<CutoverWorld> {
  const { to } = process.state;
  if (arrow.to.side !== to && !rules.decidesAborts) {
    // Only lifts, and forgets the attempt: its epoch can still be decided, and is taken again.
    const standing = { side: arrow.to.side, epoch: arrow.to.epoch };
    const kept = stateAfter(process.state, { do: "withdraw" });
    return process.stale
      ? { name: `${goes} is refused`, to: put({ ...process, state: kept, attempt: { failed: true } }) }
      : {
          name: `${goes} is left out`,
          to: put({ state: kept, attempt: {} }, { ...lifted(rules, world, standing), kept }),
        };
  }
  const decision = turned(rules, world.standing, arrow.to);
  if (decision === undefined) {
    const { arrow: _done, attempt, ...idle } = process;
    const goesOn = arrow.to.side === to;
    return {
      name: `${goes} is refused`,
      to: put({ ...idle, attempt: goesOn ? { ...attempt, failed: true } : attempt }),
    };
  }
  const { old, new: young } = world.sides;
  const unequal =
    arrow.to.side === to && world.standing.side !== to && old.value !== young.value
      ? `turned to ${to} with ${old.value} on the old side, ${young.value} on the new`
      : undefined;
  return {
    name: `${goes} to ${arrow.to.side} at ${arrow.to.epoch}`,
    to: after({ standing: decision }),
    broken: unequal,
  };
}
