import { describe, expect, test } from "vitest";
import type { Interval, RouteDeclaration } from "../core/index.ts";
import {
  backlog,
  coverage,
  defineMigration,
  type GateSpec,
  phase,
  rate,
  split,
  step,
  type Trigger,
  when,
} from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";
// A run loads it with the first gate that needs it, and a manual clock would run on meanwhile.
import "./measured-judge.ts";

const withExit = (exit: readonly GateSpec[], triggers: readonly Trigger[] = []) =>
  defineMigration({
    name: "proved",
    phases: [phase("shadow", { steps: [step("look", { run: () => null })], exit })],
    triggers,
  });

const declaration = (more: Partial<RouteDeclaration>): RouteDeclaration => ({
  route: "orders",
  door: "app:1",
  operations: ["submit", "cancel"],
  stages: ["off", "shadow", "live"],
  ...more,
});

let intervals = 0;
/** One second of a door, ending now. */
async function report(rig: Rig, more: Partial<Interval>): Promise<void> {
  await rig.clock.advance(1_000);
  const none = { calls: 0, errors: 0, latency: [] };
  await rig.store.routes.recordIntervals([
    {
      id: `proof-${(intervals += 1)}`,
      route: "orders",
      door: "app:1",
      epoch: 1,
      stage: "live",
      share: 50,
      from: rig.clock.now() - 1_000,
      to: rig.clock.now(),
      old: none,
      new: none,
      shadow: { calls: 0, errors: 0, timeouts: 0, skipped: 0 },
      compared: 0,
      mismatches: 0,
      failedOver: 0,
      operations: {},
      ...more,
    },
  ]);
}
const compared = async (rig: Rig, operations: Readonly<Record<string, number>>): Promise<void> =>
  await report(rig, {
    stage: "shadow",
    operations,
    compared: Object.values(operations).reduce((sum, count) => sum + count, 0),
  });
const calls = (count: number, errors = 0) => ({ calls: count, errors, latency: [] });

const verdictOf = (handle: RunHandle) => handle.live().verdicts.find(({ role }) => role === "exit");
const eventsOf = async (rig: Rig, handle: RunHandle, type: string) =>
  (await rig.store.events.read({ stream: `run:${handle.id}`, limit: 1_000 })).filter(
    (event) => event.type === type,
  );

describe("coverage as an exit gate", () => {
  const gate = coverage("orders", { atLeast: 20 });

  test("holds while an operation is untested, names it with the time left, and lets the phase end once it is not", async () => {
    await using rig = await openRig({ declarations: () => [declaration({})] });
    const handle = await rig.start(withExit([gate]));
    await compared(rig, { submit: 90, cancel: 5 });
    await compared(rig, { submit: 90 });
    await rig.clock.advance(1_000);
    expect(verdictOf(handle)).toMatchObject({
      kind: "hold",
      reason: "1 of 2 operations compared at least 20 times; untested: cancel (5 of 20)",
      waitMs: 6_000,
    });
    await compared(rig, { cancel: 15 });
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const given = await eventsOf(rig, handle, "verdict.given");
    expect(given.map(({ data }) => data["verdict"])).toEqual(["hold", "pass"]);
    expect(given.at(-1)?.data).toMatchObject({ figures: { operations: { submit: 180, cancel: 20 } } });
  });

  test("holds while nothing is declared, however much was compared", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withExit([gate]));
    for (let second = 0; second < 5; second++) await compared(rig, { submit: 90 });
    expect(verdictOf(handle)).toMatchObject({ kind: "hold" });
    expect(verdictOf(handle)?.reason).toContain("no application has declared orders yet");
  });

  test("still demands what was declared before the owner was restarted", async () => {
    await using rig = await openRig();
    rig.engine({ declarations: () => [declaration({ never: { charge: "personal" }, cohorts: ["gold"] })] });
    const handle = await rig.start(withExit([gate]));
    await compared(rig, { submit: 90 });
    await handle.stop();
    // The new owner has heard of one application only, which knows neither `cancel` nor the cohort.
    rig.engine({ declarations: () => [declaration({ door: "app:2", operations: ["submit"] })] });
    const again = await rig.resume(handle.id, withExit([gate]));
    await compared(rig, { submit: 90 });
    await rig.clock.advance(1_000);
    expect(verdictOf(again)?.kind).toBe("hold");
    expect(verdictOf(again)?.reason).toBe(
      "1 of 2 operations compared at least 20 times; 0 of 1 cohort compared at least 20 times; " +
        "untested: cancel (0 of 20), cohort gold (0 of 20); never shadowed: charge (personal); " +
        "declared only by applications that are gone: cancel, cohort gold",
    );
  });

  test("keeps what was declared while other steps ran, and by an application that is gone by now", async () => {
    let live: readonly RouteDeclaration[] = [declaration({})];
    await using rig = await openRig({ declarations: () => live });
    const gone = Promise.withResolvers<null>();
    const handle = await rig.start(
      defineMigration({
        name: "proved",
        phases: [
          phase("before", { steps: [step("wait", { run: async () => await gone.promise })] }),
          phase("after", { exit: [gate] }),
        ],
      }),
    );
    await rig.clock.advance(1_000);
    live = [];
    gone.resolve(null);
    await compared(rig, { submit: 90 });
    await rig.clock.advance(1_000);
    expect(verdictOf(handle)?.reason).toContain("untested: cancel (0 of 20)");
    const kept = await eventsOf(rig, handle, "evidence.recorded");
    expect(kept.filter(({ data }) => data["name"] === "declared for orders")).toHaveLength(1);
  });

  test("no longer demands an operation that the connected application now declares never to be shadowed", async () => {
    let live = [declaration({})];
    await using rig = await openRig({ declarations: () => live });
    const handle = await rig.start(withExit([gate]));
    await compared(rig, { submit: 90 });
    expect(verdictOf(handle)?.kind).toBe("hold");
    live = [declaration({ operations: ["submit"], never: { cancel: "non-idempotent" } })];
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });
});

