import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { setFaultHandler, sleep } from "../core/index.ts";
import { compile, defineMigration, type Step } from "../plan/index.ts";
import type { StoredEvent } from "../store/index.ts";
import { arbitraryMigration, type StepShape } from "../testing/arbitrary-migration.ts";
import { openRig, type Rig } from "../testing/engine-rig.ts";
import type { RunHandle } from "./run-handle.ts";

/** Effects of a random migration in the outside world, with the order in which they came and went. */
class World {
  readonly applied = new Set<string>();
  readonly undone: string[] = [];
  /** Starts left until one fails; below zero: none does. */
  failAfter = -1;
  starts = 0;

  readonly step = ({ name, after, retries, irreversible }: StepShape): Step => ({
    name,
    input: null,
    retries,
    ...(after === undefined ? {} : { after }),
    kind: {
      kind: "world",
      reversible: !irreversible,
      plan: () => ({ summary: name }),
      start: async (context) => {
        this.starts++;
        this.applied.add(context.step);
        await context.saveCheckpoint({ attempt: context.attempt });
        await sleep(context.clock, 10 * (1 + (this.starts % 3)), context.signal);
        if (this.failAfter >= 0 && this.starts > this.failAfter) throw new Error("the new side broke");
        return null;
      },
      ...(irreversible
        ? {}
        : {
            rollback: (context): Promise<void> => {
              this.applied.delete(context.step);
              this.undone.push(context.step);
              return Promise.resolve();
            },
          }),
    },
  });
}

/** Follows a run to a state it stays in: over, or holding for want of a way back. Approves whatever asks. */
async function follow(rig: Rig, handle: RunHandle): Promise<void> {
  let over = false;
  void handle.done.then(
    () => (over = true),
    () => (over = true),
  );
  for (let round = 0; round < 3_000 && !over; round++) {
    const { state, phases } = handle.live();
    // What is shown may be a moment ahead of its commit.
    if (state === "HOLDING") return await rig.clock.advance(1);
    for (const [phase, at] of Object.entries(phases))
      if (at === "AWAITING_APPROVAL") await handle.approve(phase, `person ${round}`, "fine").catch(() => {});
    await rig.clock.advance(100);
  }
  expect(over).toBe(true);
}

async function eventsOf(rig: Rig, run: string): Promise<readonly StoredEvent[]> {
  return await rig.store.events.read({ stream: `run:${run}`, limit: 100_000 });
}

/** No state without its event, every result once, and rows that are what the events say. */
async function expectSoundRecord(rig: Rig, run: string): Promise<void> {
  const state = new Map<string, unknown>();
  const results = new Map<unknown, number>();
  for (const { type, data } of await eventsOf(rig, run)) {
    if (!type.endsWith(".transition")) continue;
    const subject = `${type} ${(data["step"] ?? data["phase"] ?? "") as string}`;
    expect(data["from"]).toBe(state.get(subject) ?? (type === "run.transition" ? "RUNNING" : "PENDING"));
    state.set(subject, data["to"]);
    if (data["event"] === "succeed") results.set(data["step"], (results.get(data["step"]) ?? 0) + 1);
  }
  for (const times of results.values()) expect(times).toBe(1);
  for (const { step, state: row } of await rig.store.runs.steps(run))
    expect(state.get(`step.transition ${step}`)).toBe(row);
  const rows = async (): Promise<unknown> => [
    await rig.store.runs.get(run),
    await rig.store.runs.phases(run),
    await rig.store.runs.steps(run),
    await rig.store.runs.evidence(run),
    await rig.store.runs.verdicts(run),
    await rig.store.runs.approvals(run),
    await rig.store.runs.incidents(run),
  ];
  const before = await rows();
  await rig.store.rebuild();
  expect(await rows()).toEqual(before);
  expect(await rig.store.events.verify()).toMatchObject({ whole: true });
}

const runs = { numRuns: 80 };

