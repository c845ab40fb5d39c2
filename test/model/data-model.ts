import { isDeepStrictEqual } from "node:util";
import type { Chunk, Fence } from "../../src/data/index.ts";
import type { WindowLimits } from "../../src/data/move/applied-window.ts";
import { MoveState, restOf } from "../../src/data/move/move-state.ts";
import type { MoveRules } from "./data-rules.ts";
import {
  bytes,
  fenceNow,
  history,
  initialRows,
  type PendingWrite,
  positionAt,
  type Rows,
  rowsAfter,
  text,
  visible,
  type Worker,
  type World,
  type Write,
} from "./data-world.ts";
import type { Model, Step } from "./explorer.ts";

export interface MoveCase {
  readonly kind: Fence["kind"];
  readonly writes: number;
  readonly crashes: number;
  readonly takeovers: number;
  /** What a transaction of the source may write: keys with + for a new value and - for a delete. */
  readonly transactions: readonly string[];
  /** Chunks read ahead, of one row each. */
  readonly ahead: number;
  readonly window?: WindowLimits;
}

const ranges = [{ collection: "" }];
const everything: Fence = { kind: "sequence", upTo: "999999" };

/** A move under a writer, crashes and a cutover: every order of what can happen, through the real rules of `MoveState`. */
export function moveModel(rules: MoveRules, what: MoveCase): Model<World> {
  return {
    initial: {
      log: [],
      open: [],
      nextId: 1,
      nextValue: 10,
      writesLeft: what.writes,
      crashesLeft: what.crashes,
      takeoversLeft: what.takeovers,
      slot: undefined,
      refusing: false,
      fencedAt: undefined,
      workers: [{ fence: 1, claimed: false, chunks: [], saved: 0 }],
      target: { rows: {}, fence: 0 },
      seen: {},
      switched: false,
    },
    key: (world) =>
      JSON.stringify(world, (_name, value: unknown) => (value instanceof Uint8Array ? text(value) : value)),
    broken: (world) => {
      if (!world.switched) return undefined;
      const old = rowsAfter(world.log);
      if (isDeepStrictEqual({ ...world.target.rows }, { ...old }) && world.open.length === 0)
        return undefined;
      return `switched with ${JSON.stringify(world.target.rows)} on the new side, ${JSON.stringify(old)} on the old`;
    },
    finished: ({ switched }) => switched,
    steps: (world) => steps(rules, what, world),
  };
}

function* steps(rules: MoveRules, what: MoveCase, world: World): Generator<Step<World>> {
  if (world.switched) return;
  yield* sourceSteps(rules, what, world);
  for (const [at, worker] of world.workers.entries()) {
    const put = (next: Worker | undefined, rest: Partial<World> = {}): World => ({
      ...world,
      ...rest,
      workers: next === undefined ? world.workers.toSpliced(at, 1) : world.workers.with(at, next),
    });
    yield* workerSteps(rules, what, world, worker, put);
    if (world.crashesLeft > 0) {
      const to = put(undefined, { crashesLeft: world.crashesLeft - 1 });
      yield { name: `worker ${worker.fence} dies`, to, bad: true };
    }
  }
  const newest = Math.max(world.target.fence, ...world.workers.map(({ fence }) => fence));
  const born: Worker = { fence: newest + 1, claimed: false, chunks: [], saved: 0 };
  if (world.workers.length === 0)
    yield { name: `worker ${born.fence} starts`, to: { ...world, workers: [born] } };
  else if (world.takeoversLeft > 0 && world.workers.length === 1) {
    const to = { ...world, takeoversLeft: world.takeoversLeft - 1, workers: [...world.workers, born] };
    yield { name: `worker ${born.fence} takes over`, to, bad: true };
  }
}

