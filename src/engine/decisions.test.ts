import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defineMigration, type Migration, phase, step } from "../plan/index.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import { askDecision, type Decision, type RecordParts, type RunHandle } from "./index.ts";

/** Two parties on one store: an engine that hears others, and a command that carries nothing. */
let rig: Rig;
let go: PromiseWithResolvers<void>;
beforeEach(async () => {
  rig = await openRig({ hearEveryMs: 1_000 });
  go = Promise.withResolvers();
});
afterEach(() => rig[Symbol.asyncDispose]());

const waiting = (): Migration =>
  defineMigration({
    name: "waits",
    phases: [
      phase("move", {
        steps: [
          step("copy", {
            run: (its) =>
              Promise.race([
                go.promise,
                new Promise<void>((_, reject) => {
                  its.signal.addEventListener("abort", () => reject(its.signal.reason as Error));
                }),
              ]),
            rollback: () => {},
          }),
        ],
      }),
      phase("retire", {
        approval: { by: 1 },
        steps: [step("remove", { run: () => {}, rollback: () => {} })],
      }),
    ],
  });

const other = (): RecordParts => ({ store: rig.store, clock: rig.clock, owner: "other:1:1" });
const ann = { by: "ann", reason: "because" };

async function asked(handle: RunHandle, decision: Decision): Promise<string> {
  let outcome = "";
  askDecision(other(), handle.id, decision).then(
    ({ state }) => (outcome = state),
    (error: unknown) => (outcome = (error as { code: string }).code),
  );
  await rig.until(() => outcome !== "", 60_000);
  return outcome;
}

const decisions = async (run: string): Promise<readonly string[]> =>
  (await rig.store.events.read({ stream: `run:${run}`, limit: 1_000 }))
    .filter(({ type }) => type.startsWith("decision."))
    .map(({ type }) => type);

describe("a decision of another process", () => {
  test("reaches the one that carries the run, and is answered in the commit of what it did", async () => {
    const handle = await rig.start(waiting());
    await rig.until(() => handle.live().steps.RUNNING === 1);
    expect(await asked(handle, { verb: "pause", ...ann })).toBe("PAUSED");
    expect(handle.live().state).toBe("PAUSED");
    expect(await asked(handle, { verb: "continue", ...ann })).toBe("RUNNING");
    go.resolve();
    await rig.until(() => handle.live().phases["retire"] === "AWAITING_APPROVAL");
    expect(await asked(handle, { verb: "approve", ...ann })).toBe("RUNNING");
    expect((await rig.end(handle)).state).toBe("COMPLETED");
    expect(await decisions(handle.id)).toEqual(
      Array.from({ length: 3 }, () => ["decision.asked", "decision.answered"]).flat(),
    );
  });

  test("starts the way back", async () => {
    const handle = await rig.start(waiting());
    await rig.until(() => handle.live().steps.RUNNING === 1);
    expect(await asked(handle, { verb: "rollback", ...ann })).toMatch(/ROLL/);
    expect((await rig.end(handle)).state).toBe("ROLLED_BACK");
  });

  test("is refused by the same rules, with the same code", async () => {
    const handle = await rig.start(waiting());
    await rig.until(() => handle.live().steps.RUNNING === 1);
    expect(await asked(handle, { verb: "continue", ...ann })).toBe("CUTOVER_RUN_STATE");
    expect(await asked(handle, { verb: "approve", phase: "move", ...ann })).toBe("CUTOVER_APPROVAL_INVALID");
    expect(await asked(handle, { verb: "pause", by: "ann", reason: " " })).toBe("CUTOVER_RUN_STATE");
  });

  test("is done in the record when nobody carries the run", async () => {
    const handle = await rig.start(waiting());
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await handle.stop();
    expect(await asked(handle, { verb: "pause", ...ann })).toBe("PAUSED");
    expect(await decisions(handle.id)).toEqual([]);
  });

  test("waits for a carrier that does not answer, and is done once its lease is over", async () => {
    await using deaf = await openRig();
    const run = await deaf.engine().start(waiting(), { by: "ann", source: "test.ts" });
    await deaf.until(() => run.live().steps.RUNNING === 1);
    const { id } = run;
    // It hears nothing; its lease ends with it.
    const parts: RecordParts = { store: deaf.store, clock: deaf.clock, owner: "other:1:1" };
    let state = "";
    const decided = askDecision(parts, id, { verb: "pause", ...ann }).then((found) => (state = found.state));
    await deaf.until(() => false, 1_000).catch(() => {});
    expect(state).toBe("");
    await run.stop();
    await deaf.until(() => state !== "", 30_000);
    await decided;
    expect(state).toBe("PAUSED");
    const events = await deaf.store.events.read({ stream: `run:${id}`, limit: 1_000 });
    expect(events.filter(({ type }) => type === "decision.answered")).toHaveLength(1);
  });

  test("that its carrier did not live to hear is acted on by the next one", async () => {
    const handle = await rig.start(waiting());
    await rig.until(() => handle.live().steps.RUNNING === 1);
    await handle.stop();
    await rig.store.runs.commit(handle.id, [
      { type: "decision.asked", data: { id: "d1", verb: "pause", ...ann } },
    ]);
    const next = await rig.resume(handle.id, waiting());
    await rig.until(() => next.live().state === "PAUSED");
    const again = await decisions(handle.id);
    expect(again).toEqual(["decision.asked", "decision.answered"]);
  });
});
