import { asError, type Clock, CutoverError, type Json, type Log } from "../core/index.ts";
import type { CompiledStep, RouteControl, StepContext } from "../plan/index.ts";
import type { Desk } from "./desk.ts";
import { recordable } from "./json-value.ts";
import { evidenceEvents, verdictEvents } from "./records.ts";
import { controlRoutes } from "./route-control.ts";

/** The context of one attempt or one rollback. Once closed, whatever it still tries is refused. */
export class ActiveContext implements StepContext {
  readonly signal: AbortSignal;
  readonly attempt: number;
  readonly #desk: Desk;
  readonly #step: CompiledStep;
  #closed = false;
  /** Changes of routes that a trigger holds up. */
  #held = 0;
  #routes: RouteControl | undefined;

  constructor(desk: Desk, step: CompiledStep, signal: AbortSignal) {
    this.#desk = desk;
    this.#step = step;
    this.signal = signal;
    this.attempt = desk.memory.step(step.id).attempt;
  }

  get runId(): string {
    return this.#desk.memory.id;
  }
  get migration(): string {
    return this.#desk.memory.migration;
  }
  get phase(): string {
    return this.#step.phase;
  }
  get step(): string {
    return this.#step.id;
  }
  get unit(): string | undefined {
    return this.#step.unit;
  }
  get input(): Json {
    return this.#step.input;
  }
  get idempotencyKey(): string {
    return `${this.#desk.memory.id}/${this.#step.id}`;
  }
  get fence(): number {
    return this.#desk.fence;
  }
  get clock(): Clock {
    return this.#desk.settings.clock;
  }
  get log(): Log {
    return this.#desk.settings.log;
  }
  get workDir(): string {
    return this.#desk.workDir;
  }

  // Functions of their own, not methods: steps take them apart, `run: async ({ saveCheckpoint, signal }) => …`.
  readonly checkpoint: StepContext["checkpoint"] = () => this.#desk.memory.step(this.#step.id).checkpoint;

  readonly saveCheckpoint: StepContext["saveCheckpoint"] = async (value) => {
    this.mustBeOpen();
    const checkpoint = recordable(value, "a checkpoint");
    this.#desk.fault("engine.checkpoint.before");
    await this.#desk.journal.write({
      type: "step.checkpoint",
      data: { step: this.#step.id, attempt: this.attempt, checkpoint },
    });
    this.#desk.fault("engine.checkpoint.after");
    // Here paused work stops cleanly: what it just saved is where it goes on.
    if (this.signal.aborted) throw asError(this.signal.reason);
  };

  readonly progress: StepContext["progress"] = (progress) => {
    if (!this.#closed) this.#desk.live.setProgress(this.#step.id, progress, this.#desk.settings.clock.now());
  };

  readonly evidence: StepContext["evidence"] = async (name, data) => {
    this.mustBeOpen();
    const place = { phase: this.#step.phase, step: this.#step.id };
    const { id, events } = evidenceEvents(this.#desk.memory, name, data, place);
    if (events.length > 0) {
      this.#desk.fault("engine.evidence.before");
      await this.#desk.journal.write(...events);
      this.#desk.fault("engine.evidence.after");
    }
    return id;
  };

  readonly judge: StepContext["judge"] = async (gate, options = {}) => {
    this.mustBeOpen();
    const { memory, judges, journal, live, settings } = this.#desk;
    const place = { phase: this.#step.phase, step: this.#step.id };
    const since = options.since ?? memory.createdAt;
    const key = `step\n${this.#step.id}\n${gate.name}`;
    const { verdict, evidence } = await judges.evaluate(gate, { key, since, signal: this.signal });
    this.mustBeOpen();
    await journal.write(
      ...verdictEvents(memory, { gate: gate.name, role: "step", verdict, evidence, ...place }),
    );
    live.setVerdict({ gate: gate.name, role: "step", ...verdict, ...place, at: settings.clock.now() });
    return verdict;
  };

  readonly ask: StepContext["ask"] = async (reason) => {
    this.mustBeOpen();
    const { holds, memory, journal } = this.#desk;
    const key = this.#questionKey;
    holds.set(key, `step "${this.#step.id}" asks: ${reason}`);
    await journal.write(...holds.events(memory));
    return {
      answered: () => !holds.has(key),
      withdraw: async () => {
        if (!holds.has(key)) return;
        this.mustBeOpen();
        holds.clear(key);
        await journal.write(...holds.events(memory));
      },
    };
  };

  get #questionKey(): string {
    return `asked:${this.#step.id}`;
  }

  /** Whether the step waits for a person, or for a trigger that lets no share rise: that is no time of its own. */
  get waits(): boolean {
    return this.#held > 0 || this.#desk.holds.has(this.#questionKey);
  }

  get routes(): RouteControl {
    return (this.#routes ??= controlRoutes(this.#desk, this.#step, {
      mustBeOpen: () => this.mustBeOpen(),
      signal: this.signal,
      held: (by) => void (this.#held += by),
    }));
  }

  /** Ends this context: late writes of work that was left behind are refused. */
  close(): void {
    this.#closed = true;
    // Whatever becomes of the step, its question is over; the state follows with the next commit.
    this.#desk.holds.clear(this.#questionKey);
  }

  mustBeOpen(): void {
    if (this.#desk.journal.closed !== undefined) throw this.#desk.journal.closed;
    if (!this.#closed) return;
    const step = this.#step.id;
    throw new CutoverError("CUTOVER_INTERRUPTED", {
      message: `expected nothing more from this attempt of step "${step}", which is over; found a late write`,
      details: { step },
    });
  }
}
