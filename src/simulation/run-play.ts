import { hasCode, type Json, sleep, silentLog } from "../core/index.ts";
import { createJudges, type GateJudges } from "../engine/index.ts";
import type { CompiledStep, GateSpec, StepContext, Verdict } from "../plan/index.ts";
import { Alarms, type Firing } from "./alarms.ts";
import { type Fault, reaches } from "./fault.ts";
import { PlayedRoutes } from "./played-routes.ts";
import { isPlayable } from "./playable.ts";
import { createRandom } from "./random.ts";
import type { PlayedPhase, Script } from "./script.ts";
import { StageClock } from "./stage-clock.ts";
import { type Harm, World, type WorldOptions } from "./world.ts";

export interface PlayOptions {
  readonly script: Script;
  readonly world: WorldOptions;
  readonly fault: Fault | undefined;
  readonly seed: number;
  /** Which of the runs of this seed. */
  readonly run: number;
  readonly signal: AbortSignal;
}

/** What noticed something, and what it did about it. */
export interface Notice {
  readonly at: number;
  /** Name of the trigger or gate. */
  readonly by: string;
  readonly action: string;
  readonly reason: string;
  /** Nothing was shown to be bad: it only was not shown to be good in time. */
  readonly late: boolean;
  /** Where the route stood that the fault is on, or the one that was moved last. */
  readonly where: string;
}

export interface Played {
  /** Milliseconds from the first step's start. */
  readonly ms: number;
  /** When the fault began to show; undefined when the run never came so far. */
  readonly faultAt: number | undefined;
  /** In the order in which they came; the last one ended the run when `stopped`. */
  readonly notices: readonly Notice[];
  readonly stopped: boolean;
  readonly harm: Harm;
  /** Names of gates of steps that declared traffic says nothing about: taken as passed. */
  readonly leftOut: readonly string[];
}

/** Clock time at which runs begin; each a random part of an hour later, since doors begin anew with each hour. */
const epoch = Date.UTC(2026, 0, 1);
const hourMs = 3_600_000;
/** Looks are a second apart at first, later a 16th of the time since the last change: detection is told to 6 %. */
const closest = 1_000;
const part = 16;
const farthest = 300_000;
/** Times after a change at which something is likely to be due; stretches end on them, so that holds are kept exactly. */
const marks = [1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1_440].map(
  (min) => min * 60_000,
);
/** A trigger that holds a share back for so long is left to people, milliseconds. */
const longestHold = 3_600_000;
/** A step that neither waits for the clock nor ends within so many turns waits for the real world. */
const mostTurns = 10_000;

interface Surroundings {
  readonly clock: StageClock;
  readonly routes: PlayedRoutes;
  /** Routes that measures without a route add up. */
  readonly touched: Set<string>;
  readonly judges: GateJudges;
}

/** Plays a migration once, with the real steps and judges, from the first phase to the last or until it is stopped. */
export async function playRun(options: PlayOptions): Promise<Played> {
  const { script, seed, run, fault } = options;
  const random = createRandom(seed, run, textSeed(fault?.text ?? ""));
  const clock = new StageClock(epoch + Math.floor(random.next() * hourMs));
  const routes = new PlayedRoutes(saltOf(options));
  const touched = new Set(script.routes);
  const judges = await createJudges({
    runId: "simulation",
    store: routes.store,
    clock,
    log: silentLog,
    readMemory: undefined,
    touched,
    declared: async () => undefined,
  });
  return await new RunPlay(options, { clock, routes, touched, judges }).play();
}

/** The salt of a run's routes, so that each run spreads the keys anew. */
const saltOf = ({ seed, run }: PlayOptions): string => `simulated-${seed}-${run}`;

class RunPlay {
  readonly #options: PlayOptions;
  readonly #clock: StageClock;
  readonly #routes: PlayedRoutes;
  readonly #judges: GateJudges;
  readonly #alarms: Alarms;
  readonly #worlds = new Map<string, World>();
  readonly #touched: Set<string>;
  readonly #notices: Notice[] = [];
  readonly #leftOut = new Set<string>();
  readonly #start: number;
  #changedAt: number;
  #moved = "";
  #reachedAt: number | undefined;
  #faultAt: number | undefined;
  readonly #faulty = new Set<string>();
  /** A person was asked, or a trigger holds the run and does not let go: nobody is there, so the run ends here. */
  #waitsForPeople = false;

