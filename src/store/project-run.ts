import { canonicalJson } from "../core/index.ts";
import { projectPhase, projectStep } from "./project-step.ts";
import type { RowChange } from "./row-change.ts";
import type { RunEvent } from "./run-events.ts";
import { type ProjectedEvent, streamName } from "./stream.ts";

/** Rows of runs, phases, steps, evidence, verdicts, approvals, incidents and routes. */
export function projectRun(event: ProjectedEvent<RunEvent>): readonly RowChange[] {
  const { seq, at } = event;
  const run = streamName(event.stream);
  switch (event.type) {
    case "run.created": {
      const { migration, hash, source, graph } = event.data;
      const fixed = { id: run, seq, migration, hash, source, created_at: at };
      return [
        {
          do: "insert",
          table: "runs",
          row: { ...fixed, state: "RUNNING", reason: "", owner: null, fence: 0 },
        },
        { do: "insert", table: "run_graphs", row: { run, graph: canonicalJson(graph) } },
      ];
    }
    case "run.transition": {
      const { from, to, reason } = event.data;
      const set = { state: to, reason: reason ?? "" };
      return [{ do: "update", table: "runs", key: { id: run }, set, expect: { state: from } }];
    }
    case "run.claimed": {
      const { owner, fence } = event.data;
      const expect = { fence: fence - 1 };
      return [{ do: "update", table: "runs", key: { id: run }, set: { owner, fence }, expect }];
    }
    case "run.redefined": {
      const { from, to, graph } = event.data;
      return [
        { do: "update", table: "runs", key: { id: run }, set: { hash: to }, expect: { hash: from } },
        { do: "update", table: "run_graphs", key: { run }, set: { graph: canonicalJson(graph) } },
      ];
    }
    case "phase.transition":
      return [projectPhase(run, seq, at, event.data)];
    case "step.transition":
      return [projectStep(run, seq, at, event.data)];
    case "step.checkpoint": {
      const { step, attempt, checkpoint } = event.data;
      const set = { attempt, checkpoint: canonicalJson(checkpoint) };
      return [{ do: "update", table: "steps", key: { run, step }, set, expect: {} }];
    }
    case "evidence.recorded": {
      const { id, name, phase, step, data } = event.data;
      const place = { phase: phase ?? null, step: step ?? null };
      const row = { run, id, seq, name, ...place, at, data: canonicalJson(data) };
      return [{ do: "insert", table: "evidence", row, ifNew: true }];
    }
    case "verdict.given": {
      const { gate, role, phase, step, verdict, reason, figures, evidence } = event.data;
      const place = { phase: phase ?? null, step: step ?? null };
      const judged = { verdict, reason, figures: figures === undefined ? null : canonicalJson(figures) };
      const row = { seq, run, at, gate, role, ...place, ...judged, evidence: canonicalJson(evidence) };
      return [{ do: "insert", table: "verdicts", row }];
    }
    case "approval.given": {
      const { phase, by, reason, evidence } = event.data;
      const row = { seq, run, phase, approver: by, reason, evidence, at, lapsed: 0 };
      return [{ do: "insert", table: "approvals", row }];
    }
    case "approval.lapsed": {
      const { phase, by, evidence } = event.data;
      const key = { run, phase, approver: by, evidence };
      return [{ do: "update", table: "approvals", key, set: { lapsed: 1 } }];
    }
    case "incident.opened": {
      const { id, cause, summary, seen } = event.data;
      const open = { closed_at: null, outcome: null, facts: null };
      const row = { id, seq, run, cause, summary, seen: canonicalJson(seen), opened_at: at, ...open };
      return [{ do: "insert", table: "incidents", row }];
    }
    case "incident.closed": {
      const { id, outcome, facts } = event.data;
      const set = { closed_at: at, outcome, facts: canonicalJson(facts) };
      return [{ do: "update", table: "incidents", key: { id, run }, set, expect: {} }];
    }
    case "route.changed": {
      const { before, after } = event.data;
      const { route, stage, share, epoch, salt } = after;
      const set = { stage, share, epoch };
      const change: RowChange =
        before === null
          ? {
              do: "upsert",
              table: "routes",
              key: { route },
              initial: { salt },
              first: {},
              set,
              expect: { epoch: 0 },
            }
          : { do: "update", table: "routes", key: { route }, set, expect: { epoch: before.epoch } };
      const row = { seq, route, at, change: canonicalJson(event.data) };
      return [change, { do: "insert", table: "route_changes", row }];
    }
    case "override.recorded":
    case "trigger.fired":
    case "trigger.recovered":
    case "note.added":
    case "decision.asked":
    case "decision.answered":
      return [];
    default:
      event satisfies never;
      return [];
  }
}