describe("any migration", () => {
  test("runs to its end, each step after everything it depends on", async () => {
    const world = new World();
    await fc.assert(
      fc.asyncProperty(arbitraryMigration({ makeStep: world.step }), async (input) => {
        const migration = defineMigration(input);
        await using rig = await openRig();
        const handle = await rig.start(migration);
        await follow(rig, handle);
        expect(await handle.done).toMatchObject({ state: "COMPLETED" });
        const done: unknown[] = [];
        const byId = new Map(compile(migration).steps.map((each) => [each.id, each]));
        for (const { type, data } of await eventsOf(rig, handle.id)) {
          if (type !== "step.transition") continue;
          if (data["event"] === "start")
            for (const before of byId.get(data["step"] as string)?.after ?? [])
              expect(done).toContain(before);
          if (data["event"] === "succeed") done.push(data["step"]);
        }
        expect(done).toHaveLength(byId.size);
        await expectSoundRecord(rig, handle.id);
      }),
      runs,
    );
  });

  test("that breaks anywhere is undone whole, in reverse, up to what cannot be undone", async () => {
    const world = new World();
    const inputs = arbitraryMigration({ makeStep: world.step });
    await fc.assert(
      fc.asyncProperty(
        inputs,
        fc.nat({ max: 12 }),
        fc.nat({ max: 200 }),
        async (input, failAfter, killAt) => {
          // The drawn steps hold the world they were made in; each run of the property begins with it clean.
          world.applied.clear();
          world.undone.length = 0;
          world.starts = 0;
          world.failAfter = failAfter;
          const migration = defineMigration(input);
          await using rig = await openRig({ isDead: () => true, leaseMs: 600_000 });
          rig.engine();
          let points = 0;
          let dead = false;
          setFaultHandler(() => {
            dead ||= ++points === killAt;
            if (dead) throw new Error("killed");
          });
          let handle = await rig.start(migration).catch(() => undefined);
          if (handle !== undefined) await follow(rig, handle);
          setFaultHandler(undefined);
          if (dead) {
            await handle?.done.catch(() => {});
            rig.engine();
            const [known] = await rig.store.runs.list();
            handle = known === undefined ? await rig.start(migration) : await rig.resume(known.id, migration);
            await follow(rig, handle);
          }
          if (handle === undefined) throw new Error("it was not started");
          await expectUndone(rig, handle, migration, world);
          await expectSoundRecord(rig, handle.id);
          if (handle.live().state === "HOLDING") await handle.stop();
        },
      ),
      runs,
    );
  });
});

async function expectUndone(
  rig: Rig,
  handle: RunHandle,
  migration: ReturnType<typeof defineMigration>,
  world: World,
): Promise<void> {
  const { phases, steps } = compile(migration);
  const rows = new Map((await rig.store.runs.steps(handle.id)).map((row) => [row.step, row]));
  const { state } = handle.live();
  if (state === "COMPLETED") {
    expect(steps.every(({ id }) => rows.get(id)?.state === "DONE")).toBe(true);
    return;
  }
  expect(["ROLLED_BACK", "HOLDING"]).toContain(state);
  const recorded = await rig.store.runs.phases(handle.id);
  const begun = new Set(
    recorded.filter((row) => ["RUNNING", "GATING", "SEALED"].includes(row.state)).map((row) => row.phase),
  );
  const barrier = phases.findLastIndex((phase) => phase.forwardOnly && begun.has(phase.name));
  expect(state).toBe(barrier === -1 ? "ROLLED_BACK" : "HOLDING");
  const undoable = phases.slice(barrier + 1).flatMap((phase) => phase.steps);
  for (const { id } of undoable) expect(["PENDING", "ROLLED_BACK", undefined]).toContain(rows.get(id)?.state);
  for (const id of world.applied) expect(undoable.some((step) => step.id === id)).toBe(false);
  // Exactly the graph's order backwards. A crash may repeat the one it interrupted, so its last time counts.
  const undone = [...new Set(world.undone.toReversed())].toReversed();
  const backwards = steps.map(({ id }) => id).toReversed();
  expect(undone).toEqual(backwards.filter((id) => undone.includes(id)));
}