  constructor(options: PlayOptions, { clock, routes, touched, judges }: Surroundings) {
    this.#options = options;
    const { script, seed, run, fault, world } = options;
    this.#clock = clock;
    this.#routes = routes;
    this.#touched = touched;
    this.#judges = judges;
    this.#start = clock.now();
    this.#changedAt = this.#start;
    this.#alarms = new Alarms(script.compiled.triggers, judges, this.#start);
    for (const [index, route] of script.routes.entries()) {
      const random = createRandom(seed, run * 1_000 + index, textSeed(fault?.text ?? "") + 1);
      this.#worlds.set(route, new World(world, random, `${saltOf(options)}/${route}`));
    }
  }

  async play(): Promise<Played> {
    let stopped = false;
    for (const phase of this.#options.script.phases) {
      stopped = !(await this.#phase(phase));
      if (stopped) break;
    }
    let harm: Harm = { calls: 0, keys: 0 };
    for (const world of this.#worlds.values())
      harm = { calls: harm.calls + world.harm.calls, keys: harm.keys + world.harm.keys };
    return {
      ms: this.#clock.now() - this.#start,
      faultAt: this.#faultAt === undefined ? undefined : this.#faultAt - this.#start,
      notices: this.#notices,
      stopped,
      harm,
      leftOut: [...this.#leftOut],
    };
  }

  /** False when something stopped the run. */
  async #phase(phase: PlayedPhase): Promise<boolean> {
    const began = this.#clock.now();
    for (const step of phase.steps) if (!(await this.#step(step, phase))) return false;
    for (const gate of phase.exit) if (!(await this.#exit(gate, phase, began))) return false;
    return true;
  }

  async #step(step: CompiledStep, phase: PlayedPhase): Promise<boolean> {
    const abort = new AbortController();
    let ended: { readonly failed?: unknown } | undefined;
    const attempt = step.kind.simulate?.(this.#context(step, abort.signal)) ?? Promise.resolve(null);
    attempt.then(
      () => (ended = {}),
      (failed: unknown) => (ended = { failed }),
    );
    const over = (): typeof ended => ended;
    for (;;) {
      await this.#settle(step.id, () => over() !== undefined);
      const end = over();
      if (end !== undefined) return "failed" in end ? this.#failed(step, end.failed) : true;
      if (await this.#pass(phase.name)) continue;
      abort.abort(new Error("the simulated run was stopped"));
      await attempt.catch(() => {});
      return false;
    }
  }

  #failed(step: CompiledStep, thrown: unknown): false {
    // Whatever is no verdict is a defect of the step in this surrounding, and must not look like a detection.
    if (!hasCode(thrown, "CUTOVER_STEP_FAILED")) throw thrown;
    const { gate } = thrown.details;
    if (typeof gate === "string") this.#notice(gate, "rollback", thrown.message);
    else this.#notice(`${step.name} not cleared in time`, "rollback", thrown.message, true);
    return false;
  }

  async #exit(gate: GateSpec, phase: PlayedPhase, since: number): Promise<boolean> {
    const waitsSince = this.#clock.now();
    for (;;) {
      const look = { key: `exit\n${phase.name}\n${gate.name}`, since, signal: this.#options.signal };
      const { verdict } = await this.#judges.evaluate(gate, look);
      if (verdict.kind === "pass") return true;
      if (verdict.kind === "fail") {
        this.#notice(gate.name, "rollback", verdict.reason);
        return false;
      }
      if (this.#clock.now() - waitsSince >= phase.patienceMs) {
        this.#notice(`${gate.name} not shown in time`, "ask", verdict.reason, true);
        return false;
      }
      if (!(await this.#pass(phase.name))) return false;
    }
  }

  /** Lets the next stretch of time pass. False when a trigger stopped the run. */
  async #pass(phase: string): Promise<boolean> {
    this.#options.signal.throwIfAborted();
    const from = this.#clock.now();
    this.#begin(from);
    const ms = this.#stretch(from);
    this.#clock.move(ms);
    for (const state of this.#routes.states) {
      const world = this.#worlds.get(state.route);
      if (world === undefined) continue;
      this.#routes.record(world.interval(state, from, from + ms, this.#faulty.has(state.route)));
    }
    for (const firing of await this.#alarms.look(phase, this.#clock.now(), this.#options.signal))
      if (this.#fired(firing)) return false;
    this.#clock.fire();
    return !this.#waitsForPeople;
  }

  /** True when the firing ends the run, or hands it to a person. */
  #fired({ trigger, action, reason }: Firing): boolean {
    this.#notice(trigger, action, reason);
    return action === "rollback" || action === "pause";
  }

  #stretch(now: number): number {
    const calm = now - this.#changedAt;
    const usual = Math.min(
      farthest,
      Math.max(closest, Math.round(calm / part)),
      this.#options.script.longestStretch,
    );
    const due = [...marks.map((mark) => mark - calm), this.#faultDue(now)].filter((left) => left > 0);
    return Math.min(usual, ...due);
  }

  #faultDue(now: number): number {
    const { fault } = this.#options;
    if (fault === undefined || this.#faultAt !== undefined || this.#reachedAt === undefined) return 0;
    return this.#reachedAt + fault.afterMs - now;
  }

  /** Notes when the fault begins: where a route has come to its place, and its delay is over. */
  #begin(now: number): void {
    const { fault } = this.#options;
    if (fault === undefined) return;
    for (const state of this.#routes.states) {
      if (this.#faulty.has(state.route) || !reaches(fault, state)) continue;
      this.#reachedAt ??= now;
      if (now - this.#reachedAt < fault.afterMs) continue;
      this.#faulty.add(state.route);
      this.#changedAt = now;
      this.#faultAt ??= now;
    }
  }

  #notice(by: string, action: string, reason: string, late = false): void {
    const state = this.#routes.get(this.#moved);
    const where = state === undefined ? "start" : state.stage === "live" ? `${state.share} %` : state.stage;
    this.#notices.push({ at: this.#clock.now() - this.#start, by, action, reason, late, where });
  }

  /** Lets a step go on until it waits for the clock again, or is over. */
  async #settle(step: string, over: () => boolean): Promise<void> {
    for (let turn = 0; !over() && !this.#clock.waiting; turn++) {
      if (turn >= mostTurns)
        throw new Error(`step "${step}" waits for something that a simulation does not have`);
      // Steps here wait for the clock alone; real turns are needed only while code is loaded.
      await (turn < 500 ? Promise.resolve() : new Promise<void>((resolve) => void setImmediate(resolve)));
    }
  }

  #context(step: CompiledStep, signal: AbortSignal): StepContext {
    let checkpoint: Json | undefined;
    const clock = this.#clock;
    const { migration } = this.#options.script.compiled;
    return {
      runId: "simulation",
      migration: migration.name,
      phase: step.phase,
      step: step.id,
      unit: step.unit,
      input: step.input,
      attempt: 1,
      idempotencyKey: `simulation/${step.id}`,
      fence: 1,
      signal,
      clock,
      log: silentLog,
      workDir: "",
      checkpoint: () => checkpoint,
      saveCheckpoint: async (value) => void (checkpoint = value),
      progress: () => {},
      evidence: async () => "simulated",
      judge: async (gate, { since = this.#start } = {}): Promise<Verdict> => {
        if (!isPlayable(gate)) {
          this.#leftOut.add(gate.name);
          return { kind: "pass", reason: "declared traffic says nothing about it" };
        }
        const key = `step\n${step.id}\n${gate.name}`;
        return (await this.#judges.evaluate(gate, { key, since, signal })).verdict;
      },
      ask: async (reason) => {
        this.#notice(`${step.name} not cleared in time`, "ask", reason, true);
        this.#waitsForPeople = true;
        return { answered: () => false, withdraw: async () => {} };
      },
      routes: {
        get: async (route) => this.#routes.get(route),
        declarations: async () => [],
        intervals: async (route, since) => this.#routes.since(route, since),
        set: async (route, seen, to) => {
          const asked = clock.now();
          while (this.#alarms.holds) {
            if (clock.now() - asked >= longestHold) this.#waitsForPeople = true;
            await sleep(clock, closest, signal);
          }
          this.#touched.add(route);
          this.#moved = route;
          this.#changedAt = clock.now();
          return this.#routes.set(route, seen, to);
        },
      },
    };
  }
}

/** So that each fault has traffic of its own, and adding one changes no other. */
function textSeed(text: string): number {
  let hash = 2_166_136_261;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 16_777_619);
  return hash;
}
