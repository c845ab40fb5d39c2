import { describe, expect, test } from "vitest";
import {
  check,
  defineMigration,
  gate,
  type Migration,
  phase,
  step,
  type Verdict,
  type StepContext,
} from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";

const nothing = (name: string): ReturnType<typeof step> => step(name, { run: () => {}, rollback: () => {} });

const waits = (handle: RunHandle, name: string) => (): boolean =>
  handle.live().phases[name] === "AWAITING_APPROVAL";

async function startWaiting(rig: Rig, migration: Migration, name: string): Promise<RunHandle> {
  const handle = await rig.start(migration);
  await rig.until(waits(handle, name));
  return handle;
}

describe("an approval", () => {
  const twoOfThree = defineMigration({
    name: "two-of-three",
    phases: [phase("move", { steps: [nothing("copy")], approval: { by: 2, from: ["ann", "bob", "cid"] } })],
  });

  test("needs as many different people as the phase asks for, and only those it names", async () => {
    await using rig = await openRig();
    const handle = await startWaiting(rig, twoOfThree, "move");
    await expect(handle.approve("move", "eve", "looks fine")).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
      message: 'expected one of ann, bob, cid to approve phase "move", found eve',
    });
    await handle.approve("move", "ann", "counts are equal");
    await expect(handle.approve("move", "ann", "still equal")).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    await rig.clock.advance(5_000);
    expect(handle.live().phases["move"]).toBe("AWAITING_APPROVAL");
    await handle.approve("move", "bob", "I agree");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    const approvals = await rig.store.runs.approvals(handle.id);
    expect(approvals.map(({ by, lapsed }) => [by, lapsed])).toEqual([
      ["ann", false],
      ["bob", false],
    ]);
  });

  test("of one person counts once, however the name is spelt", async () => {
    await using rig = await openRig();
    const two = defineMigration({
      name: "two",
      phases: [phase("move", { steps: [nothing("copy")], approval: { by: 2 } })],
    });
    const handle = await startWaiting(rig, two, "move");
    await handle.approve("move", "alice", "counts are equal");
    for (const by of [" alice ", "Alice", "ALICE", "ali\u200bce", "alice\ufeff"])
      await expect(handle.approve("move", by, "still equal")).rejects.toMatchObject({
        code: "CUTOVER_APPROVAL_INVALID",
        message: expect.stringContaining("expected somebody who has not approved"),
      });
    for (const by of ["ali\nce", "\u001b[1malice", "\u200b"])
      await expect(handle.approve("move", by, "still equal")).rejects.toMatchObject({
        code: "CUTOVER_RUN_STATE",
        place: "by",
      });
    await rig.clock.advance(5_000);
    expect(handle.live().phases["move"]).toBe("AWAITING_APPROVAL");
    await handle.approve("move", "bob", "I agree");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("given under several spellings by an earlier program is one approval", async () => {
    await using rig = await openRig();
    const handle = await startWaiting(rig, twoOfThree, "move");
    await handle.approve("move", "Ann", "as the phase names her, in capitals");
    const [given] = await rig.store.runs.approvals(handle.id);
    await handle.stop();
    const { fence } = await rig.store.runs.claim(handle.id, "earlier", 30_000);
    const again = { type: "approval.given", data: { phase: "move", by: "ann ", reason: "again" } } as const;
    const event = { ...again, data: { ...again.data, evidence: given?.evidence ?? "" } };
    await rig.store.runs.commit(handle.id, [event], { fence });
    await rig.store.runs.release(handle.id, "earlier", fence);
    const next = await rig.resume(handle.id, twoOfThree);
    await rig.clock.advance(5_000);
    expect(next.live().phases["move"]).toBe("AWAITING_APPROVAL");
    await next.approve("move", "bob", "I agree");
    expect(await rig.end(next)).toMatchObject({ state: "COMPLETED" });
  });

  test("is bound to a recorded document of the evidence that was seen", async () => {
    await using rig = await openRig();
    const handle = await startWaiting(rig, twoOfThree, "move");
    await handle.approve("move", "ann", "seen");
    const [approval] = await rig.store.runs.approvals(handle.id);
    const basis = (await rig.store.runs.evidence(handle.id)).findLast(
      ({ name }) => name === "approval-basis",
    );
    expect(basis?.id).toBe(approval?.evidence);
    await expect(handle.approve("move", "bob", "seen", "0000")).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    await handle.approve("move", "bob", "seen", basis?.id);
    await rig.end(handle);
  });

  test("lapses when a gate changes its mind, and the phase goes back to its gates", async () => {
    await using rig = await openRig();
    let verdict: Verdict = { kind: "pass", reason: "equal" };
    const migration = defineMigration({
      name: "doubtful",
      phases: [
        phase("move", {
          steps: [nothing("copy")],
          exit: [gate("digests", { collect: () => ({ verdict: verdict.kind }), judge: () => verdict })],
          approval: { by: 2 },
        }),
      ],
    });
    const handle = await startWaiting(rig, migration, "move");
    await handle.approve("move", "ann", "equal");
    verdict = { kind: "hold", reason: "3 rows differ, reading again" };
    await rig.until(() => handle.live().phases["move"] === "GATING");
    verdict = { kind: "pass", reason: "equal after repair" };
    await rig.until(waits(handle, "move"));
    const [approval] = await rig.store.runs.approvals(handle.id);
    expect(approval).toMatchObject({ by: "ann", lapsed: true });
    await handle.approve("move", "ann", "equal again");
    await handle.approve("move", "bob", "yes");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
  });

  test("comes before a forward-only phase begins, and its checklist is asked again when it is old", async () => {
    await using rig = await openRig();
    let asked = 0;
    let removed = false;
    const remove = async (context: StepContext): Promise<void> => {
      removed = true;
      await context.evidence("removed", { files: 3 });
    };
    const migration = defineMigration({
      name: "retire",
      phases: [
        phase("retire", {
          forwardOnly: true,
          approval: { by: 1 },
          entry: [check("old is quiet", () => ({ ok: (asked += 1) !== 2, note: `asked ${asked} times` }))],
          // What it records once it runs is not what was approved, and asks nobody again.
          steps: [step("remove", { run: remove, irreversible: true })],
        }),
      ],
    });
    const handle = await startWaiting(rig, migration, "retire");
    await rig.clock.advance(3_600_000);
    expect([asked, removed]).toEqual([1, false]);
    await handle.approve("retire", "ann", "go");
    await rig.until(() => handle.live().state === "HOLDING");
    expect(handle.live().reason).toContain("old is quiet: asked 2 times");
    // The failed check is new evidence: what ann approved no longer stands.
    await rig.until(waits(handle, "retire"));
    expect(removed).toBe(false);
    await handle.approve("retire", "ann", "go, it was the cleaner");
    expect(await rig.end(handle)).toMatchObject({ state: "COMPLETED" });
    expect(removed).toBe(true);
  });

  test("is refused for a phase that does not ask, and without a name or a reason", async () => {
    await using rig = await openRig();
    const handle = await startWaiting(rig, twoOfThree, "move");
    await expect(handle.approve("other", "ann", "x")).rejects.toMatchObject({
      code: "CUTOVER_APPROVAL_INVALID",
    });
    await expect(handle.approve("move", "ann", " ")).rejects.toMatchObject({
      code: "CUTOVER_RUN_STATE",
      place: "reason",
    });
    await handle.stop();
  });
});
