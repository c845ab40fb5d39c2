import { CutoverError } from "../../core/index.ts";
import type { RunEvent, RunState, StoredEvent } from "../run-events.ts";
import * as rows from "../run-rows.ts";
import type { RunStore } from "../store.ts";
import { all, arrays, one, type Program, run as execute, type SqlValue } from "./program.ts";
import type { Sql, WriteContext } from "./write-context.ts";

interface Standing {
  readonly state: RunState;
  readonly owner: string | null;
  readonly fence: number;
}

/** The runs of a store. Lease time is the store's clock. */
export function sqlRuns(sql: Sql): RunStore {
  const list = <R, T>(convert: (row: R) => T, text: string, ...values: SqlValue[]): Promise<readonly T[]> =>
    sql.read(function* () {
      return (yield* all<R>(text, ...values)).map(convert);
    });
  const ofRun = <R, T>(convert: (row: R) => T, select: string, run: string): Promise<readonly T[]> =>
    list(convert, `${select} WHERE run = ? ORDER BY seq`, run);
  return {
    commit: (run, events, guard = {}) => sql.write((tx) => commit(tx, run, events, guard)),
    claim: (run, owner, leaseMs, dead) => sql.write((tx) => claim(tx, run, owner, leaseMs, dead)),
    renew: (run, owner, fence, leaseMs) => sql.write((tx) => moveLease(run, owner, fence, tx.now + leaseMs)),
    async release(run, owner, fence) {
      await sql.write(() => moveLease(run, owner, fence, 0));
    },
    async lease(run) {
      const text = "SELECT owner, until FROM run_leases WHERE run = ?";
      const found = await list((row: { readonly owner: string; readonly until: number }) => row, text, run);
      return found[0] === undefined ? undefined : { ...found[0] };
    },
    async get(run) {
      return (await list(rows.toRun, `${rows.runSelect} WHERE r.id = ?`, run))[0];
    },
    async graph(run) {
      return (await list(rows.toGraph, `${rows.graphSelect} WHERE run = ?`, run))[0];
    },
    list({ migration, states } = {}) {
      const where = ["1 = 1"];
      if (migration !== undefined) where.push("r.migration = ?");
      if (states !== undefined) where.push(`r.state IN (${states.map(() => "?").join(", ") || "NULL"})`);
      const values = [...(migration === undefined ? [] : [migration]), ...(states ?? [])];
      const text = `${rows.runSelect} WHERE ${where.join(" AND ")} ORDER BY r.seq DESC`;
      return list(rows.toRun, text, ...values);
    },
    phases: (run) => ofRun(rows.toPhase, rows.phaseSelect, run),
    steps: (run) =>
      sql.read(function* () {
        const found = yield* arrays<rows.StepRow>(`${rows.stepSelect} WHERE run = ? ORDER BY seq`, run);
        return found.map((row) => rows.toStep(run, row));
      }),
    evidence: (run) => ofRun(rows.toEvidence, rows.evidenceSelect, run),
    verdicts: (run) => ofRun(rows.toVerdict, rows.verdictSelect, run),
    approvals: (run) => ofRun(rows.toApproval, rows.approvalSelect, run),
    incidents: (run) =>
      run === undefined
        ? list(rows.toIncident, `${rows.incidentSelect} ORDER BY seq`)
        : ofRun(rows.toIncident, rows.incidentSelect, run),
  };
}

/** @throws CUTOVER_LEASE_LOST when the run's fence is not `fence`. */
export function* checkRunFence(run: string, fence: number): Program<void> {
  const found = yield* standing(run);
  if (found === undefined) throw notFound(run);
  checkFence(run, found, fence);
}

/** Appends an event to the stream of a run. @throws CUTOVER_STORE_CONFLICT when the rows are not as it says. */
export function* appendRunEvent(tx: WriteContext, run: string, event: RunEvent): Program<StoredEvent> {
  const appended = yield* tx.append(`run:${run}`, event);
  if (appended.fits) return appended.event;
  const expected = JSON.stringify((event.data as { from?: string }).from ?? event.type);
  throw conflict(
    run,
    `expected what ${event.type} starts from (${expected})`,
    "found the rows in another state",
  );
}

function* commit(
  tx: WriteContext,
  run: string,
  events: readonly RunEvent[],
  guard: { readonly fence?: number; readonly state?: RunState },
): Program<readonly StoredEvent[]> {
  if (events.length === 0) return [];
  const before = yield* standing(run);
  if (before === undefined && events[0]?.type !== "run.created") throw notFound(run);
  checkFence(run, before, guard.fence);
  if (guard.state !== undefined && before?.state !== guard.state) {
    throw conflict(run, `expected it in state ${guard.state}`, `found ${before?.state ?? "no such run"}`);
  }
  if (before !== undefined && events[0]?.type === "run.created") {
    throw conflict(run, "expected a new run", "found one with this id");
  }
  const stored: StoredEvent[] = [];
  for (const event of events) stored.push(yield* appendRunEvent(tx, run, event));
  return stored;
}

function* claim(
  tx: WriteContext,
  run: string,
  owner: string,
  leaseMs: number,
  dead: "same-machine" | undefined,
): Program<{ readonly fence: number }> {
  const before = yield* standing(run);
  if (before === undefined) throw notFound(run);
  const lease = yield* one<{ readonly owner: string; readonly until: number }>(
    "SELECT owner, until FROM run_leases WHERE run = ?",
    run,
  );
  if (lease !== undefined && lease.until > tx.now && lease.owner !== owner && dead === undefined) {
    throw new CutoverError("CUTOVER_STORE_OWNED", {
      message: `expected run ${run} to be free, found it held by ${lease.owner} for another ${lease.until - tx.now} ms`,
      details: { run, owner: lease.owner, leaseUntil: lease.until },
      place: `run ${run}`,
    });
  }
  const fence = before.fence + 1;
  yield* appendRunEvent(tx, run, { type: "run.claimed", data: { owner, fence } });
  yield* execute(
    `INSERT INTO run_leases (run, owner, fence, until) VALUES (?, ?, ?, ?)
     ON CONFLICT (run) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, until = excluded.until`,
    run,
    owner,
    fence,
    tx.now + leaseMs,
  );
  return { fence };
}

const standing = (run: string): Program<Standing | undefined> =>
  one<Standing>("SELECT state, owner, fence FROM runs WHERE id = ?", run);

function* moveLease(run: string, owner: string, fence: number, until: number): Program<boolean> {
  const text = "UPDATE run_leases SET until = ? WHERE run = ? AND owner = ? AND fence = ?";
  return (yield* execute(text, until, run, owner, fence)) === 1;
}

function checkFence(run: string, found: Standing | undefined, fence: number | undefined): void {
  if (fence === undefined || (found?.fence ?? 0) === fence) return;
  throw new CutoverError("CUTOVER_LEASE_LOST", {
    message: `expected run ${run} to be held with fence ${fence}, found fence ${found?.fence ?? 0} of ${found?.owner ?? "nobody"}`,
    details: { run, expected: fence, found: found?.fence ?? 0, owner: found?.owner ?? null },
    place: `run ${run}`,
  });
}

function notFound(run: string): CutoverError {
  return new CutoverError("CUTOVER_RUN_NOT_FOUND", {
    message: `expected a run ${run}, found none of that name`,
    details: { run },
    place: `run ${run}`,
  });
}

function conflict(run: string, expected: string, found: string): CutoverError {
  return new CutoverError("CUTOVER_STORE_CONFLICT", {
    message: `run ${run}: ${expected}, ${found}`,
    details: { run },
    place: `run ${run}`,
  });
}