function* sourceSteps(rules: MoveRules, what: MoveCase, world: World): Generator<Step<World>> {
  const { log, open, nextId, refusing } = world;
  if (!refusing && world.writesLeft > 0) {
    for (const wish of what.transactions) {
      let { nextValue } = world;
      const writes = wish
        .split(" ")
        .map(([sign, key]): Write => [key ?? "", sign === "+" ? nextValue++ : null]);
      // A row that an open transaction has written is locked.
      if (open.some((tx) => tx.writes.some(([key]) => writes.some(([other]) => other === key)))) continue;
      const rest = { nextValue, nextId: nextId + 1, writesLeft: world.writesLeft - 1 };
      const tx = { id: nextId, writes };
      if (what.kind === "sequence")
        yield { name: `write ${wish}`, to: { ...world, ...rest, log: [...log, tx] } };
      else yield { name: `begin ${nextId}: ${wish}`, to: { ...world, ...rest, open: [...open, tx] } };
    }
  }
  for (const [at, tx] of open.entries()) {
    if (tx.logged !== true) {
      const to = { ...world, log: [...log, tx], open: open.with(at, { ...tx, logged: true }) };
      yield { name: `commit ${tx.id} to the log`, to };
    } else yield { name: `${tx.id} is seen`, to: { ...world, open: open.toSpliced(at, 1) } };
  }
  if (!refusing) yield { name: "fence", to: { ...world, refusing: true } };
  else if (world.fencedAt === undefined && (open.length === 0 || !rules.drains)) {
    yield { name: "end of the log", to: { ...world, fencedAt: log.length } };
  }
}

function* workerSteps(
  rules: MoveRules,
  what: MoveCase,
  world: World,
  worker: Worker,
  put: (next: Worker | undefined, rest?: Partial<World>) => World,
): Generator<Step<World>> {
  const name = `worker ${worker.fence}`;
  const { target, slot, log } = world;
  const capture = (): number | undefined =>
    slot === undefined && world.open.length === 0 ? log.length : slot;

  if (!worker.claimed) {
    const early = rules.claimsFirst || worker.state !== undefined || target.checkpoint === undefined;
    if (!early)
      yield {
        name: `${name} reads the checkpoint`,
        to: put({ ...worker, ...load(rules, what, target.checkpoint ?? "") }),
      };
    else if (rules.refusesStale && worker.fence < target.fence)
      yield { name: `${name} is refused`, to: put(undefined) };
    else {
      const to = put(
        { ...worker, claimed: true },
        { target: { ...target, fence: Math.max(worker.fence, target.fence) } },
      );
      yield { name: `${name} claims`, to };
    }
    return;
  }
  if (worker.state === undefined) {
    if (target.checkpoint !== undefined) {
      const next = { ...worker, ...load(rules, what, target.checkpoint) };
      const lost =
        slot !== undefined && slot > next.saved
          ? `the log before ${slot} is gone, needed from ${next.saved}`
          : undefined;
      yield { name: `${name} goes on`, to: put(next), broken: lost };
    } else if (slot === undefined && rules.capturesFirst) {
      const from = capture();
      if (from !== undefined) yield { name: `${name} captures`, to: put(worker, { slot: from }) };
    } else {
      const start = slot ?? 0;
      const state = text(MoveState.begun(ranges, positionAt(start), what.window).encode());
      const pending = { changes: [], rows: [], checkpoint: state };
      yield { name: `${name} begins at ${start}`, to: put({ ...worker, state, saved: start, pending }) };
    }
    return;
  }
  if (slot === undefined) {
    // Only a mutant comes here without a slot.
    const from = capture();
    if (worker.chunks.length > 0 && from !== undefined)
      yield { name: `${name} captures late`, to: put(worker, { slot: from }) };
  }
  const state = stateOf(worker, what);
  yield* readSteps(rules, what, world, worker, state, put);
  if (worker.pending === undefined) yield* gatherSteps(rules, what, world, worker, put);
  else yield* commitSteps(rules, world, worker, worker.pending, put);

  const position = Number(state.position);
  const known = rules.acknowledgesCommitted ? worker.saved : position;
  if (slot !== undefined && known > slot)
    yield { name: `${name} acknowledges ${known}`, to: put(worker, { slot: known }) };
  const { fencedAt } = world;
  if (fencedAt !== undefined && worker.pending === undefined && state.copied) {
    if (!rules.appliesToTheEnd || worker.saved >= fencedAt)
      yield { name: "switch", to: { ...world, switched: true } };
  }
}