describe("a backlog of second writes", () => {
  test("holds the phase until it is drained, with the time left, and never rolls back", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withExit([backlog("orders").below(10)]));
    for (const open of [100, 80, 60]) await report(rig, { backlog: open });
    await rig.clock.advance(500);
    expect(verdictOf(handle)).toMatchObject({ kind: "hold", reason: "60 open, limit 10", waitMs: 7_550 });
    for (const open of [40, 20, 0, 0, 0, 0, 0, 0]) await report(rig, { backlog: open });
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("counts what a door had open when it fell silent, before the phase began, and names it", async () => {
    await using rig = await openRig();
    await report(rig, { door: "far:9", backlog: 7 });
    await rig.clock.advance(60_000);
    const handle = await rig.start(withExit([backlog("orders").below(5)]));
    for (let second = 0; second < 9; second++) await report(rig, { backlog: 0 });
    await rig.clock.advance(250);
    expect(verdictOf(handle)).toMatchObject({ kind: "hold" });
    expect(verdictOf(handle)?.reason).toMatch(/^7 open, limit 5; still counted: 7 of far:9, silent for /);
  });
});

describe("a split that is off", () => {
  test("pauses the run", async () => {
    await using rig = await openRig();
    const guard = when(split("orders").off()).then("pause");
    const handle = await rig.start(withExit([coverage("orders", { atLeast: 1 })], [guard]));
    for (let second = 0; second < 5; second++) await report(rig, { old: calls(180), new: calls(20) });
    expect(handle.live().state).toBe("PAUSED");
    const [fired] = await eventsOf(rig, handle, "trigger.fired");
    expect(fired?.data).toMatchObject({ trigger: "split of orders off", action: "pause" });
  });
});

describe("first errors per key, from the store to the record", () => {
  test("decide where doors report them, and the verdict says so", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withExit([rate.error("orders").worseThan("old", { by: 2 })]));
    for (let second = 0; second < 12; second++)
      await report(rig, { old: calls(100, 1), new: calls(100, 25), firstErrors: { old: 1, new: 20 } });
    await rig.end(handle);
    const given = (await eventsOf(rig, handle, "verdict.given")).at(-1);
    expect(given?.data).toMatchObject({
      verdict: "fail",
      figures: { decidedBy: "first errors", firstErrors: { weight: 0.9 } },
    });
    const evidence = await rig.store.runs.evidence(handle.id);
    const seen = evidence.find(({ id }) =>
      ((given?.data["evidence"] ?? []) as readonly string[]).includes(id),
    );
    expect(seen?.data).toMatchObject({ firstErrors: { new: expect.any(Number) as number } });
  });

  test("one heavy user who fails all his calls does not roll a healthy side back, and the verdict says why it holds", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withExit([rate.error("orders").worseThan("old", { by: 2 })]));
    for (let second = 0; second < 15; second++)
      await report(rig, {
        old: calls(100, 1),
        new: calls(100, 15),
        firstErrors: { old: 1, new: second === 0 ? 2 : 1 },
      });
    expect(verdictOf(handle)).toMatchObject({ kind: "hold" });
    expect(verdictOf(handle)?.reason).toMatch(/^errors per call alone would fail it/);
  });
});

describe("a gate on a route that nobody reports on", () => {
  test("says so instead of holding in silence", async () => {
    await using rig = await openRig();
    const handle = await rig.start(withExit([rate.error("ordres").below(0.01)]));
    await rig.clock.advance(2_000);
    expect(verdictOf(handle)?.reason).toContain("no door has reported on ordres");
  });
});
