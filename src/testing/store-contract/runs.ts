import type { RunEvent } from "../../store/index.ts";
import { type ContractCase, created, refusal, stepMoved } from "./tools.ts";

export function runContract({ describe, expect, withStore }: ContractCase): void {
  describe("runs", () => {
    withStore("a created run is read back with its graph", async ({ store, clock }) => {
      const [event] = await store.runs.commit("r1", [created]);
      expect(event).toMatchObject({ seq: 1, stream: "run:r1", type: "run.created", at: clock.now() });
      expect(await store.runs.get("r1")).toEqual({
        id: "r1",
        migration: "work-order-queue",
        hash: "7c1e",
        source: "crossing.ts",
        state: "RUNNING",
        reason: "",
        createdAt: clock.now(),
        updatedAt: clock.now(),
        owner: null,
        fence: 0,
      });
      expect(await store.runs.graph("r1")).toEqual({
        phases: [{ name: "move", steps: ["backfill", "verify"] }],
      });
      expect(await store.runs.get("r2")).toBe(undefined);
      expect(await store.runs.graph("r2")).toBe(undefined);
    });

    withStore("an unknown run and a second run of the same name are refused", async ({ store }) => {
      expect(await refusal(store.runs.commit("r1", [stepMoved("a", "PENDING", "RUNNING")]))).toBe(
        "CUTOVER_RUN_NOT_FOUND",
      );
      await store.runs.commit("r1", [created]);
      expect(await refusal(store.runs.commit("r1", [created]))).toBe("CUTOVER_STORE_CONFLICT");
      expect(await store.events.count()).toBe(1);
    });

    withStore("runs are listed newest first and filtered by migration and state", async ({ store }) => {
      const other: RunEvent = { ...created, data: { ...created.data, migration: "other" } } as RunEvent;
      await store.runs.commit("r1", [created]);
      await store.runs.commit("r2", [other]);
      await store.runs.commit("r3", [
        created,
        { type: "run.transition", data: { from: "RUNNING", to: "PAUSED", event: "pause", reason: "lunch" } },
      ]);
      const ids = async (query?: Parameters<typeof store.runs.list>[0]): Promise<string[]> =>
        (await store.runs.list(query)).map((run) => run.id);
      expect(await ids()).toEqual(["r3", "r2", "r1"]);
      expect(await ids({ migration: "work-order-queue" })).toEqual(["r3", "r1"]);
      expect(await ids({ states: ["PAUSED", "HOLDING"] })).toEqual(["r3"]);
      expect(await ids({ migration: "other", states: ["PAUSED"] })).toEqual([]);
      expect(await store.runs.get("r3")).toMatchObject({ state: "PAUSED", reason: "lunch" });
    });

    withStore("a transition from a state the run is not in is refused whole", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      const work = store.runs.commit("r1", [
        stepMoved("a", "PENDING", "RUNNING"),
        { type: "run.transition", data: { from: "PAUSED", to: "RUNNING", event: "continue" } },
      ]);
      expect(await refusal(work)).toBe("CUTOVER_STORE_CONFLICT");
      expect(await store.runs.steps("r1")).toEqual([]);
      expect(await store.events.count()).toBe(1);
      expect(await refusal(store.runs.commit("r1", [created], { state: "PAUSED" }))).toBe(
        "CUTOVER_STORE_CONFLICT",
      );
    });

    withStore("a step keeps its first start, its checkpoint and its result", async ({ store, clock }) => {
      const start = clock.now();
      await store.runs.commit("r1", [created, stepMoved("backfill", "PENDING", "RUNNING")]);
      await clock.advance(1_000);
      await store.runs.commit("r1", [
        { type: "step.checkpoint", data: { step: "backfill", attempt: 1, checkpoint: { at: 500 } } },
      ]);
      await store.runs.commit("r1", [stepMoved("backfill", "RUNNING", "RUNNING", { attempt: 2 })]);
      await clock.advance(1_000);
      await store.runs.commit("r1", [stepMoved("backfill", "RUNNING", "DONE", { attempt: 2, result: 22 })]);
      expect(await store.runs.steps("r1")).toEqual([
        {
          run: "r1",
          step: "backfill",
          phase: "move",
          state: "DONE",
          attempt: 2,
          checkpoint: { at: 500 },
          result: 22,
          error: null,
          startedAt: start,
          endedAt: start + 2_000,
          seq: 2,
        },
      ]);
      expect(await store.runs.get("r1")).toMatchObject({ createdAt: start, updatedAt: start + 2_000 });
    });

    withStore("a step that was rolled back starts again without its old checkpoint", async ({ store }) => {
      const back = (from: string, to: string): RunEvent => stepMoved("a", from, to);
      await store.runs.commit("r1", [created, back("PENDING", "RUNNING")]);
      await store.runs.commit("r1", [
        { type: "step.checkpoint", data: { step: "a", attempt: 1, checkpoint: 7 } },
        back("RUNNING", "ROLLING_BACK"),
      ]);
      expect((await store.runs.steps("r1"))[0]).toMatchObject({ state: "ROLLING_BACK", checkpoint: 7 });
      await store.runs.commit("r1", [back("ROLLING_BACK", "ROLLED_BACK")]);
      expect((await store.runs.steps("r1"))[0]).toMatchObject({ state: "ROLLED_BACK", checkpoint: null });
    });

    withStore("a checkpoint of a step that never started is refused", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      const checkpoint: RunEvent = {
        type: "step.checkpoint",
        data: { step: "ghost", attempt: 1, checkpoint: 1 },
      };
      expect(await refusal(store.runs.commit("r1", [checkpoint]))).toBe("CUTOVER_STORE_CONFLICT");
    });

    withStore("phases move through their states", async ({ store, clock }) => {
      const at = clock.now();
      await store.runs.commit("r1", [
        created,
        {
          type: "phase.transition",
          data: { phase: "move", from: "PENDING", to: "CHECKING", event: "begin" },
        },
        {
          type: "phase.transition",
          data: { phase: "move", from: "CHECKING", to: "RUNNING", event: "checked" },
        },
      ]);
      expect(await store.runs.phases("r1")).toEqual([
        { run: "r1", phase: "move", state: "RUNNING", startedAt: at, endedAt: null },
      ]);
    });

    withStore("evidence, verdicts, approvals and incidents are kept", async ({ store, clock }) => {
      const at = clock.now();
      const seen: RunEvent = {
        type: "evidence.recorded",
        data: { id: "e1", name: "counts", phase: "move", data: { rows: 3 } },
      };
      await store.runs.commit("r1", [
        created,
        seen,
        seen,
        {
          type: "verdict.given",
          data: {
            gate: "equal",
            role: "exit",
            phase: "move",
            verdict: "pass",
            reason: "0 differ",
            evidence: ["e1"],
          },
        },
        { type: "approval.given", data: { phase: "retire", by: "ana", reason: "seen", evidence: "abc" } },
        { type: "approval.given", data: { phase: "retire", by: "ben", reason: "too", evidence: "abc" } },
        { type: "approval.lapsed", data: { phase: "retire", by: "ben", evidence: "abc" } },
        {
          type: "incident.opened",
          data: { id: "i1", cause: "trigger", summary: "errors 31×", seen: { e: 1 } },
        },
        { type: "incident.closed", data: { id: "i1", outcome: "rolled back", facts: { lost: 0 } } },
      ]);
      expect(await store.runs.evidence("r1")).toEqual([
        { id: "e1", run: "r1", name: "counts", phase: "move", step: null, at, data: { rows: 3 } },
      ]);
      expect(await store.runs.verdicts("r1")).toEqual([
        {
          run: "r1",
          at,
          gate: "equal",
          role: "exit",
          phase: "move",
          step: null,
          verdict: "pass",
          reason: "0 differ",
          figures: null,
          evidence: ["e1"],
        },
      ]);
      expect((await store.runs.approvals("r1")).map((given) => [given.by, given.lapsed])).toEqual([
        ["ana", false],
        ["ben", true],
      ]);
      const incident = {
        id: "i1",
        run: "r1",
        cause: "trigger",
        summary: "errors 31×",
        seen: { e: 1 },
        openedAt: at,
        closedAt: at,
        outcome: "rolled back",
        facts: { lost: 0 },
      };
      expect(await store.runs.incidents()).toEqual([incident]);
      expect(await store.runs.incidents("r1")).toEqual([incident]);
      expect(await store.runs.incidents("r2")).toEqual([]);
    });
  });

  describe("leases of runs", () => {
    withStore("each claim raises the fence, and a stale fence writes nothing", async ({ store, clock }) => {
      await store.runs.commit("r1", [created]);
      const first = await store.runs.claim("r1", "a", 10_000);
      await clock.advance(10_001);
      const second = await store.runs.claim("r1", "b", 10_000);
      expect([first.fence, second.fence]).toEqual([1, 2]);
      const before = await store.events.count();
      const late = store.runs.commit("r1", [stepMoved("x", "PENDING", "RUNNING")], { fence: first.fence });
      expect(await refusal(late)).toBe("CUTOVER_LEASE_LOST");
      expect(await store.events.count()).toBe(before);
      expect(await store.runs.steps("r1")).toEqual([]);
      expect(await store.runs.get("r1")).toMatchObject({ owner: "b", fence: 2 });
    });

    withStore("a run held by a living owner cannot be taken, that of a dead one can", async ({ store }) => {
      await store.runs.commit("r1", [created]);
      await store.runs.claim("r1", "a", 10_000);
      expect(await refusal(store.runs.claim("r1", "b", 10_000))).toBe("CUTOVER_STORE_OWNED");
      expect(await store.runs.claim("r1", "b", 10_000, "same-machine")).toEqual({ fence: 2 });
      expect(await store.runs.renew("r1", "a", 1, 10_000)).toBe(false);
      expect(await refusal(store.runs.claim("r9", "b", 10_000))).toBe("CUTOVER_RUN_NOT_FOUND");
    });

    withStore("a renewed lease lasts longer, a released one ends at once", async ({ store, clock }) => {
      await store.runs.commit("r1", [created]);
      const { fence } = await store.runs.claim("r1", "a", 10_000);
      await clock.advance(9_000);
      expect(await store.runs.renew("r1", "a", fence, 10_000)).toBe(true);
      await clock.advance(9_000);
      expect(await refusal(store.runs.claim("r1", "b", 10_000))).toBe("CUTOVER_STORE_OWNED");
      expect(await store.runs.lease("r1")).toEqual({ owner: "a", until: clock.now() + 1_000 });
      await store.runs.release("r1", "a", fence);
      expect(((await store.runs.lease("r1"))?.until ?? Infinity) <= clock.now()).toBe(true);
      expect(await store.runs.lease("r9")).toBe(undefined);
      expect(await store.runs.claim("r1", "b", 10_000)).toEqual({ fence: fence + 1 });
    });
  });
}