/** A chunk of one row, read ahead of the copy. */
function* readSteps(
  rules: MoveRules,
  what: MoveCase,
  world: World,
  worker: Worker,
  state: MoveState,
  put: (next: Worker) => World,
): Generator<Step<World>> {
  if (worker.chunks.length >= what.ahead) return;
  const last = worker.chunks.at(-1);
  const place =
    last === undefined
      ? state.place
      : { range: last.chunk.end ? 1 : 0, after: last.chunk.end ? undefined : last.chunk.rows.at(-1)?.key };
  const range = restOf(ranges, place);
  if (range === undefined) return;
  const rows = Object.entries(rowsAfter(visible(world)))
    .filter(([key]) => place.after === undefined || key > text(place.after))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fence = fenceNow(world, what.kind);
  const chunk: Chunk = {
    rows: rows.slice(0, 1).map(([key, value]) => ({ key: bytes(key), value: bytes(String(value)) })),
    end: rows.length <= 1,
    fence: !rules.looksAtFence
      ? everything
      : rules.numbersSnapshots && fence.kind === "snapshot"
        ? { kind: "sequence", upTo: String(Number(fence.xmax) - 1) }
        : fence,
  };
  const head = rules.headAfterChunk ? positionAt(world.log.length) : state.position;
  const read = { range: place.range, after: place.after, chunk, head };
  const name = `worker ${worker.fence} reads ${JSON.stringify(Object.fromEntries(rows.slice(0, 1)))}`;
  yield { name, to: put({ ...worker, chunks: [...worker.chunks, read] }) };
}

/** Takes a part of the log, then a chunk when it is ready: what one transaction of the target is to hold. */
function* gatherSteps(
  rules: MoveRules,
  what: MoveCase,
  world: World,
  worker: Worker,
  put: (next: Worker) => World,
): Generator<Step<World>> {
  const from = Number(stateOf(worker, what).position);
  const end = world.log.length;
  // A slot that is gone gives nothing; what was thrown away is not there.
  const least = Math.max(from, world.slot ?? end);
  for (const upTo of new Set([from, least + 1, end])) {
    if (upTo < from || upTo > end) continue;
    const state = stateOf(worker, what);
    const taken = world.log.slice(least, upTo).map(({ id, writes }, at) => ({
      tx: String(what.kind === "sequence" ? least + at + 1 : id),
      position: positionAt(least + at + 1),
      at: 0,
      changes: writes.map(([key, value]) => ({
        collection: "",
        key: bytes(key),
        value: value === null ? null : bytes(String(value)),
      })),
    }));
    const stop = state.copied && world.fencedAt !== undefined ? positionAt(world.fencedAt) : undefined;
    const seen = rules.tracksDeletes ? taken : withoutDeletes(taken);
    state.apply({ transactions: seen, head: positionAt(upTo) }, stop);
    const done = taken.filter(({ position }) => stop === undefined || position <= stop);
    const changes = done.flatMap(({ changes: of }) =>
      of.map(({ key, value }): Write => [text(key), numberOf(value)]),
    );

    const [chunk, ...later] = worker.chunks;
    const ready = chunk !== undefined && (!rules.appliesFirst || state.isReady(chunk));
    const copied = chunk === undefined || !ready ? undefined : state.copy(chunk);
    const rows =
      copied === undefined || copied === "again"
        ? []
        : copied.rows.map(({ key, value }): Write => [text(key), numberOf(value)]);
    const chunks = copied === undefined ? worker.chunks : copied === "again" ? [] : later;
    const checkpoint = text(state.encode());
    if (checkpoint === worker.state && copied === undefined) continue;
    const name = `worker ${worker.fence} gathers ${changes.length} changes and ${JSON.stringify(rows)}`;
    yield { name, to: put({ ...worker, state: checkpoint, chunks, pending: { changes, rows, checkpoint } }) };
  }
}

