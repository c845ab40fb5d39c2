import { type Clock, CutoverError } from "../../core/index.ts";
import type { RunEvent, RunState, StoredEvent } from "../run-events.ts";
import type { RunRecord } from "../run-records.ts";
import * as rows from "../run-rows.ts";
import type { RunStore } from "../store.ts";
import type { Reader } from "./reader.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Transaction } from "./transaction.ts";

interface Standing {
  readonly state: RunState;
  readonly owner: string | null;
  readonly fence: number;
}

/** The runs of an SQLite store. Lease time is the clock the store was opened with. */
export function sqliteRuns(reader: Reader, writer: GroupCommit, clock: Clock): RunStore {
  return {
    commit(run, events, guard = {}) {
      return writer.write((tx) => {
        if (events.length === 0) return [];
        const before = standing(tx, run);
        if (before === undefined && events[0]?.type !== "run.created") throw notFound(run);
        checkFence(run, before, guard.fence);
        if (guard.state !== undefined && before?.state !== guard.state) {
          throw conflict(
            run,
            `expected it in state ${guard.state}`,
            `found ${before?.state ?? "no such run"}`,
          );
        }
        if (before !== undefined && events[0]?.type === "run.created") {
          throw conflict(run, "expected a new run", "found one with this id");
        }
        return events.map((event) => appendRunEvent(tx, clock.now(), run, event));
      });
    },
    claim(run, owner, leaseMs, dead) {
      return writer.write((tx) => {
        const before = standing(tx, run);
        if (before === undefined) throw notFound(run);
        const now = clock.now();
        const lease = tx.db.get<{ owner: string; until: number }>(
          "SELECT owner, until FROM run_leases WHERE run = ?",
          run,
        );
        if (lease !== undefined && lease.until > now && lease.owner !== owner && dead === undefined) {
          throw new CutoverError("CUTOVER_STORE_OWNED", {
            message: `expected run ${run} to be free, found it held by ${lease.owner} for another ${lease.until - now} ms`,
            details: { run, owner: lease.owner, leaseUntil: lease.until },
            place: `run ${run}`,
          });
        }
        const fence = before.fence + 1;
        appendRunEvent(tx, now, run, { type: "run.claimed", data: { owner, fence } });
        tx.db.run(
          `INSERT INTO run_leases (run, owner, fence, until) VALUES (?, ?, ?, ?)
           ON CONFLICT (run) DO UPDATE SET owner = excluded.owner, fence = excluded.fence, until = excluded.until`,
          run,
          owner,
          fence,
          now + leaseMs,
        );
        return { fence };
      });
    },
    renew(run, owner, fence, leaseMs) {
      return writer.write((tx) => moveLease(tx, run, owner, fence, clock.now() + leaseMs));
    },
    async release(run, owner, fence) {
      await writer.write((tx) => moveLease(tx, run, owner, fence, 0));
    },
    get: (run) =>
      reader.read((db) => {
        const row = db.get<RunRecord>(`${rows.runSelect} WHERE r.id = ?`, run);
        return row === undefined ? undefined : rows.toRun(row);
      }),
    graph: (run) =>
      reader.read((db) => {
        const row = db.get<{ graph: string }>(`${rows.graphSelect} WHERE run = ?`, run);
        return row === undefined ? undefined : rows.toGraph(row);
      }),
    list: ({ migration, states } = {}) =>
      reader.read((db) => {
        const where = ["1 = 1"];
        if (migration !== undefined) where.push("r.migration = ?");
        if (states !== undefined) where.push(`r.state IN (${states.map(() => "?").join(", ")})`);
        const values = [...(migration === undefined ? [] : [migration]), ...(states ?? [])];
        const sql = `${rows.runSelect} WHERE ${where.join(" AND ")} ORDER BY r.seq DESC`;
        return db.all<RunRecord>(sql, ...values).map(rows.toRun);
      }),
    phases: (run) =>
      reader.read((db) =>
        db
          .all<Parameters<typeof rows.toPhase>[0]>(`${rows.phaseSelect} WHERE run = ? ORDER BY seq`, run)
          .map(rows.toPhase),
      ),
    steps: (run) =>
      reader.read((db) =>
        db
          .rows<rows.StepRow>(`${rows.stepSelect} WHERE run = ? ORDER BY seq`, run)
          .map((row) => rows.toStep(run, row)),
      ),
    evidence: (run) =>
      reader.read((db) =>
        db
          .all<rows.EvidenceRow>(`${rows.evidenceSelect} WHERE run = ? ORDER BY seq`, run)
          .map(rows.toEvidence),
      ),
    verdicts: (run) =>
      reader.read((db) =>
        db.all<rows.VerdictRow>(`${rows.verdictSelect} WHERE run = ? ORDER BY seq`, run).map(rows.toVerdict),
      ),
    approvals: (run) =>
      reader.read((db) =>
        db
          .all<rows.ApprovalRow>(`${rows.approvalSelect} WHERE run = ? ORDER BY seq`, run)
          .map(rows.toApproval),
      ),
    incidents: (run) =>
      reader.read((db) =>
        (run === undefined
          ? db.all<rows.IncidentRow>(`${rows.incidentSelect} ORDER BY seq`)
          : db.all<rows.IncidentRow>(`${rows.incidentSelect} WHERE run = ? ORDER BY seq`, run)
        ).map(rows.toIncident),
      ),
  };
}

/** @throws CUTOVER_LEASE_LOST when the run's fence is not `fence`. */
export function checkRunFence(tx: Transaction, run: string, fence: number): void {
  const found = standing(tx, run);
  if (found === undefined) throw notFound(run);
  checkFence(run, found, fence);
}

/** Appends an event to the stream of a run. @throws CUTOVER_STORE_CONFLICT when the rows are not as it says. */
export function appendRunEvent(tx: Transaction, at: number, run: string, event: RunEvent): StoredEvent {
  const appended = tx.append(at, `run:${run}`, event);
  if (appended.fits) return appended.event;
  const expected = JSON.stringify((event.data as { from?: string }).from ?? event.type);
  throw conflict(
    run,
    `expected what ${event.type} starts from (${expected})`,
    "found the rows in another state",
  );
}

function standing(tx: Transaction, run: string): Standing | undefined {
  return tx.db.get<Standing & Record<string, unknown>>(
    "SELECT state, owner, fence FROM runs WHERE id = ?",
    run,
  );
}

function moveLease(tx: Transaction, run: string, owner: string, fence: number, until: number): boolean {
  const sql = "UPDATE run_leases SET until = ? WHERE run = ? AND owner = ? AND fence = ?";
  return tx.db.run(sql, until, run, owner, fence) === 1;
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
