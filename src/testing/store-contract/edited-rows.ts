import type { ChainReport, RunEvent, Store } from "../../store/index.ts";
import { type ContractCase, created, stepMoved } from "./tools.ts";

const phaseMoved = (from: string, to: string): RunEvent => ({
  type: "phase.transition",
  data: { phase: "move", event: "moved", ...({ from, to } as { from: "PENDING"; to: "GATING" }) },
});

/** Two runs with a row in every table, and a route that each of them and a person moved. */
async function grow(store: Store): Promise<void> {
  for (const [run, epoch] of [
    ["r1", 0],
    ["r2", 1],
  ] as const) {
    await store.runs.commit(run, [
      created,
      phaseMoved("PENDING", "GATING"),
      stepMoved("a", "PENDING", "RUNNING"),
      { type: "step.checkpoint", data: { step: "a", attempt: 1, checkpoint: { row: 7 } } },
      stepMoved("a", "RUNNING", "DONE", { result: 5 }),
      { type: "evidence.recorded", data: { id: "e", name: "n", phase: "move", data: { ok: true } } },
      { type: "evidence.recorded", data: { id: "e", name: "n", phase: "move", data: { ok: false } } },
      {
        type: "verdict.given",
        data: { gate: "g", role: "exit", phase: "move", verdict: "hold", reason: "none", evidence: ["e"] },
      },
      { type: "approval.given", data: { phase: "move", by: "ana", reason: "so", evidence: "x" } },
      { type: "approval.given", data: { phase: "move", by: "ben", reason: "so", evidence: "x" } },
      { type: "approval.lapsed", data: { phase: "move", by: "ana", evidence: "x" } },
      {
        type: "incident.opened",
        data: { id: `i-${run}`, cause: "manual", summary: "s", seen: { share: 33.333333333333336 } },
      },
    ]);
    const { fence } = await store.runs.claim(run, "w", 1_000);
    await store.routes.set(
      { route: "search", stage: "live", share: 100 / 3, epoch, by: "w" },
      { id: run, fence },
    );
  }
  await store.routes.set({ route: "search", stage: "live", share: 50, epoch: 2, by: "ana" });
}

/** What a hand with the database could do to get past a gate, and how it is told. */
const edits: readonly (readonly [
  sql: string,
  row: NonNullable<Extract<ChainReport, { readonly whole: false }>["row"]>,
])[] = [
  [
    "UPDATE phases SET state = 'SEALED' WHERE run = 'r2'",
    {
      table: "phases",
      key: { run: "r2", phase: "move" },
      column: "state",
      expected: "GATING",
      found: "SEALED",
    },
  ],
  [
    "UPDATE runs SET state = 'COMPLETED' WHERE id = 'r2'",
    { table: "runs", key: { id: "r2" }, column: "state", expected: "RUNNING", found: "COMPLETED" },
  ],
  [
    "UPDATE run_graphs SET graph = '{}' WHERE run = 'r2'",
    {
      table: "run_graphs",
      key: { run: "r2" },
      column: "graph",
      found: "{}",
      expected: `{"phases":[{"name":"move","steps":["backfill","verify"]}]}`,
    },
  ],
  [
    "UPDATE steps SET result = '6' WHERE run = 'r2'",
    { table: "steps", key: { run: "r2", step: "a" }, column: "result", expected: "5", found: "6" },
  ],
  [
    `UPDATE evidence SET data = '{"ok":false}' WHERE run = 'r2'`,
    {
      table: "evidence",
      key: { run: "r2", id: "e" },
      column: "data",
      expected: `{"ok":true}`,
      found: `{"ok":false}`,
    },
  ],
  [
    "UPDATE verdicts SET verdict = 'pass' WHERE run = 'r2'",
    { table: "verdicts", key: { seq: 22 }, column: "verdict", expected: "hold", found: "pass" },
  ],
  [
    "UPDATE approvals SET lapsed = 0 WHERE run = 'r2'",
    { table: "approvals", key: { seq: 23 }, column: "lapsed", expected: 1, found: 0 },
  ],
  [
    "INSERT INTO approvals SELECT 900, run, phase, 'eve', reason, evidence, at, 0 FROM approvals WHERE seq = 24",
    { table: "approvals", key: { seq: 900 }, column: null, expected: null, found: "a row" },
  ],
  [
    "DELETE FROM incidents WHERE run = 'r2'",
    { table: "incidents", key: { id: "i-r2" }, column: null, expected: "a row", found: null },
  ],
  [
    "INSERT INTO phases SELECT 'r2', 'other', seq, 'SEALED', started_at, ended_at FROM phases WHERE run = 'r2'",
    { table: "phases", key: { run: "r2", phase: "other" }, column: null, expected: null, found: "a row" },
  ],
];