function* commitSteps(
  rules: MoveRules,
  world: World,
  worker: Worker,
  pending: PendingWrite,
  put: (next: Worker | undefined, rest?: Partial<World>) => World,
): Generator<Step<World>> {
  const { target } = world;
  const name = `worker ${worker.fence}`;
  if (rules.refusesStale && worker.fence < target.fence) {
    yield { name: `${name} is refused`, to: put(undefined) };
    return;
  }
  const { pending: _done, ...idle } = worker;
  const { position } = MoveState.restored(bytes(pending.checkpoint));
  const last = rules.checkpoint === "with-rows" || pending.half === true;
  const first = rules.checkpoint === "before-rows" ? "checkpoint" : "rows";
  const withRows = rules.checkpoint === "with-rows" || (pending.half === true) !== (first === "rows");
  const withCheckpoint =
    rules.checkpoint === "with-rows" || (pending.half === true) !== (first === "checkpoint");
  const rows = withRows ? written(target.rows, [...pending.changes, ...pending.rows]) : target.rows;
  const shown = showing(world, rows);
  const next = last
    ? { ...idle, saved: Number(position) }
    : { ...worker, pending: { ...pending, half: true } };
  const to = put(next, {
    target: { ...target, rows, ...(withCheckpoint ? { checkpoint: pending.checkpoint } : {}) },
    seen: shown.seen,
  });
  yield { name: `${name} commits at ${position}`, to, broken: shown.broken };
}

/** What a checkpoint gives a worker that goes on. */
function load(rules: MoveRules, what: MoveCase, checkpoint: string): Pick<Worker, "state" | "saved"> {
  const state = MoveState.restored(bytes(checkpoint), what.window);
  const saved = Number(state.position);
  if (rules.keepsWindow) return { state: checkpoint, saved };
  // The same place in the copy, with nothing in the window.
  const bare = MoveState.begun(ranges, state.position, what.window);
  const { range, after } = state.place;
  const rows = after === undefined ? [] : [{ key: after, value: bytes("") }];
  const passed = { rows, fence: everything, end: range > 0 };
  if (range > 0 || after !== undefined) bare.copy({ range: 0, after: undefined, chunk: passed, head: "" });
  return { state: text(bare.encode()), saved };
}

function stateOf({ state = "" }: Worker, { window }: MoveCase): MoveState {
  return MoveState.restored(bytes(state), window);
}

function withoutDeletes<T extends { readonly changes: readonly { readonly value: unknown }[] }>(
  taken: readonly T[],
): T[] {
  return taken.map((tx) => ({ ...tx, changes: tx.changes.filter(({ value }) => value !== null) }));
}

function numberOf(value: Uint8Array | null): number | null {
  return value === null ? null : Number(text(value));
}

function written(rows: Rows, writes: readonly Write[]): Rows {
  const next: Record<string, number> = { ...rows };
  for (const [key, value] of writes) {
    if (value === null) delete next[key];
    else next[key] = value;
  }
  return Object.fromEntries(Object.entries(next).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether no key goes back: each shows a version of the source that is no older than the one it showed before. */
function showing(
  { log, seen }: World,
  rows: Rows,
): { readonly seen: World["seen"]; readonly broken: string | undefined } {
  const next: Record<string, number> = { ...seen };
  for (const key of Object.keys(initialRows)) {
    const value = rows[key] ?? null;
    const before = seen[key];
    // Not there and never there: not copied yet.
    if (value === null && before === undefined) continue;
    const versions = history(key, log);
    const version = versions.findIndex((of, at) => at >= (before ?? 0) && of === value);
    if (version < 0) {
      const was = before === undefined ? "nothing" : String(versions[before]);
      return { seen, broken: `${key} went from ${was} back to ${String(value)}` };
    }
    next[key] = version;
  }
  return { seen: next, broken: undefined };
}
