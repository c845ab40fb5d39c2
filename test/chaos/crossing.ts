import {
  check,
  contingency,
  defineMigration,
  gate,
  type Migration,
  phase,
  sleep,
  step,
  type Step,
  type StepContext,
  type StepKind,
  value,
  when,
} from "cutover";
import type { World } from "./world.ts";

/** How the crossing of the crash test ends when nobody kills anything. */
export type Ending = "through" | "soaks" | "slows" | "fails" | "trigger" | "stuck" | "unknown" | "redefined";

/** Items the move step carries over, one checkpoint each. */
export const items = 5;

/**
 * A crossing that visits every corner of the run machine: checks, steps, checkpoints, evidence,
 * route changes, gates, an approval, completion, and by `ending` a failing step, a trigger, a rollback that cannot
 * finish, or a step nobody can know the outcome of. `edition` changes its hash.
 */
export function crossing(world: World, ending: Ending, edition = 1): Migration {
  return defineMigration({
    name: "crash-walk",
    title: `edition ${edition}`,
    units: ["orders", "stock"],
    verifyOld: [check("old side answers", () => ({ ok: true, note: "it answers" }))],
    phases: [
      phase("prepare", {
        entry: [check("backup restores", () => ({ ok: true, note: "62 files equal" }))],
        steps: [effect(world, "one"), effect(world, "two"), tidied(world)],
      }),
      phase("move", {
        wayBack: [check("old data is there", () => ({ ok: true, note: "it is" }))],
        steps: [move(world), soak(ending)],
        exit: [
          gate("all moved", {
            collect: () => ({ moved: countMoved(world) }),
            judge: ({ moved }) =>
              moved === items
                ? { kind: "pass", reason: `${items} moved` }
                : { kind: "fail", reason: `${Number(moved)} of ${items} moved` },
          }),
        ],
      }),
      phase("rollout", {
        approval: { by: 1 },
        steps: [route(10), ...(ending === "slows" ? [load(world)] : []), route(100), last(world, ending)],
      }),
    ],
    triggers: [
      when(
        value("badness", () => (world.isMarked("bad") ? 9 : 0)).above(1, { minSample: 1, n: 1, of: 1 }),
      ).then("rollback"),
      ...(ending === "slows"
        ? [
            when(heavy(world)).then("throttle", { name: "slowed", for: "100ms", recover: "200ms" }),
            when(heavy(world)).then(contingency("lighten"), { name: "lightened", for: "400ms" }),
          ]
        : []),
    ],
    contingencies: [
      ...(ending === "stuck"
        ? [{ name: "call-for-help", on: "rollback-stuck", steps: [effect(world, "help")] } as const]
        : []),
      ...(ending === "slows" ? [{ name: "lighten", on: "manual", steps: [lighten(world)] } as const] : []),
    ],
  });
}

/** Bad from when the load is heavy until the contingency has lightened it. */
const heavy = (world: World): ReturnType<ReturnType<typeof value>["above"]> =>
  value("load", () => (world.isMarked("heavy") && !world.isMarked("light") ? 1 : 0)).above(0.5, {
    n: 1,
    of: 1,
    interval: "50ms",
  });

/** Loads the new side and waits until that was dealt with; the share behind it rises once the throttle has lifted. */
const load = (world: World): Step =>
  step("load", {
    run: async ({ clock, signal }) => {
      world.mark("heavy");
      while (!world.isMarked("light")) await sleep(clock, 20, signal);
    },
    rollback: () => {},
  });

const lighten = (world: World): Step => step("lighten", { run: () => world.mark("light") });

/** Applies one effect; after a crash it looks whether the effect is there before it starts again. */
function effect(world: World, name: string): ReturnType<typeof step> {
  return step(name, {
    run: async (context) => {
      await context.evidence(`before ${name}`, { attempt: context.attempt });
      world.apply(name);
      return { name };
    },
    verify: () => world.isApplied(name),
    rollback: () => world.undo(name),
  });
}

/** Has something to tidy up once its phase is sealed. */
function tidied(world: World): Step {
  const kind: StepKind = {
    kind: "tidied",
    reversible: true,
    plan: () => ({ summary: "leave a note until the phase is sealed" }),
    start: () => Promise.resolve(null),
    complete: async () => world.mark("tidied"),
    rollback: async () => {},
  };
  return { name: "note", kind, input: null };
}

/** Puts items over one by one with a checkpoint after each; putting the same item twice does no harm. */
function move(world: World): ReturnType<typeof step> {
  return step("copy", {
    run: async ({ checkpoint, saveCheckpoint, signal }) => {
      for (let next = Number(checkpoint() ?? 0); next < items; next++) {
        signal.throwIfAborted();
        world.apply(`item-${next}`);
        await saveCheckpoint(next + 1);
      }
    },
    rollback: () => {
      for (let item = 0; item < items; item++)
        if (world.isApplied(`item-${item}`)) world.undo(`item-${item}`);
    },
  });
}

export const countMoved = (world: World): number =>
  Array.from({ length: items }, (_, item) => world.isApplied(`item-${item}`)).filter(Boolean).length;

/** In the ending “soaks” longer than a third of the lease, so that the lease is renewed meanwhile. */
function soak(ending: Ending): ReturnType<typeof step> {
  return step("soak", {
    run: (context) => sleep(context.clock, ending === "soaks" ? 1_500 : 1, context.signal),
    rollback: () => {},
  });
}

const routeName = "crash.call";

/** Sets the route's share; the way back is the share it found. */
function route(share: number): ReturnType<typeof step> {
  const set = async (context: StepContext, to: number): Promise<void> => {
    const now = await context.routes.get(routeName);
    if (now?.share === to) return;
    await context.routes.set(routeName, now?.epoch ?? 0, { stage: to === 0 ? "off" : "live", share: to });
  };
  return step(`share-${share}`, {
    run: (context) => set(context, share),
    rollback: (context) => set(context, share === 100 ? 10 : 0),
  });
}

/** The step that decides how the crossing ends. */
function last(world: World, ending: Ending): ReturnType<typeof step> {
  return step("last", {
    run: async (context) => {
      if (ending === "fails" || ending === "stuck") throw new Error("the new side is broken");
      if (ending === "trigger") {
        world.mark("bad");
        await sleep(context.clock, 30_000, context.signal);
      }
      world.apply("last");
      // Somebody kills the process here, once, in the endings that begin with a killed run.
      if ((ending === "unknown" || ending === "redefined") && !world.isMarked("prelude")) {
        world.mark("prelude");
        process.kill(process.pid, "SIGKILL");
        await sleep(context.clock, 30_000, context.signal);
      }
    },
    verify: () => {
      if (ending === "unknown") return { kind: "unknown", reason: "the other side does not say" };
      return world.isApplied("last");
    },
    rollback: () => {
      if (ending === "stuck" && !world.isMarked("mended")) throw new Error("the old side does not come back");
      world.undo("last");
    },
  });
}
