import { describe, expect, test } from "vitest";
import { project } from "./projection.ts";
import { rowSql } from "./row-sql.ts";

const base = { seq: 7, at: 1_000, stream: "run:r1" };

describe("a projection", () => {
  test("changes nothing for an event it does not know, nor for what is only told", () => {
    expect(project({ ...base, type: "run.dreamt", data: {} })).toEqual([]);
    expect(project({ ...base, stream: "queue:q", type: "orders.submitted", data: {} })).toEqual([]);
    expect(project({ ...base, type: "note.added", data: { by: "ana", text: "hello" } })).toEqual([]);
  });

  test("guards a transition by the state it starts from", () => {
    const data = { from: "RUNNING", to: "PAUSED", event: "pause", reason: "lunch" };
    expect(project({ ...base, type: "run.transition", data })).toEqual([
      {
        do: "update",
        table: "runs",
        key: { id: "r1" },
        set: { state: "PAUSED", reason: "lunch" },
        expect: { state: "RUNNING" },
      },
    ]);
  });
});

test("a row change becomes SQL that both databases read", () => {
  const change = project({
    ...base,
    type: "phase.transition",
    data: { phase: "move", from: "PENDING", to: "CHECKING", event: "begin" },
  })[0];
  expect(change === undefined ? undefined : rowSql(change)).toEqual({
    sql:
      "INSERT INTO phases (run, phase, seq, started_at, state, ended_at) VALUES (?, ?, ?, ?, ?, ?) " +
      "ON CONFLICT (run, phase) DO UPDATE SET started_at = COALESCE(phases.started_at, excluded.started_at), " +
      "state = excluded.state, ended_at = excluded.ended_at WHERE phases.state = ?",
    values: ["r1", "move", 7, 1_000, "CHECKING", null, "PENDING"],
    exact: true,
  });
});
