import { describe, expect, test } from "vitest";
import { sleep } from "../core/index.ts";
import { defineMigration, phase, step } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import {
  approveRecorded,
  continueRecorded,
  pauseRecorded,
  type RecordParts,
  rollbackRecorded,
  settleRecorded,
} from "./recorded.ts";

const person = { by: "ann", reason: "seen the report" };

const parts = (rig: Rig): RecordParts => ({ store: rig.store, clock: rig.clock, owner: "cli" });

const asking = defineMigration({
  name: "asking",
  phases: [
    phase("move", {
      steps: [step("a", { run: () => {}, rollback: () => {} })],
      approval: { by: 1, from: ["ann"] },
    }),
  ],
});

/** A run that waits for its approval and that nobody carries. */
async function leftWaiting(rig: Rig): Promise<string> {
  rig.engine();
  const handle = await rig.start(asking);
  await rig.until(() => handle.live().phases["move"] === "AWAITING_APPROVAL");
  await handle.stop();
  return handle.id;
}

describe("a run that nobody carries", () => {
  test("can be approved by the same rules, and goes on when it is taken up again", async () => {
    await using rig = await openRig();
    const run = await leftWaiting(rig);
    const approval = { phase: "move", ...person };
    await expect(approveRecorded(parts(rig), run, { ...approval, by: "eve" })).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    await expect(approveRecorded(parts(rig), run, { ...approval, evidence: "0000" })).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    await approveRecorded(parts(rig), run, approval);
    await expect(approveRecorded(parts(rig), run, approval)).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    expect(await rig.end(await rig.resume(run, asking))).toMatchObject({ state: "COMPLETED" });
  });

  test("can be paused and continued", async () => {
    await using rig = await openRig();
    const run = await leftWaiting(rig);
    expect(await pauseRecorded(parts(rig), run, person)).toMatchObject({
      state: "PAUSED",
      reason: person.reason,
    });
    await expect(pauseRecorded(parts(rig), run, person)).rejects.toMatchObject({ code: "CUTOVER_RUN_STATE" });
    const handle = await rig.resume(run, asking);
    await handle.approve("move", "ann", "while it is paused");
    await rig.clock.advance(10_000);
    expect(handle.live()).toMatchObject({ state: "PAUSED", phases: { move: "AWAITING_APPROVAL" } });
    await handle.stop();
    expect(await continueRecorded(parts(rig), run, person)).toMatchObject({ state: "RUNNING" });
    expect(await rig.end(await rig.resume(run, asking))).toMatchObject({ state: "COMPLETED" });
  });

  test("can be marked for its rollback, with an incident, which the next one to carry it performs", async () => {
    await using rig = await openRig();
    const run = await leftWaiting(rig);
    expect(await rollbackRecorded(parts(rig), run, person)).toMatchObject({ state: "ROLLING_BACK" });
    expect(await rig.end(await rig.resume(run, asking))).toMatchObject({
      state: "ROLLED_BACK",
      reason: "ann rolls back: seen the report",
    });
    expect((await rig.store.runs.incidents(run))[0]).toMatchObject({
      cause: "manual",
      outcome: "rolled back",
    });
    await expect(rollbackRecorded(parts(rig), run, person)).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
  });

  test("can have an unknown step settled", async () => {
    await using rig = await openRig({ isDead: () => true });
    rig.engine();
    const migration = defineMigration({
      name: "unknown",
      phases: [
        phase("p", {
          steps: [
            step("send", {
              run: ({ attempt, clock, signal }) =>
                attempt === 1 ? sleep(clock, 3_600_000, signal) : undefined,
              verify: () => ({ kind: "unknown", reason: "no log" }),
            }),
          ],
        }),
      ],
    });
    const first = await rig.start(migration);
    await rig.clock.advance(100);
    await first.stop();
    const second = await rig.resume(first.id, migration);
    await rig.until(() => second.live().state === "HOLDING");
    await second.stop();
    const settlement = { step: "p/send", outcome: "not-done", ...person } as const;
    await settleRecorded(parts(rig), first.id, settlement);
    await expect(settleRecorded(parts(rig), first.id, settlement)).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
    const handle = await rig.resume(first.id, migration);
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect((await rig.store.runs.steps(first.id))[0]).toMatchObject({ attempt: 2 });
  });

  test("is left alone while somebody does carry it, or when there is no such run", async () => {
    await using rig = await openRig();
    const handle = await rig.start(asking);
    await rig.until(() => handle.live().phases["move"] === "AWAITING_APPROVAL");
    await expect(pauseRecorded(parts(rig), handle.id, person)).rejects.toMatchObject({
      code: "CUTOVER_STORE_OWNED",
    });
    await expect(pauseRecorded(parts(rig), "r0", person)).rejects.toMatchObject({
      code: "CUTOVER_RUN_NOT_FOUND",
    });
    expect(handle.live().state).toBe("RUNNING");
    await handle.stop();
  });

  test("keeps no trace of a refusal", async () => {
    await using rig = await openRig();
    const run = await leftWaiting(rig);
    const before = await rig.store.events.count();
    await expect(continueRecorded(parts(rig), run, person)).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
    await expect(pauseRecorded(parts(rig), run, { by: "ann", reason: "" })).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
    });
    expect(await rig.store.events.count()).toBe(before);
  });
});