const routeEdits: readonly (readonly [sql: string, row: object])[] = [
  ["UPDATE routes SET share = 100", { table: "routes", column: "share", expected: 50, found: 100 }],
  ["DELETE FROM routes", { table: "routes", key: { route: "search" }, expected: "a row", found: null }],
  [
    "UPDATE route_changes SET route = 'other' WHERE seq = 14",
    { table: "route_changes", column: "route", expected: "search", found: "other" },
  ],
  [
    "INSERT INTO route_changes SELECT 900, route, at, change FROM route_changes WHERE seq = 14",
    { table: "route_changes", key: { seq: 900 }, column: null, found: "a row" },
  ],
  [
    "INSERT INTO phases SELECT 'ghost', phase, seq, state, started_at, ended_at FROM phases WHERE run = 'r1'",
    { table: "phases", key: { run: "ghost", phase: "move" }, expected: null, found: "a row" },
  ],
];

export function editedRowsContract({ describe, expect, withStore, tamper }: ContractCase): void {
  describe("rows against their events", () => {
    withStore("are whole where nobody edited them, of one run and of all", async ({ store }) => {
      await grow(store);
      expect(await store.events.verify()).toMatchObject({ whole: true, events: 29 });
      expect(await store.events.verify({ run: "r1" })).toMatchObject({ whole: true, events: 14 });
      await store.rebuild();
      expect(await store.events.verify()).toMatchObject({ whole: true, events: 29 });
    });

    withStore("are held against them as of one moment while others write", async ({ store }) => {
      await grow(store);
      const writing = (async () => {
        for (let turn = 2; turn < 30; turn++) {
          await store.runs.commit("r1", [
            stepMoved("a", turn === 2 ? "DONE" : "RUNNING", "RUNNING", { attempt: turn }),
          ]);
          await store.routes.set({ route: "search", stage: "live", share: turn, epoch: turn + 1, by: "ana" });
        }
      })();
      for (let look = 0; look < 10; look++) {
        expect(await store.events.verify()).toMatchObject({ whole: true });
        expect(await store.events.verify({ run: "r1" })).toMatchObject({ whole: true });
      }
      await writing;
    });

    if (tamper === undefined) return;
    for (const [sql, row] of edits) {
      withStore(`tell of ${sql}`, async ({ store }) => {
        await grow(store);
        await tamper(store, sql);
        expect(await store.events.verify()).toMatchObject({ whole: false, events: 29, row });
        expect(await store.events.verify({ run: "r2" })).toMatchObject({ whole: false, row });
        expect(await store.events.verify({ run: "r1" })).toMatchObject({ whole: true });
        await store.rebuild();
        expect(await store.events.verify()).toMatchObject({ whole: true });
      });
    }
    for (const [sql, row] of routeEdits) {
      withStore(`tell of ${sql}`, async ({ store }) => {
        await grow(store);
        await tamper(store, sql);
        expect(await store.events.verify()).toMatchObject({ whole: false, row });
        expect(await store.events.verify({ run: "r1" })).toMatchObject({ whole: true });
      });
    }

    withStore("count for nothing where an event of the run itself was changed", async ({ store }) => {
      await grow(store);
      const text = "UPDATE events SET data = replace(data, 'GATING', 'SEALED') WHERE seq = 16";
      await tamper(store, `${text}; UPDATE phases SET state = 'SEALED' WHERE run = 'r2'`);
      const found = { whole: false, brokenAt: 16 };
      expect(await store.events.verify({ run: "r2" })).toMatchObject(found);
      expect(await store.events.verify()).toMatchObject(found);
    });
  });
}
