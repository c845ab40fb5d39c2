import { CutoverError, type Json, type JsonObject, type RouteState } from "../core/index.ts";
import { unpackText } from "./packed-text.ts";
import type { RouteChange, StoredEvent } from "./run-events.ts";
import type {
  ApprovalRecord,
  EvidenceRecord,
  IncidentRecord,
  PhaseRecord,
  RunRecord,
  StepRecord,
  VerdictRecord,
} from "./run-records.ts";

// Rows as SQL gives them, the columns to select and the way to records: shared by every SQL store.

const json = <T extends Json>(text: string): T => JSON.parse(text) as T;
/** Most results are null, and a run may have 10,000 of them: no parser is called for these. */
const jsonOrNull = <T extends Json>(text: string | null): T | null =>
  text === null || text === "null" ? null : json<T>(text);

/** `updatedAt` is the time of the run's newest event, so that no event has to touch the run's row for it. */
export const runSelect: string = `SELECT r.id, r.migration, r.hash, r.source, r.state, r.reason,
  r.created_at AS "createdAt", r.owner, r.fence,
  (SELECT e.at FROM events e WHERE e.stream = 'run:' || r.id ORDER BY e.seq DESC LIMIT 1) AS "updatedAt"
  FROM runs r`;
export const toRun = (row: RunRecord): RunRecord => ({ ...row });

export const graphSelect: string = "SELECT graph FROM run_graphs";
export const toGraph = (row: { readonly graph: string }): JsonObject => json<JsonObject>(row.graph);

export const phaseSelect: string = `SELECT run, phase, state, started_at AS "startedAt", ended_at AS "endedAt"
  FROM phases`;
export const toPhase = (row: PhaseRecord): PhaseRecord => ({ ...row });

/** Read as an array: a run of 10,000 steps is loaded in one go. */
export type StepRow = readonly [
  step: string,
  phase: string,
  state: StepRecord["state"],
  attempt: number,
  checkpoint: string | null,
  result: string | null,
  error: string | null,
  startedAt: number | null,
  endedAt: number | null,
  seq: number,
];
export const stepSelect: string =
  "SELECT step, phase, state, attempt, checkpoint, result, error, started_at, ended_at, seq FROM steps";
export const toStep = (run: string, row: StepRow): StepRecord => ({
  run,
  step: row[0],
  phase: row[1],
  state: row[2],
  attempt: row[3],
  checkpoint: jsonOrNull(row[4]),
  result: jsonOrNull(row[5]),
  error: row[6] === null ? null : (JSON.parse(row[6]) as StepRecord["error"]),
  startedAt: row[7],
  endedAt: row[8],
  seq: row[9],
});

export type EvidenceRow = Omit<EvidenceRecord, "data"> & { readonly data: string };
export const evidenceSelect: string = "SELECT id, run, name, phase, step, at, data FROM evidence";
export const toEvidence = (row: EvidenceRow): EvidenceRecord => ({
  ...row,
  data: json<JsonObject>(row.data),
});

export type VerdictRow = Omit<VerdictRecord, "figures" | "evidence"> & {
  readonly figures: string | null;
  readonly evidence: string;
};
export const verdictSelect: string = `SELECT run, at, gate, role, phase, step, verdict, reason, figures, evidence
  FROM verdicts`;
export const toVerdict = (row: VerdictRow): VerdictRecord => ({
  ...row,
  figures: jsonOrNull<JsonObject>(row.figures),
  evidence: json<readonly string[]>(row.evidence),
});

export type ApprovalRow = Omit<ApprovalRecord, "lapsed"> & { readonly lapsed: number };
export const approvalSelect: string = `SELECT run, phase, approver AS "by", reason, evidence, at, lapsed
  FROM approvals`;
export const toApproval = (row: ApprovalRow): ApprovalRecord => ({ ...row, lapsed: row.lapsed !== 0 });

export type IncidentRow = Omit<IncidentRecord, "seen" | "facts"> & {
  readonly seen: string;
  readonly facts: string | null;
};
export const incidentSelect: string = `SELECT id, run, cause, summary, seen, opened_at AS "openedAt",
  closed_at AS "closedAt", outcome, facts FROM incidents`;
export const toIncident = (row: IncidentRow): IncidentRecord => ({
  ...row,
  seen: json<JsonObject>(row.seen),
  facts: jsonOrNull<JsonObject>(row.facts),
});

export const routeSelect: string = "SELECT route, stage, share, epoch, salt FROM routes";
export const toRoute = (row: RouteState): RouteState => ({ ...row });

export type RouteChangeRow = { readonly at: number; readonly change: string };
export const toRouteChange = (row: RouteChangeRow): RouteChange & { readonly at: number } => ({
  ...(JSON.parse(row.change) as RouteChange),
  at: row.at,
});

/** The data of an event as a store keeps them: as text or, where a store packs long texts, as the hexadecimal of it. */
export interface EventData {
  readonly seq: number;
  readonly data: string | null;
  readonly packed?: string | null;
}
export type EventRow = EventData & Omit<StoredEvent, "data">;

/** The data of an event as canonical JSON. @throws CUTOVER_AUDIT_BROKEN when they cannot be unpacked */
export function eventText({ seq, data, packed = null }: EventData): string {
  try {
    if (packed !== null) return unpackText(Buffer.from(packed, "hex"));
    if (data !== null) return data;
  } catch {
    // What is found instead is of no use to anybody.
  }
  throw new CutoverError("CUTOVER_AUDIT_BROKEN", {
    message: `expected the data of event ${seq} as they were written, found that they cannot be read`,
    details: { seq },
    place: `event ${seq}`,
  });
}

export const toEvent = (row: EventRow): StoredEvent => eventOf(row, eventText(row));

/** @param text its data, as `eventText` reads them */
export function eventOf(row: EventRow, text: string): StoredEvent {
  const { packed: _, ...event } = row;
  return { ...event, data: json<JsonObject>(text) };
}
